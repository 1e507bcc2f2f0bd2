import { bytesOfDtype } from "@mbs/numbers";
import type { GroupGrid } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** Bits of a scale: formats hold them in half precision, or in the model's dtype. */
const scaleBits = 16;

/** Bits of a weight with its scales, and its zero points where these are not all the same. */
export function storedBits(
  { rows, columns }: { readonly rows: number; readonly columns: number },
  { bits, groupSize, zeroPoints }: GroupGrid,
): number {
  const groups = groupSize === 0 ? 1 : Math.ceil(columns / groupSize);
  return rows * (columns * bits + groups * (scaleBits + (zeroPoints === "middle" ? 0 : bits)));
}

/** Bytes of all tensors that keep their dtype: those that are not among the compressed ones. */
export function denseBytes(model: Model, compressed: ReadonlySet<string>): number {
  const written = model.kind === "architecture" ? model.writtenDtype : undefined;
  return model.checkpoint
    .list()
    .filter(({ name }) => !compressed.has(name))
    .reduce((sum, { shape, dtype }) => {
      const count = shape.reduce((product, side) => product * side, 1);
      return sum + count * bytesOfDtype(written ?? dtype ?? model.dtype);
    }, 0);
}
