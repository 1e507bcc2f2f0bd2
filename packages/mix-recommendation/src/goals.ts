import { weightedDamage } from "@mbs/artifacts";
import type { DamageByLanguage } from "@mbs/artifacts";
import type { LanguageMix } from "@mbs/contracts";
import type { Direction } from "./mix-weights.ts";

/** The largest damage. */
export const worstDamage = (damages: DamageByLanguage): number => Math.max(...damages.values());

/** A mix and what it is predicted to do. */
export interface Trial {
  readonly name: string;
  /** Round of the search that found it, 0 for a candidate. */
  readonly round: number;
  readonly mix: LanguageMix;
  readonly damages: DamageByLanguage;
}

/** What a search lowers, and where it looks. */
export interface Goal {
  readonly value: (damages: DamageByLanguage) => number;
  /** Directions to search in, the most promising first; empty where no better mix can be expected. */
  readonly directions: (trial: Trial) => readonly Direction[];
  readonly firstStep: number;
}

/** Part of the worst damage by which the mean under the mix may stay below it. */
const tolerance = 0.01;

/**
 * The worst language's damage, lowered by multiplicative weights (Hedge): each language's weight grows by its damage to the
 * power of the step.
 *
 * Solving for a mix is the answer of one player, the mix the other's. Damage averaged by the mix is below what any mix can
 * reach, as far as the solver's answer is exact, so the search has converged once it is within 1% of the worst damage.
 *
 * @see Freund and Schapire, Adaptive game playing using multiplicative weights, 1999
 */
export const minimax: Goal = {
  value: worstDamage,
  directions({ mix, damages }) {
    const worst = worstDamage(damages);
    if (weightedDamage(damages, mix) >= (1 - tolerance) * worst) return [];
    const least = 1e-6 * worst;
    return [new Map([...damages].map(([language, damage]) => [language, Math.log(Math.max(damage, least) / worst)]))];
  },
  firstStep: 2,
};

/**
 * The mean damage under given importances. With an exact solver the importances themselves would be the best mix; the search
 * looks for one that is sharper or flatter.
 *
 * @param importance language → importance, sum above 0
 */
export function target(importance: LanguageMix): Goal {
  const largest = Math.max(...importance.values());
  const logs = [...importance].map(([language, value]) => [language, Math.log(Math.max(value / largest, 1e-4))] as const);
  const even = logs.every(([, log]) => log === 0);
  const along = (sign: number): Direction => new Map(logs.map(([language, log]) => [language, sign * log]));
  return {
    value: (damages) => weightedDamage(damages, importance),
    directions: () => (even ? [] : [along(1), along(-1)]),
    firstStep: 0.5,
  };
}
