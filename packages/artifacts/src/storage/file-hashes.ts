import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isMissing, systemError } from "./system-error.ts";

/** The files of a folder: path in it, with "/" between its parts → SHA-256, 64 lower-case hex digits. */
export type FileHashes = ReadonlyMap<string, string>;

async function hashFile(path: string, signal: AbortSignal): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal });
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw systemError(cause, "read", path);
  }
  return hash.digest("hex");
}

/**
 * Reads the files of a folder whole and compares them with what they held.
 *
 * @returns the path of the first one that is missing or holds something else; undefined where all are as they were
 * @throws {InputOutputError} where one cannot be read
 * @throws {InterruptedError} when the signal fires
 */
export async function findChanged(folder: string, files: FileHashes, signal: AbortSignal): Promise<string | undefined> {
  for (const [name, hash] of files) {
    const path = join(folder, name);
    if ((await hashFile(path, signal)) !== hash) return path;
  }
  return undefined;
}
