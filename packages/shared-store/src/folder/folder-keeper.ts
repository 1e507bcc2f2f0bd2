import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { link, mkdir, open, opendir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  commitTemporary,
  isMissing,
  isTemporaryOf,
  systemError,
  temporaryName,
  unnamedArtifact,
  writeAtomically,
  writeTemporary,
} from "@mbs/artifacts";
import { MbsError, UsageError } from "@mbs/contracts";
import { fileBytes } from "../artifact-check.ts";
import type { Keeper, KeptFile, PutOptions, StoreCall } from "../shared-store.ts";

/** Holds what is being put until it is whole: a folder apart, since its leftovers are looked for at every put. */
const unfinished = "unfinished";
const runs = "runs";

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? "";

/** Where no link can be made and a copy can: another file system, one without links, too many of them, a file of another user. */
const copied: ReadonlySet<string> = new Set([
  "EXDEV",
  "EMLINK",
  "EPERM",
  "EACCES",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "ELOOP",
  "EINVAL",
]);

/**
 * A further name for a file, in the folder of `path`; undefined where a copy is needed. Its content is on the disk. Files of
 * artifacts are never changed in place, so two names for one cannot disturb each other.
 */
async function linkTemporary(source: string, path: string): Promise<string | undefined> {
  const temporary = temporaryName(path);
  try {
    // a symbolic link is not followed: its own second name would lead to the same changeable target
    // a FIFO without a writer would be waited for
    const file = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    await file.sync().finally(() => file.close());
    await link(source, temporary);
    return temporary;
  } catch (cause) {
    if (isMissing(cause) || copied.has(codeOf(cause))) return undefined;
    throw systemError(cause, "link", source);
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((cause: unknown) => {
    if (codeOf(cause) !== "EEXIST") throw systemError(cause, "make", path);
  });
}

async function* bytesOf(file: FileHandle, path: string, limit = Infinity): AsyncGenerator<Uint8Array> {
  try {
    yield* file.createReadStream({ highWaterMark: 1 << 20, ...(Number.isFinite(limit) && { end: limit - 1 }) });
  } catch (cause) {
    throw systemError(cause, "read", path);
  }
}

/**
 * Keeps files in a folder, which machines may share by a network file system: every change is a rename in one folder, and what
 * another machine has just put is seen.
 */
export class FolderKeeper implements Keeper {
  readonly place: string;

  private constructor(place: string) {
    this.place = place;
  }

  /**
   * @param create makes the folder where it is not there; the one around it must be
   * @throws {UsageError} where it is not there
   */
  static async open(place: string, create: boolean): Promise<FolderKeeper> {
    if (create) for (const folder of [place, join(place, runs), join(place, unfinished)]) await makeFolder(folder);
    const found = await stat(place).catch((cause: unknown) => {
      if (isMissing(cause)) return undefined;
      throw systemError(cause, "open", place);
    });
    if (found?.isDirectory() === true) return new FolderKeeper(place);
    const what = found === undefined ? "is not there" : "is a file";
    throw new UsageError(`the store ${place} ${what}; correct the path, or mount the file system that has it`, { place });
  }

  where(name: string): string {
    return join(this.place, name);
  }

  /**
   * Does something with a file that may be missing. A client of NFS remembers for some time that a file was missing; opening
   * the folder around it makes it ask again.
   */
  async #found<T>(work: () => Promise<T>, path: string): Promise<T | undefined> {
    for (const isLast of [false, true]) {
      try {
        return await work();
      } catch (cause) {
        if (!isMissing(cause)) throw systemError(cause, "read", path);
        if (isLast) break;
        const folder = await opendir(this.place).catch((again: unknown) => {
          throw systemError(again, "open", this.place);
        });
        await folder.close();
      }
    }
    return undefined;
  }

  /** That of the file system: another machine may hold it. The time here where nothing can be written. */
  async now(): Promise<Date> {
    try {
      const temporary = await writeTemporary(this.where(join(unfinished, "clock")), []);
      const { mtime } = await stat(temporary).finally(() => rm(temporary, { force: true }));
      return mtime;
    } catch (cause) {
      if (cause instanceof MbsError) return new Date();
      throw cause;
    }
  }

  async find(name: string): Promise<KeptFile | undefined> {
    const path = this.where(name);
    const found = await this.#found(() => stat(path), path);
    return found?.isFile() === true ? { name, bytes: found.size, modified: found.mtime } : undefined;
  }

  async put(name: string, path: string, { signal }: PutOptions): Promise<void> {
    await makeFolder(this.where(unfinished));
    const beside = this.where(join(unfinished, unnamedArtifact));
    const temporary = (await linkTemporary(path, beside)) ?? (await writeTemporary(beside, fileBytes(path), signal));
    try {
      await commitTemporary(temporary, this.where(name), true);
    } finally {
      // also after success: a rename leaves a link whose file is at the path already
      await rm(temporary, { force: true });
    }
  }

  async write(name: string, content: Uint8Array, { signal }: StoreCall): Promise<void> {
    await makeFolder(this.where(runs));
    await writeAtomically(this.where(name), [content], { force: true, ...(signal && { signal }) });
  }

  async read(name: string, { limit }: { readonly limit?: number | undefined }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const path = this.where(name);
    // what is no file, such as a FIFO that nobody writes to, is not there, as for `find`
    if ((await this.find(name)) === undefined) return undefined;
    const file = await this.#found(() => open(path, "r"), path);
    return file && bytesOf(file, path, limit);
  }

  async link(name: string, path: string): Promise<string | undefined> {
    return linkTemporary(this.where(name), path);
  }

  async *list(folder: "" | "runs/", isOurs: (name: string) => boolean): AsyncGenerator<KeptFile> {
    const names = await readdir(this.where(folder)).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw systemError(cause, "list", this.where(folder));
    });
    for (const name of names.map((each) => folder + each).filter(isOurs)) {
      const found = await stat(this.where(name)).catch((cause: unknown) => {
        // removed since
        if (isMissing(cause)) return undefined;
        throw systemError(cause, "look at", this.where(name));
      });
      if (found?.isFile() === true) yield { name, bytes: found.size, modified: found.mtime };
    }
  }

  async remove(name: string): Promise<void> {
    await rm(this.where(name), { force: true }).catch((cause: unknown) => {
      throw systemError(cause, "remove", this.where(name));
    });
  }

  async requirePrunable(): Promise<void> {
    if ((await stat(this.where(runs)).catch(() => undefined))?.isDirectory() === true) return;
    throw new UsageError(
      `${this.place} has no folder ${runs}, so it is no shared store; a run removes by itself what it does not need of its own artifacts, and mbs serve what --expire says`,
      { place: this.place },
    );
  }

  async removeUnfinished(before: Date, { dryRun }: { readonly dryRun: boolean }): Promise<number> {
    const folder = this.where(unfinished);
    const names = await readdir(folder).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw systemError(cause, "list", folder);
    });
    let count = 0;
    for (const name of names) {
      const path = join(folder, name);
      const isOurs = [unnamedArtifact, "clock"].some((kind) => isTemporaryOf(join(folder, kind), path));
      const found = isOurs ? await stat(path).catch(() => undefined) : undefined;
      // of a link, the time of its content is older than itself
      if (found === undefined || found.ctime >= before) continue;
      if (!dryRun) await rm(path, { force: true });
      count += 1;
    }
    return count;
  }

  async close(): Promise<void> {}
}
