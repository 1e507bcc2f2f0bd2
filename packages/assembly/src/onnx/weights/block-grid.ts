import { at, FailedPreconditionError } from "@mbs/contracts";

/** Block sizes that ONNX Runtime's MatMulNBits takes; 512 and more give wrong results. */
const blockSizes = [256, 128, 64, 32, 16] as const;

/** How the columns of a weight are laid out in blocks that share a scale. */
export interface BlockGrid {
  readonly columns: number;
  readonly blockSize: number;
  /** Position → column; undefined where the columns stay as they are. */
  readonly order: Int32Array | undefined;
  /** Group whose scale each block has; several blocks may have the same. */
  readonly groupOf: Int32Array;
}

/** Columns sorted by group, those of one group in their natural order; undefined where they are that already. */
function sortByGroup(groupOf: Int32Array): Int32Array | undefined {
  if (groupOf.every((group, column) => column === 0 || group >= at(groupOf, column - 1))) return undefined;
  return Int32Array.from(groupOf.keys()).sort((a, b) => at(groupOf, a) - at(groupOf, b) || a - b);
}

/** Whether no block has columns of two groups. */
function fits(sorted: Int32Array, blockSize: number): boolean {
  return sorted.every((group, position) => group === sorted[position - (position % blockSize)]);
}

function longestRun(sorted: Int32Array): number {
  let [longest, start] = [0, 0];
  sorted.forEach((group, position) => {
    if (group !== sorted[start]) start = position;
    longest = Math.max(longest, position + 1 - start);
  });
  return longest;
}

/**
 * Lays the groups of a weight out in blocks. A group becomes several blocks of the same scale where it is larger than a
 * block can be; groups whose columns are scattered (act-order) are gathered by an order of the columns. Of the block sizes
 * that fit, the one that takes the fewest bytes.
 *
 * @param groupOf group of each column
 * @param bits of a stored code
 * @throws {FailedPreconditionError} when the groups are no multiple of the smallest block
 */
export function layBlocks(groupOf: Int32Array, bits: number, tensor: string): BlockGrid {
  const order = sortByGroup(groupOf);
  const sorted = order === undefined ? groupOf : order.map((column) => at(groupOf, column));
  const columns = groupOf.length;
  const bytes = (size: number): number => Math.ceil(columns / size) * ((size * bits) / 8 + 4);
  const [blockSize] = blockSizes.filter((size) => fits(sorted, size)).sort((a, b) => bytes(a) - bytes(b));
  if (blockSize === undefined) {
    const group = longestRun(sorted);
    const below = Math.floor(group / 16) * 16;
    const nearest = below === 0 ? "16" : `${below} or ${below + 16}`;
    throw new FailedPreconditionError(
      `${tensor}: groups of ${group} columns cannot be written as ONNX, whose blocks have 16, 32, 64, 128 or 256; compress with --group-size ${nearest}`,
      { tensor, groupSize: group },
    );
  }
  const blocks = Math.ceil(columns / blockSize);
  return {
    columns,
    blockSize,
    order,
    groupOf: Int32Array.from({ length: blocks }, (_, block) => at(sorted, block * blockSize)),
  };
}
