import type { Device, DeviceReport, ErrorTag, Progress } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import type { NodeTask } from "../node-worker.ts";

/** What a worker process works on, and with. */
export interface WorkerSetting {
  /** Folder of the run, and names of its results that entries of `stages` make. */
  readonly root: string;
  readonly results: readonly string[];
  readonly threads: number;
  /** Default "cpu". */
  readonly device?: Device | undefined;
  /** Bytes for what later nodes need. */
  readonly memory: number;
  /** The commits of models and datasets on the Hub that the run reads. */
  readonly revisions: Revisions;
}

/** From the run to a worker. The first one is `begin`; one `run` at a time. */
export type ToWorker =
  | { readonly kind: "begin"; readonly setting: WorkerSetting }
  | { readonly kind: "run"; readonly task: NodeTask }
  | { readonly kind: "stop" }
  | { readonly kind: "remove"; readonly addresses: readonly string[] }
  | { readonly kind: "flush" }
  | { readonly kind: "end" };

/** How something failed. */
export interface Failure {
  readonly tag: ErrorTag;
  readonly message: string;
  /** For --debug. */
  readonly stack?: string;
}

/**
 * From a worker to its run. Every `run` is answered by `started`, then by `done` or `failed`, every `flush` by `flushed` or
 * `failed`, with `alive` now and then before.
 */
export type FromWorker =
  | { readonly kind: "started" }
  | { readonly kind: "done"; readonly address: string }
  | { readonly kind: "failed"; readonly of: "run" | "flush"; readonly failure: Failure }
  | { readonly kind: "alive" }
  | { readonly kind: "flushed" }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "warn" | "note"; readonly message: string }
  | { readonly kind: "device"; readonly report: DeviceReport };
