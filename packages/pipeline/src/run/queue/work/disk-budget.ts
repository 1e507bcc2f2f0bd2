import { rm } from "node:fs/promises";

/** What a worker keeps on its disk, up to a size; that goes first which was used the longest ago. */
export class DiskBudget {
  readonly #limit: number;
  /** Bytes of files and folders by path, the one that was used last at the end. */
  readonly #kept = new Map<string, number>();

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Notes that a file or folder is there and has just been used. */
  use(path: string, bytes: number): void {
    this.#kept.delete(path);
    this.#kept.set(path, bytes);
  }

  /** Notes that a file or folder is not there. */
  forget(path: string): void {
    this.#kept.delete(path);
  }

  /** Removes down to the limit. @param inUse what stays, and counts all the same */
  async trim(inUse: ReadonlySet<string>): Promise<void> {
    let total = [...this.#kept.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const [path, bytes] of this.#kept) {
      if (total <= this.#limit) return;
      if (inUse.has(path)) continue;
      await rm(path, { recursive: true, force: true });
      this.#kept.delete(path);
      total -= bytes;
    }
  }
}
