import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, openNamed, unpackFiles } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import type { TaskContext } from "../../node-worker.ts";
import type { DiskBudget } from "./disk-budget.ts";
import { ModelFinder } from "./model-finder.ts";

/** Bytes of all files of a folder. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** The folder of a model while it is fetched: this worker fetches one at a time. */
const unfinished = "unfinished";

export interface PublishedOptions {
  readonly store: SharedStore;
  readonly budget: DiskBudget;
  /** The address of a model's files in the store, as an artifact; undefined where no run has published it. */
  readonly artifactOf: (model: string) => Promise<string | undefined>;
}

/** Models that runs have put into the store: fetched when a job needs one, and kept in a folder named by the model's address. */
export class PublishedModels {
  readonly #root: string;
  readonly #options: PublishedOptions;
  readonly #finder: ModelFinder;
  #fetched = 0;

  private constructor(root: string, options: PublishedOptions, finder: ModelFinder) {
    this.#root = root;
    this.#options = options;
    this.#finder = finder;
  }

  /** @param record file that remembers which folders have been checked */
  static async open(root: string, record: string, options: PublishedOptions): Promise<PublishedModels> {
    await makeFolder(root);
    // of a process that was killed
    await rm(join(root, unfinished), { recursive: true, force: true });
    for (const name of await readdir(root)) options.budget.use(join(root, name), await sizeOf(join(root, name)));
    return new PublishedModels(root, options, await ModelFinder.open(root, record));
  }

  /** Bytes that were fetched so far. */
  get fetched(): number {
    return this.#fetched;
  }

  /**
   * The folder of a model and the path that opens it; undefined where no run has published it.
   *
   * @param model its address
   * @throws {BadDataError} where the store has other files under its name, or damaged ones
   */
  async find(model: string, context: TaskContext): Promise<{ readonly folder: string; readonly path: string } | undefined> {
    const folder = join(this.#root, model);
    const here = await this.#finder.find(model);
    if (here !== undefined) {
      this.#options.budget.use(folder, await sizeOf(folder));
      return { folder, path: here };
    }
    const { artifactOf, store } = this.#options;
    const artifact = await artifactOf(model);
    if (artifact === undefined || !(await store.has(artifact, { signal: context.signal }))) return undefined;
    await this.#fetch(artifact, folder, context);
    this.#options.budget.use(folder, await sizeOf(folder));
    // reads the whole model: the store's word that it is this one is not enough
    const path = await this.#finder.find(model);
    if (path !== undefined) return { folder, path };
    await rm(folder, { recursive: true, force: true });
    this.#options.budget.forget(folder);
    throw new BadDataError(`${store.where(artifact)} holds another model than ${model}, or one that is damaged`, {
      model,
    });
  }

  async #fetch(artifact: string, folder: string, { signal, progress }: TaskContext): Promise<void> {
    const { store } = this.#options;
    let done = 0;
    const count = (bytes: number): void => {
      done += bytes;
      this.#fetched += bytes;
    };
    async function* counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of bytes) {
        count(piece.length);
        progress({ activity: "fetching the model", done, unit: "bytes" });
        yield piece;
      }
    }
    const partial = join(this.#root, unfinished);
    await rm(partial, { recursive: true, force: true });
    try {
      const stream = await openNamed(counted(store.read(artifact, { signal })), store.where(artifact));
      const { address } = await unpackFiles(stream, partial, { signal });
      if (address !== artifact) throw new BadDataError(`${store.where(artifact)} holds ${address}`, { artifact });
    } catch (cause) {
      await rm(partial, { recursive: true, force: true });
      if (!(cause instanceof BadDataError)) throw cause;
      // a run that is started again would otherwise find it there
      await store.remove(artifact, { signal });
      throw new BadDataError(`${cause.message}; it is removed from the store: start the run again to publish the model again`, {
        artifact,
      });
    }
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  }
}
