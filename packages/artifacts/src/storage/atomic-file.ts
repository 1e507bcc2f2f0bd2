import type { Stats } from "node:fs";
import { link, lstat, open, readlink, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { DeniedError } from "@mbs/contracts";
import { isMissing, systemError } from "./system-error.ts";
import { removeLeftovers, temporaryName } from "./temporary/temporary-name.ts";

export interface WriteOptions {
  /** Replace what is at the path. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Opens a new file for writing; tests give one whose writes fail. */
export type OpenNew = (path: string) => Promise<Pick<FileHandle, "write" | "sync" | "close">>;

const openNew: OpenNew = (path) => open(path, "wx");

/** Names what is at a path where a file must not replace it; undefined for a file, a folder or nothing. */
async function specialAt(path: string, found: Stats): Promise<string | undefined> {
  if (found.isFile() || found.isDirectory()) return undefined;
  if (found.isFIFO()) return "a FIFO";
  if (found.isSocket()) return "a socket";
  if (!found.isSymbolicLink()) return "a device";
  // as /dev/stdout is, whatever that has been redirected to
  if ((await readlink(path)).startsWith("/proc/")) return "another name of an open file";
  const target = await stat(path).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
  return target && specialAt(path, target);
}

/**
 * What is at a path where a file is about to be written.
 *
 * @throws {DeniedError} where it is a device, a FIFO or a socket, or leads to one: they are never replaced
 */
export async function plainAt(path: string): Promise<Stats | undefined> {
  try {
    const found = await lstat(path);
    const special = await specialAt(path, found);
    if (special === undefined) return found;
    throw new DeniedError(
      `${path} is ${special}, which is never replaced; name a file, or let the shell write there: > ${path}`,
      { path },
    );
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw systemError(cause, "look at", path);
  }
}

/** @throws {DeniedError} where something is at the path and may not be replaced */
export async function requireFree(path: string, force: boolean | undefined): Promise<void> {
  const found = await plainAt(path);
  if (found !== undefined && !force) throw new DeniedError(`${path} is already there; --force replaces it`, { path });
}

/**
 * Writes a temporary file beside `path` and syncs it to the disk; nothing is left of it when that fails.
 *
 * @returns the path of the temporary file
 */
export async function writeTemporary(
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal?: AbortSignal,
  open: OpenNew = openNew,
): Promise<string> {
  const temporary = temporaryName(path);
  try {
    await removeLeftovers(path);
    const file = await open(temporary);
    try {
      for await (const chunk of content) {
        signal?.throwIfAborted();
        for (let written = 0; written < chunk.length;) written += (await file.write(chunk, written)).bytesWritten;
      }
      signal?.throwIfAborted();
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}); // The first error is the one to report.
    throw systemError(cause, "write", path);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Not every file system has hard links; there the look at the path just before has to do. */
async function moveToFree(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS") throw cause;
    await rename(temporary, path);
    return;
  }
  await rm(temporary);
}

/** Gives a finished temporary file its name, in one block. */
export async function commitTemporary(temporary: string, path: string, force: boolean | undefined): Promise<void> {
  try {
    // the path may have been taken since it was first checked
    await requireFree(path, force);
    await (force ? rename(temporary, path) : moveToFree(temporary, path));
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}); // The first error is the one to report.
    throw systemError(cause, "write", path);
  }
}

/** Writes a file so that at any moment its path holds either what was there or all of the new content. */
export async function writeAtomically(
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { force, signal }: WriteOptions = {},
  open: OpenNew = openNew,
): Promise<void> {
  await requireFree(path, force);
  await commitTemporary(await writeTemporary(path, content, signal, open), path, force);
}
