import { mean } from "@mbs/numbers";

/** What is predicted from, and what was measured. */
export interface CalibrationPoint {
  readonly predictor: number;
  readonly rise: number;
}

/** A straight line through the origin from predictor to rise. */
export interface Calibration {
  /** rise = factor · predictor, least squares over all points. */
  readonly factor: number;
  /** The prediction for each point, by the factor fitted on the others. */
  readonly predicted: readonly number[];
  /** Mean distance of `predicted` from the rises. */
  readonly error: number;
  /** The same for a prediction without predictor: the mean of the others' rises. */
  readonly errorOfMean: number;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const sumsOf = (points: readonly CalibrationPoint[]): { readonly products: number; readonly squares: number } => ({
  products: total(points.map(({ predictor, rise }) => predictor * rise)),
  squares: total(points.map(({ predictor }) => predictor * predictor)),
});

/**
 * Fits rises to a predictor, and predicts each point from the others (leave-one-out).
 *
 * @returns undefined for fewer than three points, or fewer than two whose predictor is not zero: without the one that is
 *   left out there would be nothing to fit
 */
export function calibrate(points: readonly CalibrationPoint[]): Calibration | undefined {
  if (points.length < 3 || points.filter(({ predictor }) => predictor !== 0).length < 2) return undefined;
  // Leave-one-out totals are summed again: a difference would lose small values beside a large one.
  const leftOut = points.map(({ predictor, rise }, index) => {
    const others = points.filter((_, other) => other !== index);
    const { products, squares } = sumsOf(others);
    return { rise, predicted: (predictor * products) / squares, mean: mean(others.map((other) => other.rise)) };
  });
  const { products, squares } = sumsOf(points);
  return {
    factor: products / squares,
    predicted: leftOut.map(({ predicted }) => predicted),
    error: mean(leftOut.map(({ rise, predicted }) => Math.abs(predicted - rise))),
    errorOfMean: mean(leftOut.map((point) => Math.abs(point.mean - point.rise))),
  };
}
