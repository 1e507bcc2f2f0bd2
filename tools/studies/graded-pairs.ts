import type { CorrelationTest, SquareMatrix } from "./mantel.ts";

/** Two languages by index. */
export type Pair = readonly [number, number];

/**
 * Six pairs of graded similarity without a language in common: of all pairs ordered by the cosine at the first input, the
 * nearest to each of six equal steps that is still free.
 */
export function gradedPairs(cosine: SquareMatrix): readonly Pair[] {
  const languages = [...cosine.keys()];
  const pairs = languages.flatMap((i) => languages.slice(i + 1).map((j): Pair => [i, j]));
  const ordered = pairs.toSorted(([a, b], [c, d]) => cosine[c][d] - cosine[a][b]);
  const chosen: Pair[] = [];
  for (let index = 0; index < 6; index += 1) {
    const step = (index * (ordered.length - 1)) / 5;
    const taken = new Set(chosen.flat());
    const free = ordered.flatMap((pair, place) => (pair.some((one) => taken.has(one)) ? [] : [{ pair, place }]));
    const nearest = free.toSorted((a, b) => Math.abs(a.place - step) - Math.abs(b.place - step))[0];
    chosen.push(nearest.pair);
  }
  return chosen;
}

/** Sums in another order differ by rounding. */
const rounding = 1e-12;

/** All orders of so many things, the given one among them. */
export function* orders(count: number): Generator<readonly number[]> {
  if (count === 0) return yield [];
  for (const shorter of orders(count - 1)) {
    for (let at = 0; at < count; at += 1) yield [...shorter.slice(0, at), count - 1, ...shorter.slice(at)];
  }
}

/** What stands between the languages of each pair: the mean of both directions. */
const between = (matrix: SquareMatrix, pairs: readonly Pair[]): number[] =>
  pairs.map(([a, b]) => (matrix[a][b] + matrix[b][a]) / 2);

/**
 * The correlation of two matrices over a few pairs of languages, each pair one point, with the exact permutation test: p is
 * the share of all orders of the pairs with a correlation as far from zero. Six pairs have 720 orders, so p is never below
 * 0.0014. The pairs should have no language in common.
 *
 * @param correlate Pearson's or Spearman's
 */
export function pairsTest(
  correlate: (first: readonly number[], second: readonly number[]) => number,
  first: SquareMatrix,
  second: SquareMatrix,
  pairs: readonly Pair[],
): CorrelationTest {
  const fixed = between(first, pairs);
  const values = between(second, pairs);
  const correlation = correlate(fixed, values);
  if (Number.isNaN(correlation)) return { correlation, p: NaN };
  let [asStrong, all] = [0, 0];
  for (const order of orders(pairs.length)) {
    all += 1;
    const permuted = correlate(
      fixed,
      order.map((index) => values[index]),
    );
    if (Math.abs(permuted) >= Math.abs(correlation) - rounding) asStrong += 1;
  }
  return { correlation, p: asStrong / all };
}
