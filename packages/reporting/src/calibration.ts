/** A straight line through the origin from predictor to rise. */
export interface Calibration {
  /** rise = factor · predictor, least squares over all points. */
  readonly factor: number;
  /** Each point predicted by the factor of the others, so that no point foretells itself. */
  readonly predicted: readonly number[];
  /** Mean distance of `predicted` from the rises. */
  readonly error: number;
  /** The same for a prediction without predictor: the mean of the others' rises. */
  readonly errorOfMean: number;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const meanDistance = (first: readonly number[], second: readonly number[]): number =>
  total(first.map((value, index) => Math.abs(value - second[index]))) / first.length;

/**
 * Fits rises to a predictor.
 *
 * @param predictors not all zero
 * @returns undefined for fewer than three points, where leaving one out leaves too little
 */
export function calibrate(predictors: readonly number[], rises: readonly number[]): Calibration | undefined {
  if (predictors.length < 3) return undefined;
  const products = predictors.map((value, index) => value * rises[index]);
  const squares = predictors.map((value) => value * value);
  const [product, square, sum] = [total(products), total(squares), total(rises)];
  const predicted = predictors.map((value, index) => (value * (product - products[index])) / (square - squares[index]));
  const means = rises.map((rise) => (sum - rise) / (rises.length - 1));
  return {
    factor: product / square,
    predicted,
    error: meanDistance(predicted, rises),
    errorOfMean: meanDistance(means, rises),
  };
}
