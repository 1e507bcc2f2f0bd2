import { at } from "@mbs/contracts";
import { mean, testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";

export interface LanguageFit {
  readonly language: string;
  /** The share to be checked. */
  readonly share: number;
  /** ln(loss / entropy): how hard the language is for the model, compared with how hard its text is in general. */
  readonly relativeLoss: number;
  /** Share predicted from the loss by the line through the other languages; these do not sum to 1. */
  readonly predicted: number;
  /** share / predicted. */
  readonly factor: number;
  /** Whether the share is farther off than two standard deviations of the other languages. */
  readonly doubtful: boolean;
}

/** Whether shares agree with a model's losses. */
export interface LossComparison {
  readonly languages: readonly LanguageFit[];
  /** Spearman's correlation of share and relative loss, negative where larger shares have lower losses. */
  readonly correlation: TestedCorrelation;
  /**
   * `fits` where larger shares have lower relative losses, `contradicts` where they have higher ones, each with p < 0.05;
   * `unclear` otherwise.
   */
  readonly verdict: "fits" | "contradicts" | "unclear";
  /** Typical factor between a share and the one predicted from its loss: exp of the mean |ln|. */
  readonly typicalFactor: number;
  /** The same for the geometric mean of the other shares: losses predict nothing where this is not larger. */
  readonly typicalFactorOfMean: number;
}

const without = <Value>(values: readonly Value[], left: number): Value[] => values.filter((_, index) => index !== left);
const typical = (residuals: readonly number[]): number => Math.exp(mean(residuals.map(Math.abs)));

/** A language's relative loss and ln of its share. */
interface Point {
  readonly x: number;
  readonly y: number;
}

/** The value at `x` of the least-squares line through points, level where it would rise: no share makes a loss larger. */
function lineAt(points: readonly Point[], x: number): number {
  const [meanX, meanY] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const spread = points.reduce((sum, point) => sum + (point.x - meanX) ** 2, 0);
  const slope = spread > 0 ? points.reduce((sum, point) => sum + (point.x - meanX) * (point.y - meanY), 0) / spread : 0;
  return meanY + Math.min(0, slope) * (x - meanX);
}

/**
 * Compares shares with a model's own losses: the more a model has read of a language, the lower its loss should be against how
 * hard the language's text is. Each language is predicted by ln share = a + b · ln(loss / entropy), fitted on the others.
 *
 * The line is of this model and these shares: it shows which shares do not agree with the losses, not what the shares are.
 *
 * @param shares on any scale, > 0
 * @param losses bits per byte of the model, by language
 * @param entropies bits per byte of the same kind of text for a model that read as much of every language, see textEntropies
 * @returns undefined where fewer than five languages have all three: too few to leave one out
 */
export function compareWithLosses(
  shares: ReadonlyMap<string, number>,
  losses: ReadonlyMap<string, number>,
  entropies: ReadonlyMap<string, number>,
): LossComparison | undefined {
  const languages = [...shares].flatMap(([language, share]) => {
    const [loss, entropy] = [losses.get(language), entropies.get(language)];
    return loss === undefined || entropy === undefined || share <= 0
      ? []
      : [{ language, share, relativeLoss: Math.log(loss / entropy) }];
  });
  if (languages.length < 5) return undefined;
  const points = languages.map(({ share, relativeLoss }): Point => ({ x: relativeLoss, y: Math.log(share) }));
  const fits = points.map(({ x, y }, index) => {
    const predicted = lineAt(without(points, index), x);
    return { predicted, residual: y - predicted };
  });
  const residuals = fits.map(({ residual }) => residual);
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const correlation = testCorrelation("spearman", xs, ys);
  return {
    languages: languages.map((language, index) => {
      const others = without(residuals, index);
      const { predicted, residual } = at(fits, index);
      const deviation = Math.sqrt(mean(others.map((residual) => residual * residual)));
      return {
        ...language,
        predicted: Math.exp(predicted),
        factor: Math.exp(residual),
        doubtful: Math.abs(residual) > 2 * deviation,
      };
    }),
    correlation,
    verdict: correlation.p < 0.05 ? (correlation.value < 0 ? "fits" : "contradicts") : "unclear",
    typicalFactor: typical(residuals),
    typicalFactorOfMean: typical(ys.map((y, index) => y - mean(without(ys, index)))),
  };
}
