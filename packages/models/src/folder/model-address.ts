import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { BadDataError, once } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import type { Model } from "./model.ts";
import { stat } from "node:fs/promises";
import { isMissing } from "./json-file.ts";
import { keepAddress, knownAddress } from "./known-addresses.ts";

/**
 * What tells a file from the one that was at its path before: which file is behind a link, its size and its times. No program
 * can set the time at which an inode changed, so it also shows content that was replaced by some of the same size and
 * modification time.
 *
 * @returns a line for each path, also where nothing is there
 */
export async function fileStamps(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async (path) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return [path, dev, ino, size, mtimeNs, ctimeNs].join(" ");
    } catch (error) {
      if (isMissing(error)) return `${path} is missing`;
      throw error;
    }
  });
  return (await Promise.all(stamps)).join("\n");
}

/**
 * Refuses an artifact that was made with another model.
 *
 * @param what "the statistics"
 * @param address of the model in the artifact's metadata
 * @param remedy "capture again"
 * @throws {BadDataError} naming both models
 */
export function requireSameModel(what: string, address: string, model: Pick<Model, "address" | "path">, remedy: string): void {
  if (address === model.address) return;
  throw new BadDataError(`${what} are of model ${address}, ${model.path} is ${model.address}; ${remedy}`, {
    expected: model.address,
    found: address,
  });
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

const pieceBytes = 4 * 1024 * 1024;

/** SHA-256 of some bytes as 64 hex digits. */
export const addressOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function frame(hash: Hash, label: string, bytes: number): void {
  hash.update(`${JSON.stringify([label, bytes])}\n`);
}

/** The files that make a model besides its tensors, by name. */
export type ModelParts = ReadonlyMap<string, Uint8Array>;

/**
 * Content address of a model: its parts (config.json, tokenizer.json, the graph of an ONNX model) and every tensor by name,
 * dtype, shape and bytes, however the tensors are spread over files.
 */
async function hashModel(checkpoint: Checkpoint, parts: ModelParts, read: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, bytes] of parts) {
    frame(hash, name, bytes.length);
    hash.update(bytes);
  }
  for (const { name, storedDtype, shape, bytes } of checkpoint.list()) {
    frame(hash, `${name} ${storedDtype} ${shape.join("x")}`, bytes);
    for (let offset = 0; offset < bytes; offset += pieceBytes) {
      const piece = await checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset));
      hash.update(piece);
      read(piece.length);
    }
  }
  return hash.digest("hex");
}

const known = new Map<string, Promise<string>>();

/** Models of at least so many bytes are worth a file: they take more than a tenth of a second. */
const keptFrom = 256 << 20;

/** A file that was written a moment ago may be written again without a new time. */
const settledMs = 2000;

/** How a model's address is found. */
export interface AddressOptions {
  /** Called while the tensors are read. */
  readonly progress?: ((progress: Progress) => void) | undefined;
  /** Models of fewer bytes are read by each process. */
  readonly keptFrom?: number;
}

/**
 * The address of a model. Kept as long as no file of it changes (its stamp): in memory, and of large models in the user's cache,
 * so that neither a process that opens a model again nor the next one reads all of it.
 *
 * @param path the folder or file that it was opened from
 * @param weightFiles paths of the files that hold the tensors
 */
export async function modelAddress(
  path: string,
  weightFiles: readonly string[],
  checkpoint: Checkpoint,
  parts: ModelParts,
  { progress = () => {}, keptFrom: fewest = keptFrom }: AddressOptions = {},
): Promise<string> {
  const stamps = await fileStamps(weightFiles);
  const key = [path, stamps, ...[...parts.values()].map(addressOf)].join("\n");
  return once(known, key, async () => {
    const total = checkpoint.list().reduce((sum, { bytes }) => sum + bytes, 0);
    const kept = total < fewest ? undefined : await knownAddress(key);
    if (kept !== undefined) return kept;
    const begun = Date.now();
    let done = 0;
    const address = await hashModel(checkpoint, parts, (bytes) => {
      done += bytes;
      if (total >= fewest) progress({ activity: "hash the model", done: megabytes(done), total: megabytes(total), unit: "MB" });
    });
    const changes = await Promise.all(weightFiles.map(async (file) => (await stat(file)).ctimeMs));
    const isSettled = Math.max(...changes) < begun - settledMs && (await fileStamps(weightFiles)) === stamps;
    if (total >= fewest && isSettled) await keepAddress(key, address);
    return address;
  });
}
