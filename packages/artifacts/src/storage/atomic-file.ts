import { link, lstat, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { DeniedError } from "@mbs/contracts";
import { isMissing, systemError } from "./system-error.ts";
import { removeLeftovers, temporaryName } from "./temporary-name.ts";

export interface WriteOptions {
  /** Replace what is at the path. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Opens a new file for writing; tests give one whose writes fail. */
export type OpenNew = (path: string) => Promise<Pick<FileHandle, "write" | "sync" | "close">>;

const openNew: OpenNew = (path) => open(path, "wx");

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw systemError(cause, "look at", path);
  }
}

/** @throws {DeniedError} where something is at the path and may not be replaced */
export async function requireFree(path: string, force: boolean | undefined): Promise<void> {
  if (!force && (await exists(path))) {
    throw new DeniedError(`${path} is already there; --force replaces it`, { path });
  }
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

/** Not every file system has hard links; there the check before the rename has to do. */
async function moveToFree(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS") throw cause;
    await requireFree(path, false);
    await rename(temporary, path);
    return;
  }
  await rm(temporary);
}

/** Gives a finished temporary file its name, in one step. */
export async function commitTemporary(temporary: string, path: string, force: boolean | undefined): Promise<void> {
  try {
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
