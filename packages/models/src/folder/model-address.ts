import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";

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
async function hashModel(checkpoint: Checkpoint, parts: ModelParts): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, bytes] of parts) {
    frame(hash, name, bytes.length);
    hash.update(bytes);
  }
  for (const { name, storedDtype, shape, bytes } of checkpoint.list()) {
    frame(hash, `${name} ${storedDtype} ${shape.join("x")}`, bytes);
    for (let offset = 0; offset < bytes; offset += pieceBytes) {
      hash.update(await checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset)));
    }
  }
  return hash.digest("hex");
}

const known = new Map<string, Promise<string>>();

/**
 * The address of a model folder. Kept in memory as long as no file of it changes in size or time, so that a process that
 * opens a model again does not read it again.
 */
export function modelAddress(folder: string, checkpoint: Checkpoint, parts: ModelParts): Promise<string> {
  const stamps = checkpoint.files.map(({ file }) => {
    const { size, mtimeMs, ino } = statSync(join(folder, file));
    return [file, size, mtimeMs, ino].join(" ");
  });
  const key = [folder, ...stamps, ...[...parts.values()].map(addressOf)].join("\n");
  const address = known.get(key) ?? hashModel(checkpoint, parts);
  known.set(key, address);
  address.catch(() => known.delete(key));
  return address;
}
