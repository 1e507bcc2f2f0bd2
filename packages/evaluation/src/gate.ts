import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import type { ScoresReport } from "./scores-report.ts";

/** The most that a model may lose in any language. */
export interface GateLimits {
  /** Relative rise of perplexity above the reference: 0.05 is 5%. */
  readonly maxWorstRise?: number;
  /** Mean KL divergence from the first model, nats a token. */
  readonly maxKl?: number;
  /** `point`: the value is above the limit; `interval`: so is its whole 95% interval. */
  readonly by: "interval" | "point";
}

/** One figure of one model in one language, compared with its limit. */
export interface GateCheck {
  readonly model: string;
  readonly language: string;
  readonly figure: "rise" | "kl";
  readonly value: number;
  /** 95% */
  readonly interval: Interval;
  readonly limit: number;
  readonly exceeds: boolean;
}

type Measured = Omit<GateCheck, "limit" | "exceeds">;

/** @throws {FailedPreconditionError} where the interval decides and there is none */
function check(measured: Measured, limit: number, by: GateLimits["by"]): GateCheck {
  const { model, language, value, interval } = measured;
  if (by === "interval" && Number.isNaN(interval[0])) {
    throw new FailedPreconditionError(
      `${model} has fewer than five windows of ${language}, so no interval; evaluate more text, or take --by point`,
      { model, language },
    );
  }
  return { ...measured, limit, exceeds: (by === "interval" ? interval[0] : value) > limit };
}

/**
 * Compares every model but the reference, in every language, with the limits.
 *
 * @throws {UsageError} where there is no limit, or no model besides the reference
 * @throws {FailedPreconditionError} where a figure was not measured in a language, or has no interval and needs one
 */
export function checkGate(
  { results, pairs, distances }: ScoresReport,
  { maxWorstRise, maxKl, by }: GateLimits,
): readonly GateCheck[] {
  if (maxWorstRise === undefined && maxKl === undefined) {
    throw new UsageError("nothing to check: give --max-worst-rise, --max-kl or both");
  }
  const reference = results[0]?.model;
  const checked = results.filter(({ model }) => model !== reference);
  if (checked.length === 0) throw new UsageError("the scores have one model alone: evaluate it beside the dense one");
  const missing = (model: string, language: string, what: string): never => {
    throw new FailedPreconditionError(`${model} has no ${what} in ${language}; evaluate it together with ${String(reference)}`, {
      model,
      language,
    });
  };
  return checked.flatMap(({ model, language }) => {
    const isSame = (other: { readonly model: string; readonly language: string }): boolean =>
      other.model === model && other.language === language;
    const checks: GateCheck[] = [];
    if (maxWorstRise !== undefined) {
      const { rise, interval } = pairs.find(isSame) ?? missing(model, language, "rise on the same windows");
      checks.push(check({ model, language, figure: "rise", value: rise, interval }, maxWorstRise, by));
    }
    if (maxKl !== undefined) {
      const { kl, klInterval } = distances.find(isSame) ?? missing(model, language, "KL divergence (evaluate --distances on)");
      checks.push(check({ model, language, figure: "kl", value: kl, interval: klInterval }, maxKl, by));
    }
    return checks;
  });
}
