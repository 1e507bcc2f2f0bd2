import { at } from "@mbs/contracts";
import { pearson, randomOrders, spearman } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";

/** Values between every two of some languages; the diagonal is not used. */
export type SquareMatrix = readonly (readonly number[])[];

export const entry = (matrix: SquareMatrix, row: number, column: number): number => at(at(matrix, row), column);

const permutations = 2_000;
/** Sums in another order differ by rounding. */
const rounding = 1e-12;

/** Entries off the diagonal, row by row, with the languages renamed by `order`. */
export const offDiagonal = (matrix: SquareMatrix, order: readonly number[] = [...matrix.keys()]): number[] =>
  order.flatMap((row, i) => order.flatMap((column, j) => (i === j ? [] : [entry(matrix, row, column)])));

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
  let [asStrong, all] = [0, 0];
  for (const order of randomOrders([...second.keys()], permutations, seed)) {
    all += 1;
    if (Math.abs(correlate(fixed, offDiagonal(second, order))) >= Math.abs(value) - rounding) asStrong += 1;
  }
  return { value, p: asStrong / all };
}
