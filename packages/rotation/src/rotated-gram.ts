import { at } from "@mbs/contracts";
import type { Blas } from "@mbs/contracts";
import { packUpper, packedRowStart, unpackUpper } from "@mbs/numbers";
import { rotateColumns, rotateRows } from "./change-basis.ts";
import type { Block } from "./change-basis.ts";

/**
 * The Gram of inputs in another basis: x becomes Qᵀ·D⁻¹·x, and E[x xᵀ] becomes Qᵀ·D⁻¹·E[x xᵀ]·D⁻¹·Q.
 *
 * @param packed upper half of E[x xᵀ], width·(width + 1)/2 values; not modified
 * @param inverse of each channel, the diagonal of D⁻¹; absent for the identity
 * @param blocks of channels that Q mixes
 * @returns the upper half, packed; its diagonal is never below 0
 */
export async function rotateGram(
  blas: Blas<Float64Array>,
  packed: Float32Array,
  width: number,
  inverse: Float64Array | undefined,
  blocks: readonly Block[],
): Promise<Float32Array> {
  const gram = unpackUpper(packed, width, "mirror");
  if (inverse !== undefined) {
    for (let row = 0; row < width; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const index = row * width + column;
        gram[index] = at(gram, index) * at(inverse, row) * at(inverse, column);
      }
    }
  }
  for (const block of blocks) await rotateColumns(blas, gram, width, block);
  for (const block of blocks) await rotateRows(blas, gram, width, block);
  const rotated = packUpper(gram, width);
  for (let channel = 0; channel < width; channel += 1) {
    const diagonal = packedRowStart(width, channel);
    // a channel without input may come out below 0 by rounding
    rotated[diagonal] = Math.max(0, at(rotated, diagonal));
  }
  return rotated;
}
