import { pearson, spearman } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Values between every two of some languages; the diagonal is not used. */
export type SquareMatrix = readonly (readonly number[])[];

const permutations = 2_000;
/** Sums in another order differ by rounding. */
const rounding = 1e-12;

/** Entries off the diagonal, row by row, with the languages renamed by `order`. */
export const offDiagonal = (matrix: SquareMatrix, order = [...matrix.keys()]): number[] =>
  order.flatMap((row, i) => order.flatMap((column, j) => (i === j ? [] : [matrix[row][column]])));

/**
 * The correlation of two matrices over languages with Mantel's permutation test: all pairs of one language hang together,
 * so languages are renamed, not single pairs. The share of namings with a correlation as far from zero is p, the given one
 * counted among them.
 *
 * @see Mantel 1967, Cancer Research 27(2)
 */
export function mantelTest(kind: "pearson" | "spearman", first: SquareMatrix, second: SquareMatrix, seed = 0): TestedCorrelation {
  const correlate = kind === "pearson" ? pearson : spearman;
  const fixed = offDiagonal(first);
  const value = correlate(fixed, offDiagonal(second));
  if (Number.isNaN(value)) return { value, p: NaN };
  const generator = xoroshiro128plus(seed);
  const order = [...second.keys()];
  let asStrong = 1;
  for (let turn = 0; turn < permutations; turn += 1) {
    for (let last = order.length - 1; last > 0; last -= 1) {
      const pick = uniformInt(generator, 0, last);
      [order[last], order[pick]] = [order[pick], order[last]];
    }
    if (Math.abs(correlate(fixed, offDiagonal(second, order))) >= Math.abs(value) - rounding) asStrong += 1;
  }
  return { value, p: asStrong / (permutations + 1) };
}
