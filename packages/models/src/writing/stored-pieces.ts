import { at } from "@mbs/contracts";
import { bytesOfDtype, decodeWeights, findNonfiniteStored } from "@mbs/numbers";
import type { Model } from "../folder/model.ts";

/** Bytes of a tensor that are in memory at a time: whole values of any dtype. */
const pieceBytes = 4 * 1024 * 1024;

/**
 * The bytes of a tensor as it is stored, piece by piece, to be written again. What a forward pass would refuse is not
 * written either; tensors that none reads are carried as they are.
 *
 * @param tensor its name, and its bytes in the source
 * @throws {BadDataError} on NaN or Inf in a weight, with tensor and index. With `allowNonfinite`, the bytes stay as they are and the
 *   tensor joins `nonfinite`
 */
export async function* storedPieces(
  { checkpoint, reads }: Model,
  { name, bytes }: { readonly name: string; readonly bytes: number },
): AsyncGenerator<Uint8Array> {
  const dtype = reads.has(name) ? checkpoint.info(name).dtype : undefined;
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    const piece = await checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset));
    const wrong = dtype === undefined ? -1 : findNonfiniteStored(dtype, piece);
    if (dtype !== undefined && wrong >= 0) {
      const size = bytesOfDtype(dtype);
      const value = at(decodeWeights(dtype, piece.slice(wrong * size, (wrong + 1) * size), name), 0);
      checkpoint.noteNonfinite(name, offset / size + wrong, value);
    }
    yield piece;
  }
}

/**
 * Reads weights that are about to be copied along with the file that holds them.
 *
 * @throws {BadDataError} as storedPieces
 */
export async function requireFiniteWeights(model: Model, tensors: Iterable<string>): Promise<void> {
  for (const tensor of tensors) for await (const _ of storedPieces(model, model.checkpoint.info(tensor)));
}

/**
 * Reads weights of a model that was opened with `allowNonfinite`, so that `checkpoint.nonfinite` knows those with NaN or Inf before
 * anything is said of the model. Nothing is read of another model.
 *
 * @param signal is looked at between two tensors
 * @param tensors default all that a forward pass reads
 */
export async function findNonfiniteWeights(
  model: Model,
  signal: AbortSignal,
  tensors: Iterable<string> = model.reads,
): Promise<void> {
  const { checkpoint } = model;
  if (!checkpoint.allowNonfinite) return;
  for (const tensor of tensors) {
    if (signal.aborted) return;
    if (!checkpoint.has(tensor)) continue;
    if ((await checkpoint.readPacked?.(tensor)) === undefined) await requireFiniteWeights(model, [tensor]);
    else await checkpoint.readF32(tensor);
  }
}

/** A line a tensor whose NaN and Inf a forward pass has read as 0. */
export const readAsZero = ({ checkpoint: { nonfinite } }: Model): readonly string[] =>
  [...nonfinite].map((tensor) => `tensor ${tensor} has NaN or Inf, read as 0`);

/** A line on the tensors with NaN or Inf that were written as they are; undefined where there are none. */
export function nonfiniteNote({ checkpoint: { nonfinite } }: Model): string | undefined {
  if (nonfinite.size === 0) return undefined;
  const [count, how] = nonfinite.size === 1 ? ["1 tensor has", "it is"] : [`${nonfinite.size} tensors have`, "they are"];
  return `${count} NaN or Inf, written as ${how}: ${[...nonfinite].join(", ")}`;
}
