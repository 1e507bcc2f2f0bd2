import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, rmdir, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  at,
  BadDataError,
  DeniedError,
  InterruptedError,
  type ArtifactStream,
  type Batch,
  type ColumnValues,
  quoted,
} from "@mbs/contracts";
import { contentAddress, type Receipt } from "../content-address.ts";
import { requireKind } from "../kinds/schemas.ts";
import type { WriteOptions } from "./atomic-file.ts";
import { makeFolder } from "./make-folder.ts";
import { isMissing, isOtherKind, systemError } from "./system-error.ts";
import { removeLeftovers, temporaryName } from "./temporary/temporary-name.ts";

/** The files of a folder: path in it, with "/" between its parts → SHA-256, 64 lower-case hex digits. */
export type FileHashes = ReadonlyMap<string, string>;

async function hashFile(path: string, signal?: AbortSignal): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { ...(signal && { signal }) });
  } catch (cause) {
    if (isMissing(cause) || isOtherKind(cause)) return undefined;
    throw systemError(cause, "read", path);
  }
  return hash.digest("hex");
}

/**
 * Reads the files of a folder whole and compares them with what they held.
 *
 * @returns the paths of those that are missing or hold something else, in the order of `files`
 * @throws {InputOutputError} where one cannot be read
 * @throws {InterruptedError} when the signal fires
 */
export async function findChanged(folder: string, files: FileHashes, signal?: AbortSignal): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const [name, hash] of files) {
    const path = join(folder, name);
    if ((await hashFile(path, signal)) !== hash) changed.push(path);
  }
  return changed;
}

/** What is known of a folder when all its files are written. */
export interface Unpacked extends Receipt {
  readonly files: FileHashes;
}

/** A path that stays inside its folder on every system: plain names joined by "/". */
function checkPath(path: string): string {
  const names = path.split("/");
  if (path.includes("\0") || path.includes("\\") || names.some((name) => name === "" || name === "." || name === "..")) {
    throw new BadDataError(`files artifact: ${JSON.stringify(path)} is no path inside a folder; refused`, { path });
  }
  return path;
}

/** Writes pieces that follow each other, one file after another. */
class FolderWriter {
  readonly #folder: string;
  readonly #written = new Map<string, Hash>();
  #file: { path: string; handle: FileHandle; hash: Hash; length: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(path: string, offset: number, data: Uint8Array): Promise<void> {
    if (this.#file?.path !== path) {
      await this.close();
      if (this.#written.has(checkPath(path)))
        throw new BadDataError(`files artifact: the pieces of ${path} do not follow each other`, { path });
      this.#requireNoFileAbove(path);
      const hash = createHash("sha256");
      this.#written.set(path, hash);
      const target = join(this.#folder, path);
      await makeFolder(dirname(target));
      this.#file = { path, handle: await open(target, "wx"), hash, length: 0 };
    }
    const file = this.#file;
    if (offset !== file.length) {
      throw new BadDataError(`files artifact: ${path}: expected the piece at offset ${file.length}, found ${offset}`, {
        path,
        offset,
      });
    }
    await file.handle.appendFile(data);
    file.hash.update(data);
    file.length += data.length;
  }

  /** A path cannot be a file and a folder. @throws {BadDataError} naming both */
  #requireNoFileAbove(path: string): void {
    const other = [...this.#written.keys()].find((known) => path.startsWith(`${known}/`) || known.startsWith(`${path}/`));
    if (other === undefined) return;
    throw new BadDataError(`files artifact: ${quoted(path)} and ${quoted(other)} cannot both be files; refused`, { path });
  }

  /** To be called once, when all is written. */
  hashes(): FileHashes {
    return new Map([...this.#written].map(([path, hash]) => [path, hash.digest("hex")]));
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    await file.handle.sync().finally(() => file.handle.close());
  }
}

async function* writing(batches: AsyncIterable<Batch>, writer: FolderWriter, signal?: AbortSignal): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    if (signal?.aborted) throw new InterruptedError("stopped while unpacking files");
    const paths = batch.columns["path"] as ColumnValues["utf8"];
    const offsets = batch.columns["offset"] as ColumnValues["int64"];
    const data = batch.columns["data"] as ColumnValues["binary"];
    for (const [row, path] of paths.entries()) await writer.write(path, at(offsets, row), at(data, row));
    yield batch;
  }
}

const entries = (folder: string): Promise<string[] | undefined> =>
  readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    if (error.code === "ENOTDIR") throw new DeniedError(`${folder} is a file; choose another folder`, { folder });
    throw systemError(error, "read", folder);
  });

/** Files and folders in a folder, paths with "/". */
const pathsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true })).map((path) => path.split(sep).join("/"));

/**
 * `--force` replaces an earlier version of the same folder only: a file of another name is somebody else's work.
 *
 * @param mayHold whether a path with "/" is among what is to be written
 * @throws {DeniedError} on another file, naming it
 */
export async function requireReplaceable(folder: string, mayHold: (path: string) => boolean): Promise<void> {
  const strange = (await pathsIn(folder)).sort().find((path) => !mayHold(path));
  if (strange === undefined) return;
  throw new DeniedError(
    `${folder} also holds ${strange}, which is none of the files to be written; remove it, or choose another folder`,
    { folder },
  );
}

/**
 * Writes the files of an artifact into a new folder, all of them or none.
 *
 * @param stream kind `files`
 * @param folder appears when the last byte is on disk; an empty folder may be there already
 * @returns the receipt of the stream, and what its files hold
 * @throws {DeniedError} when the folder is occupied and `force` is not set, or holds what the artifact would not replace
 * @throws {BadDataError} on a path that leaves the folder
 */
export async function unpackFiles(stream: ArtifactStream, folder: string, options: WriteOptions = {}): Promise<Unpacked> {
  requireKind(stream, ["files"]);
  const target = resolve(folder);
  const found = await entries(target);
  if (found !== undefined && found.length > 0 && options.force !== true) {
    throw new DeniedError(`${folder} is not empty; choose another folder or replace it with --force`, { folder });
  }
  const partial = temporaryName(target);
  const replaced = temporaryName(target, "old");
  const writer = new FolderWriter(partial);
  try {
    await makeFolder(dirname(target));
    await removeLeftovers(target);
    await mkdir(partial);
    const batches = writing(stream.batches, writer, options.signal);
    const receipt = await contentAddress({ schema: stream.schema, batches });
    await writer.close();
    if (found?.length === 0) await rmdir(target);
    else if (found !== undefined) {
      const made = new Set(await pathsIn(partial));
      await requireReplaceable(folder, (path) => made.has(path));
      await rename(target, replaced);
    }
    await rename(partial, target);
    await rm(replaced, { recursive: true, force: true });
    // A process killed between the two renames leaves the old files, which are needed until the new ones are in place.
    await removeLeftovers(target, "old");
    return { ...receipt, files: writer.hashes() };
  } catch (error) {
    await writer.close().catch(() => {});
    await rm(partial, { recursive: true, force: true });
    throw systemError(error, "write", folder);
  }
}
