import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ArtifactStore, addressOfName, isStoreName, makeFolder } from "@mbs/artifacts";
import type { SharedStore } from "@mbs/shared-store";
import { FetchedArtifacts } from "../fetched-artifacts.ts";
import type { DiskBudget } from "./disk-budget.ts";

export interface CacheOptions {
  readonly store: SharedStore;
  readonly budget: DiskBudget;
  /** As in FetchedOptions. */
  readonly warn: (line: string) => void;
}

/** The artifacts that a worker has at hand. */
export class ArtifactCache {
  readonly #local: ArtifactStore;
  readonly #store: SharedStore;
  readonly #budget: DiskBudget;
  readonly #copies: FetchedArtifacts;

  private constructor(folder: string, { store, budget, warn }: CacheOptions) {
    this.#local = new ArtifactStore(folder);
    this.#store = store;
    this.#budget = budget;
    // noted one by one: those that came before one that does not come stay here, too
    const onHere = (address: string): Promise<void> => this.#noteUse(address);
    this.#copies = new FetchedArtifacts({ local: this.#local, shared: store, warn, onHere });
  }

  static async open(folder: string, options: CacheOptions): Promise<ArtifactCache> {
    await makeFolder(folder);
    const found: { readonly path: string; readonly bytes: number; readonly used: number }[] = [];
    for (const name of await readdir(folder)) {
      if (!isStoreName(name)) continue;
      const path = join(folder, name);
      const { size: bytes, mtimeMs: used } = await stat(path);
      if (addressOfName(name) !== undefined) found.push({ path, bytes, used });
      // of a process that was killed: this folder has one owner
      else await rm(path, { force: true });
    }
    for (const { path, bytes } of found.toSorted((one, other) => one.used - other.used)) options.budget.use(path, bytes);
    return new ArtifactCache(folder, options);
  }

  /** Bytes that were fetched so far. */
  get fetched(): number {
    return this.#copies.fetched;
  }

  /** Runs a node on artifacts that are here then. @throws as FetchedArtifacts.reading */
  reading<T>(addresses: readonly string[], signal: AbortSignal, node: () => Promise<T>): Promise<T> {
    return this.#copies.reading(addresses, signal, node);
  }

  async #noteUse(address: string): Promise<void> {
    const path = this.#local.path(address);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) this.#budget.forget(path);
    else this.#budget.use(path, found.size);
  }

  /** Puts what a job has made into the store. @returns bytes that were put */
  async publish(address: string, signal: AbortSignal): Promise<number> {
    await this.#noteUse(address);
    return this.#store.put(address, this.#local.path(address), { signal });
  }
}
