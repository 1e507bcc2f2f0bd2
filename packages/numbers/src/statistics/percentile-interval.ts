/** Lower and upper end of a 95% percentile interval. */
export type Interval = readonly [number, number];

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
