import { FailedPreconditionError } from "@mbs/contracts";

/** Values rounded to the nearest point of a grid a block. Value = (code - zero) · scale. */
interface RoundedBlocks {
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, blocks] */
  readonly zeros: Uint8Array;
}

/** Columns that share a scale: few for few bits. */
const preferredSizes: Readonly<Record<4 | 8, number>> = { 4: 32, 8: 128 };

/** @throws {FailedPreconditionError} where the columns are no multiple of 16, the smallest block */
export function roundingBlock(columns: number, bits: 4 | 8, tensor: string): number {
  for (let size = preferredSizes[bits]; size >= 16; size /= 2) if (columns % size === 0) return size;
  throw new FailedPreconditionError(
    `${tensor}: rows of ${columns} cannot be cut into blocks of 16, which --embeddings int${bits} needs; use --embeddings f16`,
    { tensor, columns },
  );
}

/**
 * Rounds values to grids from each block's least to its largest value, zero included.
 *
 * @param values [rows, columns] row-major
 * @param blockSize divides the columns
 */
export function roundBlocks(values: Float32Array, blockSize: number, bits: 4 | 8): RoundedBlocks {
  const blocks = values.length / blockSize;
  const maximum = 2 ** bits - 1;
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(blocks);
  const zeros = new Uint8Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const [start, end] = [block * blockSize, (block + 1) * blockSize];
    let [least, most] = [0, 0];
    for (let index = start; index < end; index++) {
      const value = values[index]!;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const scale = Math.fround((most - least) / maximum) || 1;
    const zero = Math.round(-least / scale);
    scales[block] = scale;
    zeros[block] = zero;
    for (let index = start; index < end; index++) {
      codes[index] = Math.max(0, Math.min(maximum, Math.round(values[index]! / scale) + zero));
    }
  }
  return { codes, scales, zeros };
}
