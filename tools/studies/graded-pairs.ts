import { at } from "@mbs/contracts";
import { testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { entry, type SquareMatrix } from "./mantel.ts";

/** Two languages by index. */
export type Pair = readonly [number, number];

/**
 * Six pairs of graded similarity without a language in common: of all pairs ordered by the cosine at the first input, the
 * nearest to each of six equal steps that is still free.
 */
export function gradedPairs(cosine: SquareMatrix): readonly Pair[] {
  const languages = [...cosine.keys()];
  const pairs = languages.flatMap((i) => languages.slice(i + 1).map((j): Pair => [i, j]));
  const ordered = pairs.toSorted(([a, b], [c, d]) => entry(cosine, c, d) - entry(cosine, a, b));
  const chosen: Pair[] = [];
  for (let index = 0; index < 6; index += 1) {
    const step = (index * (ordered.length - 1)) / 5;
    const taken = new Set(chosen.flat());
    const free = ordered.flatMap((pair, rank) => (pair.some((one) => taken.has(one)) ? [] : [{ pair, rank }]));
    const nearest = at(
      free.toSorted((a, b) => Math.abs(a.rank - step) - Math.abs(b.rank - step)),
      0,
    );
    chosen.push(nearest.pair);
  }
  return chosen;
}

/** What stands between the languages of each pair: the mean of both directions. */
const between = (matrix: SquareMatrix, pairs: readonly Pair[]): number[] =>
  pairs.map(([a, b]) => (entry(matrix, a, b) + entry(matrix, b, a)) / 2);

/**
 * The correlation of two matrices over a few pairs of languages, each pair one point. Pairs are exchanged, not languages, so
 * they should have none in common. Six pairs have 720 orders: p is exact, and never below 0.0014.
 */
export const pairsTest = (
  kind: "pearson" | "spearman",
  first: SquareMatrix,
  second: SquareMatrix,
  pairs: readonly Pair[],
): TestedCorrelation => testCorrelation(kind, between(first, pairs), between(second, pairs));
