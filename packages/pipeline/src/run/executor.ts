import type { ArtifactStore } from "@mbs/artifacts";
import type { DeviceChoice, ObjectPool } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { Resources } from "../resources/resources.ts";
import type { RunArtifacts } from "./engine.ts";
import type { NodeWorker } from "./node-worker.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RunMachine } from "./run-machine.ts";
import type { WorkerTraffic } from "./store-traffic.ts";

/** What an executor needs to know before a run is planned. */
export interface ExecutorOptions {
  /** Threads that were asked for. */
  readonly threads?: number | undefined;
  /** The device that was asked for. */
  readonly device?: DeviceChoice | undefined;
  /** Bytes for what later stages need, of all workers on this machine together. */
  readonly memory?: number | undefined;
  /** What this process keeps open while it plans. */
  readonly pool: ObjectPool;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  readonly note: (message: string) => void;
}

/** A run that is about to begin. */
export interface ExecutorRun {
  readonly stages: Stages;
  readonly plan: Plan;
  readonly folder: RunFolder;
  readonly resources: Resources;
  readonly machine: RunMachine;
  readonly revisions: Revisions;
}

/** The workers of a run, and the artifacts that they read and make. */
export interface OpenExecutor {
  /** At least one. */
  readonly workers: readonly NodeWorker[];
  /** The artifacts of the run's folder. */
  readonly local: ArtifactStore;
  /** All that the workers have, wherever it is. */
  readonly artifacts: RunArtifacts;
  /** The class of the processors that run a node; absent where no node is known by it. */
  readonly processorClass?: (node: PlanNode) => string;
}

/** Who runs the nodes of a run: this process, processes of this machine, or workers at a queue. */
export interface Executor {
  /**
   * The machine that a run in a claimed folder takes: chosen at its first start, and kept.
   *
   * @param shards of the recipe
   * @throws {DeniedError} as recordMachine
   */
  machineOf(folder: RunFolder, shards: number): Promise<RunMachine>;
  begin(run: ExecutorRun): Promise<OpenExecutor>;
  /** As in EngineOptions. */
  gather(addresses: ReadonlyMap<string, string>): Promise<void>;
  /** All nodes are done, and the workers are no longer needed. */
  finish(): Promise<void>;
  /** What each worker has moved to and from a store for this run, since it was started last; empty where there is no store. */
  traffic(): readonly WorkerTraffic[];
  /** To be called in the end, however the run ended. */
  close(): Promise<void>;
}
