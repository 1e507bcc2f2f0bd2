import type { Merge } from "@mbs/models";

/** The symbols of many words, which shrink as pairs are merged. */
export class WordSymbols {
  readonly #symbols: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #before: Uint8Array;
  readonly #after: Uint8Array;

  constructor(words: readonly Int32Array[]) {
    this.#lengths = Int32Array.from(words, (word) => word.length);
    this.#starts = new Int32Array(words.length);
    for (let word = 1; word < words.length; word += 1) this.#starts[word] = this.#starts[word - 1]! + this.#lengths[word - 1]!;
    this.#symbols = new Int32Array(this.#lengths.reduce((sum, length) => sum + length, 0));
    for (const [word, symbols] of words.entries()) this.#symbols.set(symbols, this.#starts[word]);
    const longest = this.#lengths.reduce((most, length) => Math.max(most, length), 0);
    this.#before = new Uint8Array(longest + 1);
    this.#after = new Uint8Array(longest + 1);
  }

  /** Calls back for each pair of neighbours of a word. */
  forPairs(word: number, tell: (left: number, right: number) => void): void {
    const start = this.#starts[word]!;
    const end = start + this.#lengths[word]!;
    for (let index = start; index + 1 < end; index += 1) tell(this.#symbols[index]!, this.#symbols[index + 1]!);
  }

  /** Merges a pair wherever a word has it, from left to right, and tells which neighbours went (-1) and came (+1). */
  merge(word: number, { left, right, merged }: Merge, tell: (left: number, right: number, sign: number) => void): void {
    const [symbols, before, after] = [this.#symbols, this.#before, this.#after];
    const [start, length] = [this.#starts[word]!, this.#lengths[word]!];
    before.fill(0, 0, length);
    for (let index = 0; index + 1 < length; index += 1) {
      if (symbols[start + index] !== left || symbols[start + index + 1] !== right) continue;
      before[index] = 1;
      before[(index += 1)] = 2;
    }
    for (let index = 0; index + 1 < length; index += 1) {
      if (before[index]! + before[index + 1]! > 0) tell(symbols[start + index]!, symbols[start + index + 1]!, -1);
    }
    let kept = 0;
    for (let index = 0; index < length; index += 1) {
      if (before[index] === 2) continue;
      after[kept] = before[index]!;
      symbols[start + kept] = before[index] === 1 ? merged : symbols[start + index]!;
      kept += 1;
    }
    this.#lengths[word] = kept;
    for (let index = 0; index + 1 < kept; index += 1) {
      if (after[index]! + after[index + 1]! > 0) tell(symbols[start + index]!, symbols[start + index + 1]!, 1);
    }
  }
}
