import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { OptionTable, Stage, StageOptions } from "@mbs/contracts";
import { defaultKept } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import type { TaskContext } from "../../node-worker.ts";
import { runFolder } from "../../run-folder.ts";
import { ChildWorker } from "../../workers/child-worker.ts";
import { checkJob, jobKey } from "../job.ts";
import type { JobWork } from "../job.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { ModelFinder } from "./model-finder.ts";

export interface JobRunnerOptions {
  /** For messages. */
  readonly name: string;
  readonly stages: ReadonlyMap<string, () => Promise<Stage>>;
  readonly store: SharedStore;
  readonly modelRoot: string;
  /** Folder of this worker alone. */
  readonly folder: string;
  /** Bytes of artifacts that stay there. */
  readonly cacheLimit: number;
  /** Bytes for what later jobs may need; default as for a run. */
  readonly memory?: number | undefined;
  /** The program and arguments that start a process which calls `serveWorker`. */
  readonly command: readonly string[];
  /** Milliseconds that a job may take. */
  readonly jobLimit?: number | undefined;
  /** Milliseconds that a job has to stop by itself. */
  readonly stopGrace?: number | undefined;
}

/** A job that has been checked. */
export interface CheckedJob {
  readonly key: string;
  readonly work: JobWork;
  readonly table: OptionTable;
}

/** Runs jobs in a process of their own, which stays between jobs with all that it keeps open. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #cache: ArtifactCache;
  readonly #models: ModelFinder;
  #child: { readonly worker: ChildWorker; readonly threads: number } | undefined;

  private constructor(options: JobRunnerOptions, cache: ArtifactCache, models: ModelFinder) {
    this.#options = options;
    this.#cache = cache;
    this.#models = models;
  }

  static async open(options: JobRunnerOptions): Promise<JobRunner> {
    const { folder, cacheLimit, store, modelRoot } = options;
    const { artifacts } = runFolder(folder);
    await mkdir(artifacts, { recursive: true });
    return new JobRunner(
      options,
      await ArtifactCache.open(artifacts, cacheLimit, store),
      await ModelFinder.open(modelRoot, join(folder, "models.json")),
    );
  }

  /** @throws {BadDataError} as checkJob */
  async check(data: unknown, id: string | undefined): Promise<CheckedJob> {
    const { work, table } = await checkJob(data, id, this.#options.stages);
    return { key: jobKey(work), work, table };
  }

  /**
   * Runs a job and puts what it has made into the store.
   *
   * @returns its address
   * @throws what the stage throws; {WorkerLostError} where its process ended; {InputLostError} where the store does not have an
   *   input; {ModelMissingError} where the model is not here
   */
  async run({ key, work, table }: CheckedJob, context: TaskContext): Promise<string> {
    const { stage, inputs, threads } = work;
    const { signal } = context;
    const options = await this.#withPaths(table, work.options);
    await this.#cache.bring([...new Set(Object.values(inputs).flat())], signal);
    const worker = await this.#childFor(threads);
    const { address } = await worker.run(
      { id: `${stage} ${key.slice(0, 12)}`, stage, options, inputs, when: "now", height: 1 },
      context,
    );
    await this.#cache.publish(address, signal);
    await this.#cache.trim();
    return address;
  }

  /** Options with the path of each model in the place of its address. */
  async #withPaths(table: OptionTable, options: StageOptions): Promise<StageOptions> {
    const entries = Object.entries(options).map(async ([name, value]): Promise<[string, unknown]> => {
      if (table[name]?.kind !== "resource") return [name, value];
      const paths = await Promise.all([value].flat().map((address) => this.#models.find(String(address))));
      return [name, Array.isArray(value) ? paths : paths[0]];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  async #childFor(threads: number): Promise<ChildWorker> {
    if (this.#child?.threads === threads) return this.#child.worker;
    await this.close();
    const { name, folder, memory = defaultKept(), command, jobLimit, stopGrace } = this.#options;
    const worker = new ChildWorker({
      name,
      command,
      setting: { root: folder, results: [], threads, memory, revisions: {} },
      nodeLimit: jobLimit,
      ...(stopGrace !== undefined && { stopGrace }),
    });
    this.#child = { worker, threads };
    return worker;
  }

  async close(): Promise<void> {
    await this.#child?.worker.close();
    this.#child = undefined;
  }
}
