/** Lists of numbers of `bits` each; those of a list are packed without gaps in words that lie `block` apart. */
export interface PackedNumbers {
  readonly words: Int32Array;
  /** 1 to 8. */
  readonly bits: number;
  readonly lists: number;
  /** Numbers in a list. */
  readonly length: number;
  /** The first word of list i is i · `stride`. */
  readonly stride: number;
  readonly block: number;
}

/** A linear weight as codes on grids: its values are (code - zero) · scale. */
export interface PackedWeight {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** Group of each column. */
  readonly groups: Int32Array;
  /** [groups, rows] */
  readonly zeros: Int16Array;
  /** [groups, rows] */
  readonly scales: Float32Array;
}

/** The numbers of all lists, [lists, length]. */
export function unpackNumbers({ words, bits, lists, length, stride, block }: PackedNumbers): Uint8Array {
  const numbers = new Uint8Array(lists * length);
  const mask = 2 ** bits - 1;
  for (let list = 0; list < lists; list++) {
    let word = list * stride;
    let current = words[word]!;
    let shift = 0;
    const start = list * length;
    for (let index = start; index < start + length; index++) {
      if (shift >= 32) {
        word += block;
        current = words[word]!;
        shift -= 32;
      }
      let number = current >>> shift;
      shift += bits;
      if (shift > 32) {
        word += block;
        current = words[word]!;
        shift -= 32;
        number |= current << (bits - shift);
      }
      numbers[index] = number & mask;
    }
  }
  return numbers;
}

/** (code - zero) · scale in float32, [rows, columns]: the difference is a small integer, so that only the product rounds. */
export function unpackValues({ rows, columns, codes, groups, zeros, scales }: PackedWeight): Float32Array {
  const values = new Float32Array(rows * columns);
  const count = scales.length / rows;
  const rowZeros = new Int32Array(count);
  const rowScales = new Float32Array(count);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < count; group++) {
      rowZeros[group] = zeros[group * rows + row]!;
      rowScales[group] = scales[group * rows + row]!;
    }
    const start = row * columns;
    for (let column = 0; column < columns; column++) {
      const group = groups[column]!;
      values[start + column] = (codes[start + column]! - rowZeros[group]!) * rowScales[group]!;
    }
  }
  return values;
}
