import { at } from "@mbs/contracts";

/** Lower and upper end of a 95% percentile interval. */
export type Interval = readonly [number, number];

/** The 2.5th and 97.5th percentile, between neighbours in proportion. */
export function percentileInterval(values: readonly number[] | Float64Array): Interval {
  const sorted = Float64Array.from(values).sort();
  const quantile = (fraction: number): number => {
    const position = fraction * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return at(sorted, below) + (position - below) * (at(sorted, above) - at(sorted, below));
  };
  return [quantile(0.025), quantile(0.975)];
}
