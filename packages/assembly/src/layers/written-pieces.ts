import { at, FailedPreconditionError } from "@mbs/contracts";
import { storedPieces } from "@mbs/models";
import type { Model, WeightDtype } from "@mbs/models";
import { decodeWeights, encodeWeights } from "@mbs/numbers";
import type { ScratchLayers } from "./scratch-layers.ts";

/** @throws {FailedPreconditionError} where rounding has made a number infinite */
function checkRange(values: Float32Array, rounded: Float32Array, tensor: string, dtype: WeightDtype): void {
  for (let index = 0; index < values.length; index += 1) {
    if (Number.isFinite(rounded[index]) || !Number.isFinite(values[index])) continue;
    const value = at(values, index);
    const remedy = dtype === "f16" ? "take --dtype bf16 or f32" : "take --dtype f32";
    throw new FailedPreconditionError(`tensor ${tensor} has ${value}, which is too large for ${dtype}; ${remedy}`, {
      tensor,
      value,
    });
  }
}

/**
 * The bytes of a tensor, a layer's where one changes it: in the dtype of the source, or in another one. Integers and other
 * types stay as they are.
 *
 * @param bytes of the tensor in the source
 * @throws {FailedPreconditionError} on a number that the dtype cannot hold
 * @throws {BadDataError} on NaN or Inf, as storedPieces
 */
export async function* writtenPieces(
  model: Model,
  layers: ScratchLayers,
  { name, bytes }: { readonly name: string; readonly bytes: number },
  dtype?: WeightDtype,
): AsyncGenerator<Uint8Array> {
  const pieces = layers.pieces(name) ?? storedPieces(model, { name, bytes });
  const own = dtype && model.checkpoint.info(name).dtype;
  if (dtype === undefined || own === undefined || own === dtype) {
    yield* pieces;
    return;
  }
  for await (const piece of pieces) {
    const values = decodeWeights(own, piece, name);
    const stored = encodeWeights(dtype, values);
    if (dtype !== "f32") checkRange(values, decodeWeights(dtype, stored, name), name, dtype);
    yield stored;
  }
}
