import type { LanguageMix } from "@mbs/contracts";
import { withRelativeError } from "@mbs/numbers";
import type { Interval } from "@mbs/numbers";

/** What one compressed model lost in a language, and how much of its calibration text was of that language. */
export interface MeasuredLoss {
  /** Share of the calibration text, above 0; those of all languages sum to 1. */
  readonly share: number;
  /** Nats a token above the dense model, on text that was not calibrated on. */
  readonly loss: number;
  /** 95% interval of the loss of the model that was measured, over windows of text. */
  readonly interval: Interval;
}

/** By language. */
export type MeasuredLosses = ReadonlyMap<string, MeasuredLoss>;

/** By how much more text of a language lowers its loss: the loss goes as share^−0.15 (docs/measured/languages.md, Does the law hold). */
export const lossExponent = 0.15;

/** Shares up to about six times larger and smaller than the measured one were seen to follow the law. */
const mostFactor = 6;

/** A language that lost nothing, or gained, is weighed as if it had lost this, in nats a token. */
const leastLoss = 1e-3;

/**
 * What a number of nats becomes in a language whose share of the calibration text changes, all text together staying the same:
 * nats · (share / measured share)^−0.15. Nothing lost, and a gain, stay as they are.
 *
 * @param share 0 gives infinity: the law says nothing about a language without text
 */
export const lossAt = (nats: number, { share: measured }: Pick<MeasuredLoss, "share">, share: number): number =>
  nats <= 0 ? nats : nats * (share / measured) ** -lossExponent;

/**
 * Standard deviation of the logarithm of what a language loses over what the law predicts, from one draw of calibration text to
 * another mix and draw. Measured 0.15 with GPTQ at 3 bits, 0.12 at 2 bits and 0.13 with SparseGPT, where draws of the same mix
 * differ by 0.14, 0.08 and 0.12 (docs/measured/languages.md, Does the law hold).
 */
export const lawError = 0.15;

/**
 * 95% interval of what a language loses when the model is compressed again with another share of its text: over the windows that it
 * was measured on, draws of calibration text and the error of the law, taken as independent.
 */
export function intervalAt(measured: MeasuredLoss, share: number): Interval {
  const [low, high] = measured.interval;
  const at = (nats: number): number => lossAt(nats, measured, share);
  return withRelativeError(at(measured.loss), [at(low), at(high)], lawError);
}

/** What is made small: Σ importance · loss^power. */
export interface Goal {
  /** How much each language counts, above 0, on any scale. */
  readonly importance: LanguageMix;
  /** 1 for the mean of losses; the larger, the more the largest losses count. */
  readonly power: number;
}

/**
 * The mix with the least Σ aₗ·Lₗ(w)^p that the law knows: wₗ^(1 + e·p) is in proportion to aₗ·Lₗ^p·w₀ₗ^(e·p), L and w₀ as
 * measured. No share becomes six times larger or smaller than the measured one.
 *
 * @returns language → share, sum 1
 */
export function bestMix(losses: MeasuredLosses, { importance, power }: Goal): LanguageMix {
  const wishes = [...losses].map(([language, { share, loss }]) => {
    const wish = Math.log(importance.get(language) ?? 0) + power * Math.log(Math.max(loss, leastLoss));
    return { language, share, log: (wish + lossExponent * power * Math.log(share)) / (1 + lossExponent * power) };
  });
  const sharesAt = (level: number): ReadonlyMap<string, number> =>
    new Map(
      wishes.map(({ language, share, log }) => [
        language,
        Math.min(Math.max(Math.exp(level + log), share / mostFactor), share * mostFactor),
      ]),
    );
  // the sum rises with the level, from a sixth to six: halving finds where it is 1
  let [low, high] = [-1e3, 1e3];
  for (let step = 0; step < 100; step++) {
    const level = (low + high) / 2;
    if ([...sharesAt(level).values()].reduce((sum, share) => sum + share, 0) < 1) low = level;
    else high = level;
  }
  return sharesAt(high);
}
