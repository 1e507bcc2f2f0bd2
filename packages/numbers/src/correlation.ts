import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Ranks from 1; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/** Values moved and scaled to mean 0 and length 1; NaN where they do not vary. */
function standardised(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const length = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  return values.map((value) => (value - mean) / length);
}

const dot = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * second[index], 0);

/**
 * Pearson's correlation: 1 where both lie on one rising line, -1 on a falling one.
 *
 * @returns NaN where one of the two does not vary
 */
export const pearson = (first: readonly number[], second: readonly number[]): number =>
  dot(standardised(first), standardised(second));

/**
 * Spearman's rank correlation: 1 where both rise together, -1 where one falls as the other rises; ties share a rank.
 *
 * @returns NaN where one of the two does not vary
 */
export const spearman = (first: readonly number[], second: readonly number[]): number => pearson(ranks(first), ranks(second));

/** A correlation and how often chance alone gives one as strong. */
export interface TestedCorrelation {
  readonly value: number;
  /** Two-sided p-value of the permutation test; NaN where there is no correlation. */
  readonly p: number;
}

const permutations = 10_000;
/** Sums in another order differ by rounding. */
const rounding = 1e-12;

/**
 * A correlation with its permutation test: the share of random pairings whose correlation is as far from zero, with the
 * pairing at hand counted as one of them.
 *
 * @param kind Spearman's permutes ranks
 * @param seed same seed, same p-value
 */
export function testCorrelation(
  kind: "pearson" | "spearman",
  first: readonly number[],
  second: readonly number[],
  seed = 0,
): TestedCorrelation {
  const [a, b] = [first, second].map((values) => standardised(kind === "spearman" ? ranks(values) : values));
  const value = dot(a, b);
  if (Number.isNaN(value)) return { value, p: NaN };
  const generator = xoroshiro128plus(seed);
  let asStrong = 1;
  for (let turn = 0; turn < permutations; turn += 1) {
    for (let last = b.length - 1; last > 0; last -= 1) {
      const pick = uniformInt(generator, 0, last);
      [b[last], b[pick]] = [b[pick], b[last]];
    }
    if (Math.abs(dot(a, b)) >= Math.abs(value) - rounding) asStrong += 1;
  }
  return { value, p: asStrong / (permutations + 1) };
}
