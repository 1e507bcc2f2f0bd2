/** Ranks from 1; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/**
 * Spearman's rank correlation: 1 where both rise together, -1 where one falls as the other rises.
 *
 * @returns NaN where one of the two does not vary
 */
export function rankCorrelation(first: readonly number[], second: readonly number[]): number {
  const [a, b] = [ranks(first), ranks(second)];
  const mean = (a.length + 1) / 2;
  const sum = (term: (index: number) => number): number => a.reduce((total, _, index) => total + term(index), 0);
  const product = sum((index) => (a[index] - mean) * (b[index] - mean));
  return product / Math.sqrt(sum((index) => (a[index] - mean) ** 2) * sum((index) => (b[index] - mean) ** 2));
}
