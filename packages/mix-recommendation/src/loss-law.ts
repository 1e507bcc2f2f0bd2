import type { LanguageMix } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";

/** What one compressed model lost in a language, and how much of its calibration text was of that language. */
export interface MeasuredLoss {
  /** Share of the calibration text, above 0; those of all languages sum to 1. */
  readonly share: number;
  /** Nats a token above the dense model, on text that was not calibrated on. */
  readonly loss: number;
  /** 95% interval of the loss, over windows of text. */
  readonly interval: Interval;
}

/** By language. */
export type MeasuredLosses = ReadonlyMap<string, MeasuredLoss>;

/**
 * By how much more text of a language lowers its loss: the loss goes as share^−0.15.
 *
 * Between equal and proportional mixes of the same amount of text it was 0.11 to 0.2, with GPTQ at 3 and 2 bits and SparseGPT
 * (docs/languages.md); with Wanda 0, since it does not correct weights for each other.
 */
export const usualExponent = 0.15;

/** The law was measured for shares up to about six times larger and smaller than the measured one. */
const mostFactor = 6;

/** A language that lost nothing, or gained, is weighed as if it had lost this, in nats a token. */
const leastLoss = 1e-3;

/**
 * What a number of nats becomes in a language whose share of the calibration text changes, all text together staying the same:
 * nats · (share / measured share)^−exponent.
 *
 * @param share 0 gives infinity: the law says nothing about a language without text
 */
export const lossAt = (nats: number, { share: measured }: MeasuredLoss, share: number, exponent: number): number =>
  nats * (share / measured) ** -exponent;

/** What is made small. */
export interface Goal {
  /** How much each language counts, on any scale. */
  readonly importance: LanguageMix;
  /**
   * 1: the mean of all losses by importance. 0: the largest loss, whatever the importance. Between them the mean of losses to the
   * power of 1 / evenness, in which the largest count more.
   */
  readonly evenness: number;
}

/** Shares that sum to 1, as a rising function of one number gives them: found by halving. */
function atSumOne(sharesAt: (level: number) => ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  let [low, high] = [-1e3, 1e3];
  for (let step = 0; step < 100; step++) {
    const level = (low + high) / 2;
    if ([...sharesAt(level).values()].reduce((sum, share) => sum + share, 0) < 1) low = level;
    else high = level;
  }
  return sharesAt(high);
}

/**
 * The mix with the least loss by a goal, as the law says: where Σ aₗ·Lₗ(w)^p is least under Σ wₗ = 1, with p = 1 / evenness,
 * wₗ^(1 + e·p) is in proportion to aₗ·Lₗ^p·w₀ₗ^(e·p). No share becomes six times larger or smaller than the measured one.
 *
 * @returns language → share, sum 1
 */
export function bestMix(losses: MeasuredLosses, { importance, evenness }: Goal, exponent: number): LanguageMix {
  const wishes = [...losses].map(([language, { share, loss }]) => {
    const weight = importance.get(language) ?? 0;
    const counted = evenness === 0 ? 0 : evenness * Math.log(weight);
    return { language, share, log: counted + Math.log(Math.max(loss, leastLoss)) + exponent * Math.log(share) };
  });
  return atSumOne(
    (level) =>
      new Map(
        wishes.map(({ language, share, log }) => {
          const wish = Math.exp((level + log) / (evenness + exponent));
          return [language, Math.min(Math.max(wish, share / mostFactor), share * mostFactor)];
        }),
      ),
  );
}

/** What every language loses with a mix. */
export const predictLosses = (losses: MeasuredLosses, mix: LanguageMix, exponent: number): ReadonlyMap<string, number> =>
  new Map(
    [...losses].map(([language, measured]) => [language, lossAt(measured.loss, measured, mix.get(language) ?? 0, exponent)]),
  );

/** Σ aₗ·lossₗ / Σ aₗ over languages with an importance above 0. */
export function meanLoss(losses: ReadonlyMap<string, number>, importance: LanguageMix): number {
  const counted = [...losses].flatMap(([language, loss]) => {
    const weight = importance.get(language) ?? 0;
    return weight > 0 ? [{ weight, loss }] : [];
  });
  const sum = counted.reduce((total, { weight }) => total + weight, 0);
  return counted.reduce((total, { weight, loss }) => total + (weight / sum) * loss, 0);
}

/**
 * The mix whose worst language loses least among those whose mean loss by importance is at most a limit.
 *
 * @param most nats a token
 * @returns undefined where even the mix with the least mean is above the limit
 */
export function evenMixWithin(
  losses: MeasuredLosses,
  importance: LanguageMix,
  most: number,
  exponent: number,
): LanguageMix | undefined {
  const mixAt = (evenness: number): LanguageMix => bestMix(losses, { importance, evenness }, exponent);
  const isWithin = (mix: LanguageMix): boolean => meanLoss(predictLosses(losses, mix, exponent), importance) <= most;
  if (isWithin(mixAt(0))) return mixAt(0);
  if (!isWithin(mixAt(1))) return undefined;
  let [low, high] = [0, 1];
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (isWithin(mixAt(middle))) high = middle;
    else low = middle;
  }
  return mixAt(high);
}
