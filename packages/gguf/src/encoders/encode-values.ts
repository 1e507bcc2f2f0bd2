import { at, BadDataError, InternalError, UsageError } from "@mbs/contracts";
import { encodeWeights, findNonfiniteStored } from "@mbs/numbers";
import type { QuantisationType } from "../blocks/quantisation-types.ts";
import { mxfp4 } from "../blocks/mxfp4.ts";
import { nvfp4 } from "../blocks/nvfp4.ts";
import { blockGrids } from "../packing/block-grids.ts";
import type { BlockCodes } from "../packing/block-codes.ts";
import { codebooks, type Codebook } from "../codebooks/codebooks.ts";
import { q2K, q4K, q5K } from "./affine-k-encoders.ts";
import { sumOfSquares } from "./block-encoder.ts";
import type { BlockEncoder } from "./block-encoder.ts";
import { codebookEncoder } from "./codebook-encoders.ts";
import { iq4NL, iq4XS } from "./iq4-encoders.ts";
import { q40, q41, q50, q51, q80 } from "./legacy-encoders.ts";
import { q3K, q6K } from "./symmetric-k-encoders.ts";

/** From here on half precision is infinite. */
const tooLarge = 65_520;

/** The encoders by the names of their types. */
export const blockEncoders: ReadonlyMap<string, BlockEncoder> = new Map<string, BlockEncoder>([
  ["Q4_0", q40],
  ["Q4_1", q41],
  ["Q5_0", q50],
  ["Q5_1", q51],
  ["Q8_0", q80],
  ["Q2_K", q2K],
  ["Q3_K", q3K],
  ["Q4_K", q4K],
  ["Q5_K", q5K],
  ["Q6_K", q6K],
  ["IQ4_NL", iq4NL],
  ["IQ4_XS", iq4XS],
  ["MXFP4", mxfp4],
  ["NVFP4", nvfp4],
  ...Object.entries<Codebook>(codebooks).map(([name, codebook]) => [name, codebookEncoder(codebook)] as const),
]);

/** Names of the types that values can be written in. */
export const writableTypes: readonly string[] = ["F32", "F16", "BF16", ...blockEncoders.keys()];

/** Encoded at a time, so that codes and scales take little memory beside values and bytes. */
const blocksAtOnce = 1024;

const emptyBlocks = (count: number, { values, subBlocks }: BlockEncoder): BlockCodes => ({
  codes: new Uint8Array(count * values),
  scales: new Float32Array(count),
  offsets: new Float32Array(count),
  subScales: new Int16Array(count * subBlocks),
  subOffsets: new Uint8Array(count * subBlocks),
});

/**
 * No block holds a larger value: its scale is a half, at most 65,504, times a scale of a sub-block and a code of at most 128 each.
 * Sums of squares of larger ones may be infinite in float32, so that sub-blocks would get a wrong scale unseen.
 */
export const largestBlockValue = 65_504 * 2 ** 14;

/** @throws {BadDataError} where half precision, of whichever kind, makes a number infinite */
function checkHalves(values: Float32Array, halves: Uint8Array, dtype: "f16" | "bf16"): void {
  const index = findNonfiniteStored(dtype, halves);
  const value = index < 0 ? NaN : at(values, index);
  if (!Number.isFinite(value)) return;
  const type = dtype.toUpperCase();
  throw new BadDataError(`values have ${value}, which ${type} does not hold; take another type than ${type}`, { value });
}

/** @throws {BadDataError} on a value that no block holds */
function checkLargest(values: Float32Array, type: string): void {
  const value = values.find((own) => Math.abs(own) > largestBlockValue);
  if (value === undefined) return;
  throw new BadDataError(`values have ${value}, which no block of ${type} holds; take another type than ${type}`, {
    value,
    type,
  });
}

/** @throws {BadDataError} where a scale is too large for half precision */
function checkScales({ scales, offsets }: BlockCodes, count: number, type: string, unit: number): void {
  for (const scale of [...scales.subarray(0, count), ...offsets.subarray(0, count)]) {
    if (Math.abs(scale) < tooLarge * unit) continue;
    throw new BadDataError(
      `values need a scale of ${scale}, which half precision does not hold; take another type than ${type}`,
      {
        type,
      },
    );
  }
}

/**
 * Values of a row, or without an importance of any number of rows, in a type's bytes, each to nearest: equal to those of
 * ggml's `ggml_quantize_chunk`, but for codebook types, where the error is smaller, and NVFP4, which ggml does not have so.
 *
 * @param values whole blocks, finite where the type has blocks: one that is not damages its neighbours
 * @param importance one number a value, such as E[x²] of the input that it is multiplied with; `values` must be one row then
 * @throws {BadDataError} where a value or a scale is too large for the type
 * @throws {UsageError} where the type is not written
 */
export function encodeValues(type: QuantisationType, values: Float32Array, importance?: Float32Array): Uint8Array {
  if (type.plain !== undefined) {
    const plain = encodeWeights(type.plain, values);
    if (type.plain === "f16" || type.plain === "bf16") checkHalves(values, plain, type.plain);
    return plain;
  }
  const encoder = blockEncoders.get(type.name);
  const grid = blockGrids.get(type.name);
  if (encoder === undefined || grid === undefined) {
    throw new UsageError(`${type.name} is not written; supported: ${writableTypes.join(", ")}`, { type: type.name });
  }
  if (values.length % type.values !== 0 || (importance !== undefined && importance.length !== values.length)) {
    throw new InternalError(`${type.name}: ${values.length} values are no whole blocks of ${type.values}, or not one row`);
  }
  checkLargest(values, type.name);
  const total = values.length / type.values;
  const bytes = new Uint8Array(total * type.bytes);
  const spread = importance === undefined ? 0 : Math.fround(sumOfSquares(values, 0, values.length) / values.length);
  const blocks = emptyBlocks(Math.min(total, blocksAtOnce), encoder);
  for (let first = 0; first < total; first += blocksAtOnce) {
    const count = Math.min(blocksAtOnce, total - first);
    for (let block = 0; block < count; block += 1) {
      encoder.fit(values, (first + block) * type.values, blocks, block, importance, spread);
    }
    if (grid.rule.significantBits === undefined) checkScales(blocks, count, type.name, grid.codebook?.unit ?? 1);
    grid.pack(blocks, bytes.subarray(first * type.bytes, (first + count) * type.bytes));
  }
  return bytes;
}
