import { withRelativeError } from "@mbs/numbers";
import type { Interval } from "@mbs/numbers";

/** What a compressed model did to a language, and what it lost. */
export interface MeasuredLanguage {
  /** Mean damage of its tensors. */
  readonly damage: number;
  /** Nats a token above the dense model. */
  readonly loss: number;
  /** 95% interval of that, over windows; absent where these are too few. */
  readonly interval?: Interval;
}

/** A loss that is predicted. */
export interface PredictedLoss {
  /** Nats a token above the dense model. */
  readonly loss: number;
  /** 95%, over windows, draws of calibration text and the error of the law. */
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

/** Damages up to about six times larger and smaller than the measured one were seen to follow the law. */
export const mostRatio = 6;

/** Why no loss is predicted of a language. */
export type Unpredicted = "not measured" | "nothing lost" | "too far";

/**
 * What a language loses with another compression of the same model by the same method: L = L₀ · (d / d₀)^1.6, d the mean damage of
 * the tensors, 0 what was measured.
 *
 * @returns or why not: nothing to scale where the loss does not stand out from chance, and no law beyond the ratios that were seen
 */
export function predictLoss(measured: MeasuredLanguage | undefined, damage: number): PredictedLoss | Unpredicted {
  if (measured === undefined || measured.interval === undefined) return "not measured";
  const [low, high] = measured.interval;
  if (low <= 0 || measured.loss <= 0) return "nothing lost";
  const distance = Math.log(damage / measured.damage);
  if (!(Math.abs(distance) <= Math.log(mostRatio))) return "too far";
  const scale = Math.exp(damageExponent * distance);
  const loss = measured.loss * scale;
  const error = Math.hypot(errors.equal, errors.distance * distance);
  return { loss, interval: withRelativeError(loss, [low * scale, high * scale], error) };
}
