import { bytesOfDtype } from "@mbs/numbers";
import { UsageError, quoted, type GroupGrid } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** Bits of a scale: formats hold them in half precision, or in the model's dtype. */
const scaleBits = 16;

/** Powers of 1000, as sizes of files are given. */
const units: ReadonlyMap<string, number> = new Map([
  ["kB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["TB", 1e12],
]);

/** Bytes of a text such as "180MB". @throws {UsageError} on anything else */
export function parseSize(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*(kB|MB|GB|TB)$/.exec(text) ?? [];
  const bytes = Number(digits) * (units.get(unit) ?? NaN);
  if (Number.isFinite(bytes)) return bytes;
  throw new UsageError(`--size takes a size such as 180MB (1 MB is a million bytes; kB, GB and TB too), not ${quoted(text)}`, {
    option: "--size",
  });
}

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
