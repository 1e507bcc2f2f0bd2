/** How the values of a packed layer are found. */
export interface PackedGrid {
  readonly rows: number;
  readonly columns: number;
  /** Code of a weight. */
  readonly code: (row: number, column: number) => number;
  /** Group of each column. */
  readonly groups: Int32Array;
  readonly zero: (row: number, group: number) => number;
  readonly scale: (row: number, group: number) => number;
}

const { fround } = Math;

/** (code - zero) · scale, each step in float32: [rows, columns]. */
export function unpackValues({ rows, columns, code, groups, zero, scale }: PackedGrid): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const group = groups[column]!;
      values[row * columns + column] = fround(fround(code(row, column) - zero(row, group)) * scale(row, group));
    }
  }
  return values;
}

/** Number `index` of the numbers of `bits` each that are packed without gaps in the words first, first + step, … */
export function unpackNumber(words: Int32Array, first: number, step: number, index: number, bits: number): number {
  const bit = index * bits;
  const word = first + (bit >> 5) * step;
  const shift = bit & 31;
  const low = words[word]! >>> shift;
  const high = shift + bits > 32 ? words[word + step]! << (32 - shift) : 0;
  return (low | high) & (2 ** bits - 1);
}

/** An element of a matrix with so many columns. */
export const elementAt = (values: Float32Array, columns: number, row: number, column: number): number =>
  values[row * columns + column]!;
