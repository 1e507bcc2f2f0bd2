import { RunManifest, unpackFiles } from "@mbs/artifacts";
import type { ArtifactStore, WriteTime } from "@mbs/artifacts";
import { InternalError, firstOutput } from "@mbs/contracts";
import type { ArtifactStream, ObjectPool, Progress, Stage, StageOptions } from "@mbs/contracts";
import { recordModelFiles } from "./model-files.ts";
import { requireOwnModel } from "./own-files.ts";
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
}

/** What a worker is given for the time of one node. */
export interface TaskContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  readonly warn: (message: string) => void;
}

/** Runs nodes, one at a time, and keeps open what the next of them may need: models, sessions, values within a step. */
export interface NodeWorker {
  /** For messages. */
  readonly name: string;
  /**
   * Runs a node.
   *
   * @returns the address of its output, which is in the store or, where it is to be written later, with this worker
   * @throws what the stage throws; {WorkerLostError} where the worker ended
   */
  run(task: NodeTask, context: TaskContext): Promise<string>;
  /** Removes artifacts that it has made; their files go when `after` is done. */
  remove(addresses: readonly string[], after: Promise<unknown>): void;
  /** Writes all that it holds in memory alone. @throws as ArtifactStore.flush */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** A worker ended while it ran a node, or was ended. What it held in memory alone is lost. */
export class WorkerLostError extends InternalError {}

/** Where a worker finds what, and what it works with. */
export interface WorkerTools {
  readonly folder: RunFolder;
  readonly store: ArtifactStore;
  readonly stage: (name: string) => Promise<Stage>;
  readonly threads: number;
  readonly pool: ObjectPool;
}

/** Runs nodes in this process. */
export class OwnWorker implements NodeWorker {
  readonly name = "this process";
  readonly #tools: WorkerTools;

  constructor(tools: WorkerTools) {
    this.#tools = tools;
  }

  async run(task: NodeTask, context: TaskContext): Promise<string> {
    const { folder, store, threads, pool } = this.#tools;
    const { signal } = context;
    const stage = await this.#tools.stage(task.stage);
    // code of others may change what it reads and what it has made
    const isOurs = stage.loadedFrom === undefined;
    const inputs: Record<string, ArtifactStream[]> = {};
    for (const [name, addresses] of Object.entries(task.inputs)) {
      inputs[name] = await Promise.all(addresses.map((address) => store.open(address, { shared: isOurs })));
    }
    const outputs = await stage.run(inputs, task.options, { ...context, threads, pool });
    const { name, folder: isFolder = false } = firstOutput(stage);
    const output = outputs[name];
    if (output === undefined) throw new InternalError(`stage ${stage.name} made no output ${name}`, { stage: stage.name });
    if (!isFolder) return (await store.put(output, { signal, when: isOurs ? task.when : "now" })).address;
    // checked again: the folder was claimed long ago
    await requireOwnModel(folder, await RunManifest.open(folder.manifest));
    const unpacked = await unpackFiles(output, folder.model, { signal, force: true });
    await recordModelFiles(folder, unpacked);
    return unpacked.address;
  }

  remove(addresses: readonly string[], after: Promise<unknown>): void {
    for (const address of addresses) this.#tools.store.remove(address, after);
  }

  flush(): Promise<void> {
    return this.#tools.store.flush();
  }

  async close(): Promise<void> {}
}
