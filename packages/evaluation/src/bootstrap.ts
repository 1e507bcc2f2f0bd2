import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Lower and upper end of a 95% percentile interval. */
export type Interval = readonly [number, number];

/** How often windows are drawn anew. */
export const resamples = 1000;

/**
 * For each language, `resamples` draws of as many windows as it has, with replacement: positions in its windows. The same
 * draws serve every model and every average, so that differences are paired.
 *
 * @param counts language → number of windows
 */
export function resampleWindows(counts: ReadonlyMap<string, number>, seed: number): ReadonlyMap<string, readonly Int32Array[]> {
  const generator = xoroshiro128plus(seed);
  const draws = new Map<string, readonly Int32Array[]>();
  // In order of name: the order of the scores must not change the draws.
  for (const language of [...counts.keys()].sort()) {
    const count = counts.get(language) ?? 0;
    draws.set(
      language,
      Array.from({ length: resamples }, () => Int32Array.from({ length: count }, () => uniformInt(generator, 0, count - 1))),
    );
  }
  return draws;
}

/** The 2.5th and 97.5th percentile, between neighbours in proportion. */
export function percentileInterval(values: readonly number[]): Interval {
  const sorted = Float64Array.from(values).sort();
  const at = (fraction: number): number => {
    const position = fraction * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
  };
  return [at(0.025), at(0.975)];
}
