import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isStoreName } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import { InputLostError } from "../../node-worker.ts";
import type { DiskBudget } from "./disk-budget.ts";

/** The artifacts that a worker has at hand. */
export class ArtifactCache {
  readonly #folder: string;
  readonly #store: SharedStore;
  readonly #budget: DiskBudget;

  private constructor(folder: string, store: SharedStore, budget: DiskBudget) {
    this.#folder = folder;
    this.#store = store;
    this.#budget = budget;
  }

  static async open(folder: string, store: SharedStore, budget: DiskBudget): Promise<ArtifactCache> {
    await mkdir(folder, { recursive: true });
    const found: { readonly path: string; readonly bytes: number; readonly used: number }[] = [];
    for (const name of await readdir(folder)) {
      if (!isStoreName(name)) continue;
      const path = join(folder, name);
      const { size: bytes, mtimeMs: used } = await stat(path);
      if (/^[0-9a-f]{64}\.arrow$/.test(name)) found.push({ path, bytes, used });
      // of a process that was killed: this folder has one owner
      else await rm(path, { force: true });
    }
    for (const { path, bytes } of found.toSorted((one, other) => one.used - other.used)) budget.use(path, bytes);
    return new ArtifactCache(folder, store, budget);
  }

  path(address: string): string {
    return join(this.#folder, `${address}.arrow`);
  }

  /** Brings artifacts here that are not. @returns bytes that were fetched @throws {InputLostError} where the store does not have one whole */
  async bring(addresses: readonly string[], signal: AbortSignal): Promise<number> {
    let fetched = 0;
    for (const address of addresses) {
      if (await this.#isHere(address)) continue;
      try {
        fetched += await this.#store.get(address, this.path(address), { signal });
      } catch (cause) {
        const isGone = cause instanceof UsageError && cause.facts["missing"] === true;
        if (!isGone && !(cause instanceof BadDataError)) throw cause;
        // who asked makes it again, and would otherwise find this one there
        if (!isGone) await this.#store.remove(address, { signal });
        throw new InputLostError(`${this.#store.where(address)} is ${isGone ? "not there" : "damaged"}`, { address }, { cause });
      }
      await this.#isHere(address);
    }
    return fetched;
  }

  /** Whether an artifact is here, which counts as its use. */
  async #isHere(address: string): Promise<boolean> {
    const path = this.path(address);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) this.#budget.forget(path);
    else this.#budget.use(path, found.size);
    return found !== undefined;
  }

  /** Puts what a job has made into the store. @returns bytes that were put */
  async publish(address: string, signal: AbortSignal): Promise<number> {
    await this.#isHere(address);
    return this.#store.put(address, this.path(address), { signal });
  }
}
