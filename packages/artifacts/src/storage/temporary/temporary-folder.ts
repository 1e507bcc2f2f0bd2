import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemError } from "../system-error.ts";
import { removeLeftovers, temporaryName } from "./temporary-name.ts";

const basePath = (): string => join(tmpdir(), "mbs");

/** Removes the temporary folders of processes that were killed; those of living ones and of other users stay. */
export async function removeTemporaryFolders(): Promise<void> {
  // What cannot be removed belongs to another user, and a missing folder holds nothing.
  await removeLeftovers(basePath()).catch(() => undefined);
}

/**
 * Makes a folder in the system's temporary folder. The caller removes it; if its process is killed, the next call does.
 *
 * @throws {InputOutputError} where it cannot be made
 */
export async function makeTemporaryFolder(): Promise<string> {
  await removeTemporaryFolders();
  const folder = temporaryName(basePath());
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (cause) {
    throw systemError(cause, "make", folder);
  }
  return folder;
}
