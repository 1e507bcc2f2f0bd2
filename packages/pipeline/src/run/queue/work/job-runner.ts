import { join } from "node:path";
import { makeFolder } from "@mbs/artifacts";
import type { Device, OptionTable, StageOptions } from "@mbs/contracts";
import { BadDataError, defaultKept } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import type { NodeTask, TaskContext } from "../../node-worker.ts";
import { runFolder } from "../../run-folder.ts";
import type { Traffic } from "../../store-traffic.ts";
import { ChildWorker } from "../../workers/child-worker.ts";
import { checkJob, jobKey } from "../job.ts";
import type { JobRules, JobWork } from "../job.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { DiskBudget } from "./disk-budget.ts";
import { ModelFinder } from "./model-finder.ts";
import { PublishedModels } from "./published-models.ts";

/** A model that another worker may have. */
export class ModelMissingError extends BadDataError {}

export interface JobRunnerOptions {
  /** For messages. */
  readonly name: string;
  readonly rules: JobRules;
  readonly store: SharedStore;
  /** Folder whose folders, or theirs, are models; absent: all models come from the store. */
  readonly modelRoot: string | undefined;
  /** As in PublishedOptions. */
  readonly artifactOf: (model: string) => Promise<string | undefined>;
  /** Folder of this worker alone. */
  readonly folder: string;
  /** Bytes of artifacts and fetched models that stay there. */
  readonly cacheLimit: number;
  /** Bytes for what later jobs may need; default as for a run. */
  readonly memory?: number | undefined;
  /** The program and arguments that start a process which calls `serveWorker`. */
  readonly command: readonly string[];
  /** A line on what was wrong in the cache. */
  readonly warn: (line: string) => void;
  /** Milliseconds that a job may take. */
  readonly jobLimit?: number | undefined;
  /** What runs models. Default "cpu". */
  readonly device?: Device | undefined;
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
  readonly #budget: DiskBudget;
  /** The models under the root, where there is one. */
  readonly #own: ModelFinder | undefined;
  readonly #published: PublishedModels;
  #child: { readonly worker: ChildWorker; readonly threads: number } | undefined;

  private constructor(
    options: JobRunnerOptions,
    parts: { cache: ArtifactCache; budget: DiskBudget; own: ModelFinder | undefined; published: PublishedModels },
  ) {
    this.#options = options;
    this.#cache = parts.cache;
    this.#budget = parts.budget;
    this.#own = parts.own;
    this.#published = parts.published;
  }

  static async open(options: JobRunnerOptions): Promise<JobRunner> {
    const { folder, cacheLimit, store, modelRoot, artifactOf, warn } = options;
    const { artifacts } = runFolder(folder);
    await makeFolder(artifacts);
    const budget = new DiskBudget(cacheLimit);
    const fetched = { store, budget, artifactOf };
    return new JobRunner(options, {
      budget,
      published: await PublishedModels.open(join(folder, "models"), join(folder, "fetched.json"), fetched),
      cache: await ArtifactCache.open(artifacts, { store, budget, warn }),
      own: modelRoot === undefined ? undefined : await ModelFinder.open(modelRoot, join(folder, "models.json")),
    });
  }

  /** @throws {BadDataError} as checkJob */
  async check(data: unknown, id: string | undefined): Promise<CheckedJob> {
    const { work, table } = await checkJob(data, id, this.#options.rules);
    return { key: jobKey(work), work, table };
  }

  /**
   * Runs a job and puts what it has made into the store.
   *
   * @returns its address, and what was moved for it
   * @throws what the stage throws; {WorkerLostError} where its process ended; {InputLostError} where the store does not have an
   *   input; {ModelMissingError} where the model is not here
   */
  async run(
    { key, work, table }: CheckedJob,
    context: TaskContext,
  ): Promise<{ readonly address: string; readonly traffic: Traffic }> {
    const { stage, inputs, threads } = work;
    const { signal } = context;
    const fetched = (): number => this.#published.fetched + this.#cache.fetched;
    const fetchedBefore = fetched();
    /** Folders of fetched models that this job reads. */
    const inUse = new Set<string>();
    try {
      const options = await this.#withPaths(table, work.options, async (model) => {
        const own = await this.#own?.find(model);
        if (own !== undefined) return own;
        const found = await this.#published.find(model, context);
        if (found === undefined) throw this.#modelMissing(model);
        inUse.add(found.folder);
        return found.path;
      });
      const worker = await this.#childFor(threads);
      const task: NodeTask = { id: `${stage} ${key.slice(0, 12)}`, stage, options, inputs, when: "now", height: 1 };
      const { address } = await this.#cache.reading([...new Set(Object.values(inputs).flat())], signal, () =>
        worker.run(task, context),
      );
      const put = await this.#cache.publish(address, signal);
      return { address, traffic: { fetched: fetched() - fetchedBefore, put } };
    } finally {
      // also where the disk was too full for the job
      await this.#budget.trim(inUse);
    }
  }

  #modelMissing(model: string): ModelMissingError {
    const { modelRoot } = this.#options;
    const [place, remedy] =
      modelRoot === undefined
        ? ["in the store", "give the worker a --model-root that has it"]
        : [`under ${modelRoot} or in the store`, "copy it there, give the worker another --model-root"];
    return new ModelMissingError(`no model with address ${model} ${place}; ${remedy}, or start the run with --publish-model`, {
      model,
    });
  }

  /** Options with the path of each model in the place of its address. */
  async #withPaths(table: OptionTable, options: StageOptions, pathOf: (model: string) => Promise<string>): Promise<StageOptions> {
    const resolved: [string, unknown][] = [];
    // one after the other: two may be the same model, to be fetched once
    for (const [name, value] of Object.entries(options)) {
      if (table[name]?.kind !== "resource") {
        resolved.push([name, value]);
        continue;
      }
      const paths: string[] = [];
      for (const model of [value].flat()) paths.push(await pathOf(String(model)));
      resolved.push([name, Array.isArray(value) ? paths : paths[0]]);
    }
    return Object.fromEntries(resolved);
  }

  async #childFor(threads: number): Promise<ChildWorker> {
    if (this.#child?.threads === threads) return this.#child.worker;
    await this.close();
    const { name, folder, device, memory = defaultKept(), command, jobLimit } = this.#options;
    const worker = new ChildWorker({
      name,
      command,
      setting: { root: folder, results: [], threads, device, memory, revisions: {} },
      nodeLimit: jobLimit,
    });
    this.#child = { worker, threads };
    return worker;
  }

  async close(): Promise<void> {
    await this.#child?.worker.close();
    this.#child = undefined;
  }
}
