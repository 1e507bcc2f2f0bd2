/** Codes in bytes, the first in the least significant bits: 8 / bits codes a byte. Rows are padded to whole bytes. */
export function packCodes(codes: Uint8Array, rows: number, columns: number, bits: 2 | 4 | 8): Uint8Array {
  if (bits === 8) return codes;
  // 4 codes a byte, or 2
  const shift = bits === 2 ? 2 : 1;
  const within = (1 << shift) - 1;
  const stride = Math.ceil(columns / (1 << shift));
  const packed = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    const [source, target] = [row * columns, row * stride];
    for (let column = 0; column < columns; column++) {
      packed[target + (column >> shift)]! |= codes[source + column]! << (bits * (column & within));
    }
  }
  return packed;
}

/** The two planes of 3-bit codes. */
export interface CodePlanes {
  /** The two lower bits: a quarter byte a code. */
  readonly low: Uint8Array;
  /** The third bit: an eighth byte a code. */
  readonly high: Uint8Array;
}

/**
 * Splits 3-bit codes into planes from which a graph makes 4-bit codes by masks and shifts of whole bytes.
 *
 * Of a block's 4-bit bytes b₀ b₁ …, low byte i holds the bits 0x33 of b[i] and, shifted up by 2, of b[i + size/4]; high
 * byte i the bits 0x44 of b[i], b[i + size/8], b[i + size/4] and b[i + 3·size/8], shifted by -2, -1, 0 and 1.
 *
 * @param nibbles 4-bit codes of blocks, two a byte, each below 8
 * @param blockBytes bytes of a block, a multiple of 4
 */
export function splitPlanes(nibbles: Uint8Array, blockBytes: number): CodePlanes {
  const low = new Uint8Array(nibbles.length / 2);
  const high = new Uint8Array(nibbles.length / 4);
  const [half, quarter] = [blockBytes / 2, blockBytes / 4];
  for (let block = 0; block * blockBytes < nibbles.length; block++) {
    const at = (index: number): number => nibbles[block * blockBytes + index]!;
    for (let index = 0; index < half; index++) low[block * half + index] = (at(index) & 0x33) | ((at(half + index) & 0x33) << 2);
    for (let index = 0; index < quarter; index++) {
      high[block * quarter + index] =
        ((at(index) & 0x44) >> 2) |
        ((at(quarter + index) & 0x44) >> 1) |
        (at(half + index) & 0x44) |
        ((at(half + quarter + index) & 0x44) << 1);
    }
  }
  return { low, high };
}

/**
 * Codes with their columns in another order, rows padded.
 *
 * @param codes [rows, columns]
 * @param order position → column
 * @param padded columns of the result, at least as many
 * @param padding the value behind the last column of each row
 * @returns [rows, padded]
 */
export function orderCodes(codes: Uint8Array, order: Int32Array, padded: number, padding: Uint8Array): Uint8Array {
  const columns = order.length;
  const ordered = new Uint8Array(padding.length * padded);
  for (let row = 0; row < padding.length; row++) {
    const [source, target] = [row * columns, row * padded];
    for (let position = 0; position < columns; position++) ordered[target + position] = codes[source + order[position]!]!;
    ordered.fill(padding[row]!, target + columns, target + padded);
  }
  return ordered;
}

/** The value of each block from those of the groups: [rows, groups] → [rows, blocks]. */
export function spreadOverBlocks<Values extends Float32Array | Uint8Array>(
  values: Values,
  target: Values,
  rows: number,
  groupOf: Int32Array,
): Values {
  const groups = values.length / rows;
  const blocks = groupOf.length;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) target[row * blocks + block] = values[row * groups + groupOf[block]!]!;
  }
  return target;
}
