/** Mean, least and most over the seeds. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export const sum = (values: readonly number[]): number => values.reduce((whole, value) => whole + value, 0);

export const mean = (values: readonly number[]): number => sum(values) / values.length;

export const spread = (values: readonly number[]): Spread => ({
  mean: mean(values),
  low: Math.min(...values),
  high: Math.max(...values),
});

export const percent = (value: number, digits = 1): string => {
  const text = Math.abs(value * 100).toFixed(digits);
  return `${value < 0 && Number(text) !== 0 ? "−" : "+"}${text}%`;
};

export const percentSpread = ({ mean: middle, low, high }: Spread): string =>
  `${percent(middle)} (${percent(low)} to ${percent(high)})`;

/** A fixed number of decimals, with a minus sign as wide as a digit. */
export const decimal = (value: number, digits = 2): string => value.toFixed(digits).replace("-", "−");

export const pValue = (p: number): string => (p < 0.001 ? "< 0.001" : p.toFixed(3));
