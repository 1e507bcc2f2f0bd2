import { at } from "@mbs/contracts";
import { pairOf } from "@mbs/models";
import type { Merges } from "./tokenizer-parts.ts";

/** One key for a pair of symbols, whatever characters they have. */
const keyOf = (left: string, right: string): string => `${left.length}:${left}${right}`;

/** Says of a token which symbols byte-pair encoding makes on the way to it, its characters and itself among them. */
export type Derivation = (token: string) => ReadonlySet<string>;

/**
 * How byte-pair encoding makes tokens of characters.
 *
 * A token that ends up in a text is made by merges of its own characters alone: none of them crosses its borders. At every
 * moment the next of them is the first by rank, and by position, among the pairs within these borders, whatever stands around
 * them, so it is the same as in the token by itself. A tokenizer that has all symbols of that derivation, and of the merges those
 * whose three symbols it has, in their order, therefore makes the same steps: its pairs are a part of the pairs before, and the
 * pair that was taken is among them. So texts of kept tokens encode to the same tokens.
 */
export function createDerivation(merges: Merges): Derivation {
  const ranks = new Map<string, number>();
  for (const [rank, merge] of merges.entries()) {
    const key = keyOf(...pairOf(merge));
    if (!ranks.has(key)) ranks.set(key, rank);
  }
  return (token) => {
    const symbols = Array.from(token);
    const made = new Set(symbols);
    for (;;) {
      let best: { readonly rank: number; readonly index: number } | undefined;
      for (let index = 0; index + 1 < symbols.length; index++) {
        const rank = ranks.get(keyOf(at(symbols, index), at(symbols, index + 1)));
        if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, index };
      }
      if (best === undefined) return made;
      const merged = `${at(symbols, best.index)}${at(symbols, best.index + 1)}`;
      symbols.splice(best.index, 2, merged);
      made.add(merged);
    }
  };
}
