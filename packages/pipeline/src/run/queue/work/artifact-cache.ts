import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isStoreName } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import { InputLostError } from "../../node-worker.ts";

/** The artifacts that a worker has at hand, up to a size; those go first that were used the longest ago. */
export class ArtifactCache {
  readonly #folder: string;
  readonly #limit: number;
  readonly #store: SharedStore;
  /** Bytes by address, the one that was used last at the end. */
  readonly #files = new Map<string, number>();

  private constructor(folder: string, limit: number, store: SharedStore) {
    this.#folder = folder;
    this.#limit = limit;
    this.#store = store;
  }

  /** @param limit bytes */
  static async open(folder: string, limit: number, store: SharedStore): Promise<ArtifactCache> {
    await mkdir(folder, { recursive: true });
    const cache = new ArtifactCache(folder, limit, store);
    const found: { readonly address: string; readonly bytes: number; readonly used: number }[] = [];
    for (const name of await readdir(folder)) {
      if (!isStoreName(name)) continue;
      const { size: bytes, mtimeMs: used } = await stat(join(folder, name));
      if (/^[0-9a-f]{64}\.arrow$/.test(name)) found.push({ address: name.slice(0, 64), bytes, used });
      // of a process that was killed: this folder has one owner
      else await rm(join(folder, name), { force: true });
    }
    for (const { address, bytes } of found.toSorted((one, other) => one.used - other.used)) cache.#files.set(address, bytes);
    return cache;
  }

  path(address: string): string {
    return join(this.#folder, `${address}.arrow`);
  }

  /** Brings artifacts here that are not. @throws {InputLostError} where the store does not have one whole */
  async bring(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    for (const address of addresses) {
      const isHere = await this.#note(address);
      if (isHere) continue;
      try {
        await this.#store.get(address, this.path(address), { signal });
      } catch (cause) {
        const isGone = cause instanceof UsageError && cause.facts["missing"] === true;
        if (!isGone && !(cause instanceof BadDataError)) throw cause;
        // who asked makes it again, and would otherwise find this one there
        if (!isGone) await this.#store.remove(address, { signal });
        throw new InputLostError(`${this.#store.where(address)} is ${isGone ? "not there" : "damaged"}`, { address }, { cause });
      }
      await this.#note(address);
    }
  }

  /** Notes that an artifact has just been used. @returns whether it is here */
  async #note(address: string): Promise<boolean> {
    this.#files.delete(address);
    const found = await stat(this.path(address)).catch(() => undefined);
    if (found === undefined) return false;
    this.#files.set(address, found.size);
    return true;
  }

  /** Puts what a job has made into the store. */
  async publish(address: string, signal: AbortSignal): Promise<void> {
    await this.#note(address);
    await this.#store.put(address, this.path(address), { signal });
  }

  /** Removes what was not used for the longest time, down to the limit. */
  async trim(): Promise<void> {
    let total = [...this.#files.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const [address, bytes] of this.#files) {
      if (total <= this.#limit) return;
      await rm(this.path(address), { force: true });
      this.#files.delete(address);
      total -= bytes;
    }
  }
}
