/** A straight line through the origin from predictor to rise. */
export interface Calibration {
  /** rise = factor · predictor, least squares over all points. */
  readonly factor: number;
  /** Each point predicted by the factor of the others, so that no point predicts itself. */
  readonly predicted: readonly number[];
  /** Mean distance of `predicted` from the rises. */
  readonly error: number;
  /** The same for a prediction without predictor: the mean of the others' rises. */
  readonly errorOfMean: number;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const meanDistance = (first: readonly number[], second: readonly number[]): number =>
  total(first.map((value, index) => Math.abs(value - second[index]))) / first.length;

/** Of all but one, for each that is left out. Sums: a difference would lose small values beside a large one. */
const totalsOfOthers = (values: readonly number[]): readonly number[] =>
  values.map((_, index) => total(values.filter((_value, other) => other !== index)));

/**
 * Fits rises to a predictor.
 *
 * @returns undefined for fewer than three points, where leaving one out leaves too little, and for fewer than two predictors
 *   that are not zero, where leaving one out leaves no line
 */
export function calibrate(predictors: readonly number[], rises: readonly number[]): Calibration | undefined {
  if (predictors.length < 3 || predictors.filter((value) => value !== 0).length < 2) return undefined;
  const products = predictors.map((value, index) => value * rises[index]);
  const squares = predictors.map((value) => value * value);
  const [otherProducts, otherSquares] = [totalsOfOthers(products), totalsOfOthers(squares)];
  const predicted = predictors.map((value, index) => (value * otherProducts[index]) / otherSquares[index]);
  const means = totalsOfOthers(rises).map((sum) => sum / (rises.length - 1));
  return {
    factor: total(products) / total(squares),
    predicted,
    error: meanDistance(predicted, rises),
    errorOfMean: meanDistance(means, rises),
  };
}
