import type { PackedWeight } from "./packed-values.ts";

/**
 * A packed weight in blocks of columns, as ONNX Runtime's MatMulNBits takes it. Its codes have 8 bits each, however many they
 * had: its product of 8-bit activations with 8-bit codes is a fifth faster than with 4-bit ones.
 */
export interface BlockedWeight {
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  /** [rows, blocks, blockSize], the last block filled up */
  readonly codes: Uint8Array;
  /** [rows, blocks] */
  readonly zeros: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** Column of the input by column of the codes; absent where it is the same. */
  readonly order?: Int32Array;
}

/** Columns that are rounded together. Larger blocks are faster and less exact. */
const largestBlock = 128;
const smallestBlock = 16;

/** The largest power of two up to `largestBlock` that divides a group; undefined where that is too small for MatMulNBits. */
function blockSizeOf(groupSize: number): number | undefined {
  let size = largestBlock;
  while (groupSize % size !== 0) size /= 2;
  return size < smallestBlock ? undefined : size;
}

/** Columns in the order of their groups, and the group of each after that. */
function sortByGroup(groups: Int32Array): { readonly order: Int32Array | undefined; readonly sorted: Int32Array } {
  const order = Int32Array.from(groups.keys()).sort((a, b) => groups[a]! - groups[b]! || a - b);
  const isSorted = order.every((column, index) => column === index);
  return isSorted ? { order: undefined, sorted: groups } : { order, sorted: order.map((column) => groups[column]!) };
}

/** A weight in blocks; undefined where its grid does not fit into blocks or its zero points not into 8 bits. */
export function blockedWeight(weight: PackedWeight): BlockedWeight | undefined {
  const { rows, columns, codes, groups, zeros, scales } = weight;
  const { order, sorted } = sortByGroup(groups);
  const end = sorted.findIndex((group) => group !== sorted[0]);
  const groupSize = end < 0 ? columns : end;
  const isEven = sorted.every((group, column) => group === Math.floor(column / groupSize));
  const blockSize = end < 0 ? largestBlock : blockSizeOf(groupSize);
  if (blockSize === undefined || !isEven || zeros.some((zero) => zero < 0 || zero > 255)) return undefined;
  const blocks = Math.ceil(columns / blockSize);
  const blocked = {
    codes: new Uint8Array(rows * blocks * blockSize),
    zeros: new Uint8Array(rows * blocks),
    scales: new Float32Array(rows * blocks),
  };
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * columns, row * blocks * blockSize];
    if (order === undefined) blocked.codes.set(codes.subarray(from, from + columns), to);
    else for (let column = 0; column < columns; column++) blocked.codes[to + column] = codes[from + order[column]!]!;
    for (let block = 0; block < blocks; block++) {
      const group = sorted[block * blockSize]!;
      blocked.zeros[row * blocks + block] = zeros[group * rows + row]!;
      blocked.scales[row * blocks + block] = scales[group * rows + row]!;
    }
  }
  return { rows, columns, blockSize, ...blocked, ...(order && { order }) };
}
