import { RunManifest, unpackFiles } from "@mbs/artifacts";
import type { ArtifactStore, WriteTime } from "@mbs/artifacts";
import { InputOutputError, InternalError, firstOutput } from "@mbs/contracts";
import type { ArtifactStream, Device, DeviceReport, ObjectPool, Progress, Stage, StageOptions } from "@mbs/contracts";
import { deviceReport } from "@mbs/onnx";
import { recordModelFiles } from "./model-files.ts";
import { requireOwnModel } from "./own-files.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";
import type { RunFolder } from "./run-folder.ts";

/** One node as a worker is told to run it: names and addresses alone, so that it can be sent to another process. */
export interface NodeTask {
  readonly id: string;
  readonly stage: string;
  readonly options: StageOptions;
  /** Input → addresses of its artifacts, in the store. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** When its output is written. */
  readonly when: WriteTime;
  /** Id of the node that it has an affinity to, where there is one. */
  readonly affinity?: string;
  /** Nodes on the longest way from it to the end of the plan, itself included: of several, the largest is the most urgent. */
  readonly height: number;
}

/** A node that has been run. */
export interface NodeDone {
  /** Of its output, which is in the store or, where it is to be written later, with the worker. */
  readonly address: string;
  /** Who ran it, for messages. */
  readonly worker: string;
}

/** What a worker is given for the time of one node. */
export interface TaskContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  readonly warn: (message: string) => void;
  /** Absent where a worker on another machine runs it. */
  readonly note?: (message: string) => void;
  /** Called with what the node did on a graphics processor, however it ended. */
  readonly onDevice?: (report: DeviceReport) => void;
}

/** Runs nodes, one at a time, and keeps open what the next of them may need: models, sessions, values within a node. */
export interface NodeWorker {
  /** For messages. */
  readonly name: string;
  /** Whether it runs a node; without it, it runs all. */
  readonly takes?: (node: PlanNode) => boolean;
  /**
   * The same object for all workers that hand their nodes on to one executor of other processes: any of them will do for a node that
   * follows another, and what they return is written. Absent where the worker is a process of its own.
   */
  readonly executor?: object;
  /**
   * Runs a node.
   *
   * @throws what the stage throws; {WorkerLostError} where the worker ended; {InputLostError} where an input is not there any more
   */
  run(task: NodeTask, context: TaskContext): Promise<NodeDone>;
  /** Removes artifacts that it has made; their files go when `after` is done. */
  remove(addresses: readonly string[], after: Promise<unknown>): void;
  /** Writes all that it holds in memory alone. @throws as ArtifactStore.flush */
  flush(): Promise<void>;
}

/** A worker ended while it ran a node, or was ended. What it held in memory alone is lost. */
export class WorkerLostError extends InternalError {}

/** What a node reads was removed or damaged by others after it was found to be there. It is made again. */
export class InputLostError extends InputOutputError {
  /** Of the artifacts that are lost. */
  readonly addresses: readonly string[];

  constructor(message: string, addresses: readonly string[], options?: { cause?: unknown }) {
    super(message, {}, options);
    this.addresses = addresses;
  }
}

/** Where a worker finds what, and what it works with. */
export interface WorkerTools {
  readonly folder: RunFolder;
  readonly store: ArtifactStore;
  readonly stage: (name: string) => Promise<Stage>;
  readonly threads: number;
  readonly device?: Device | undefined;
  readonly pool: ObjectPool;
}

/** Runs nodes in this process. */
export class OwnWorker implements NodeWorker {
  readonly name = "this process";
  readonly #tools: WorkerTools;

  constructor(tools: WorkerTools) {
    this.#tools = tools;
  }

  async run(task: NodeTask, context: TaskContext): Promise<NodeDone> {
    const before = deviceReport();
    try {
      return await this.#run(task, context);
    } finally {
      if (this.#tools.device !== undefined && this.#tools.device !== "cpu") context.onDevice?.(deviceReport(before));
    }
  }

  async #run(task: NodeTask, context: TaskContext): Promise<NodeDone> {
    const { folder, store, threads, device, pool } = this.#tools;
    const { signal } = context;
    const stage = await this.#tools.stage(task.stage);
    // code of others may change what it reads and what it has made
    const isOurs = stage.loadedFrom === undefined;
    const inputs: Record<string, ArtifactStream[]> = {};
    for (const [name, addresses] of Object.entries(task.inputs)) {
      inputs[name] = await Promise.all(addresses.map((address) => store.open(address, { shared: isOurs })));
    }
    const { progress, warn, note } = context;
    const outputs = await stage.run(inputs, task.options, { signal, progress, warn, note, threads, device, pool });
    const { name, folder: isFolder = false } = firstOutput(stage);
    const output = outputs[name];
    if (output === undefined) throw new InternalError(`stage ${stage.name} made no output ${name}`, { stage: stage.name });
    if (!isFolder) {
      const { address } = await store.put(output, { signal, when: isOurs ? task.when : "now" });
      return { address, worker: this.name };
    }
    // checked again: the folder was claimed long ago
    await requireOwnModel(folder, await RunManifest.open(folder.manifest));
    const unpacked = await unpackFiles(output, folder.model, { signal, force: true });
    await recordModelFiles(folder, unpacked);
    return { address: unpacked.address, worker: this.name };
  }

  remove(addresses: readonly string[], after: Promise<unknown>): void {
    for (const address of addresses) this.#tools.store.remove(address, after);
  }

  flush(): Promise<void> {
    return this.#tools.store.flush();
  }
}
