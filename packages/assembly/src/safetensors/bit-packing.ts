import { InternalError } from "@mbs/contracts";

/**
 * Whole numbers of `bits` bits packed without gaps into 32-bit words, the first in the lowest bits; a number may lie in
 * two words. So 32 numbers fill `bits` words. The layout of GPTQ's and compressed-tensors' files.
 *
 * @param values [rows, columns] row-major, each below 2^bits
 * @param along "columns" packs each row by itself, into [rows, ⌈columns · bits / 32⌉]; "rows" packs each column by
 *   itself, into [⌈rows · bits / 32⌉, columns]
 * @throws {InternalError} on a number that would run into its neighbour
 */
export function packBits(values: Uint8Array, rows: number, columns: number, bits: number, along: "rows" | "columns"): Int32Array {
  const packsRows = along === "rows";
  const [length, lines] = packsRows ? [rows, columns] : [columns, rows];
  const largest = 2 ** bits - 1;
  const words = Math.ceil((length * bits) / 32);
  const packed = new Int32Array(words * lines);
  // A value's neighbour in its line, and the line's neighbour, in `values` and in `packed`.
  const [nextValue, nextLine] = packsRows ? [columns, 1] : [1, columns];
  const [nextWord, nextPackedLine] = packsRows ? [columns, 1] : [1, words];
  for (let start = 0; start < length; start += 32) {
    const count = Math.min(32, length - start);
    const firstWord = (start / 32) * bits;
    for (let line = 0; line < lines; line += 1) {
      const source = start * nextValue + line * nextLine;
      const target = firstWord * nextWord + line * nextPackedLine;
      for (let index = 0; index < count; index += 1) {
        const value = values[source + index * nextValue]!;
        if (value > largest) throw new InternalError(`${value} is not a code of ${bits} bits`);
        const bit = index * bits;
        const word = target + (bit >> 5) * nextWord;
        const shift = bit & 31;
        packed[word]! |= value << shift;
        if (shift + bits > 32) packed[word + nextWord]! |= value >>> (32 - shift);
      }
    }
  }
  return packed;
}
