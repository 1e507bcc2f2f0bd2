import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemError } from "../system-error.ts";
import { removeLeftovers, temporaryName } from "./temporary-name.ts";

const basePath = (): string => join(tmpdir(), "mbs");

/** Removes the temporary folders of processes that were killed; those of living ones and of other users stay. */
export async function removeTemporaryFolders(): Promise<void> {
  // What cannot be removed is another user's; a temporary folder that is not there holds nothing.
  await removeLeftovers(basePath()).catch(() => undefined);
}

/**
 * Makes a folder in the system's temporary one, which its user removes. Where its process is killed, the next one that
 * makes such a folder does.
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
