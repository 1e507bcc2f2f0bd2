import type { Interval } from "@mbs/evaluation";

/** What a compressed model did to a language, and what it lost. */
export interface MeasuredLanguage {
  /** Mean damage of its tensors. */
  readonly damage: number;
  /** Nats a token above the dense model. */
  readonly loss: number;
}

/** A loss that is predicted. */
export interface PredictedLoss {
  /** Nats a token above the dense model. */
  readonly loss: number;
  /** 95%, over draws of calibration text and the error of the law. */
  readonly interval: Interval;
}

/**
 * By how much faster the loss of a language grows than its damage: as its power (docs/measured/languages.md, What damage predicts).
 */
export const damageExponent = 1.6;

/**
 * Standard deviation of the logarithm of a loss over what is predicted: of equal damage, since draws of calibration text differ, and
 * for each unit by which the logarithms of the damages do.
 */
const errors = { equal: 0.15, distance: 0.5 } as const;

/**
 * What a language loses with another compression of the same model by the same method: L = L₀ · (d / d₀)^1.6, d the mean damage of
 * the tensors, 0 what was measured.
 *
 * @returns undefined where the measured model has no damage in the language, or lost nothing: there is nothing to scale
 */
export function predictLoss(measured: MeasuredLanguage, damage: number): PredictedLoss | undefined {
  if (!(measured.damage > 0 && measured.loss > 0 && damage > 0)) return undefined;
  const distance = Math.log(damage / measured.damage);
  const loss = measured.loss * Math.exp(damageExponent * distance);
  const factor = Math.exp(1.96 * Math.hypot(errors.equal, errors.distance * distance));
  return { loss, interval: [loss / factor, loss * factor] };
}
