import { formatLanguageMix } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import type { Goal, Trial } from "./goals.ts";
import { shiftMix } from "./mix-weights.ts";

/** Why a search ended: no direction left, smallest step reached, or all rounds used. */
export type SearchEnd = "converged" | "step" | "rounds";

export interface SearchResult {
  /** All that were tried, in order. */
  readonly trials: readonly Trial[];
  /** The lowest value; the first of equals. */
  readonly best: Trial;
  readonly ended: SearchEnd;
}

/** How far the step may grow and shrink. */
const growth = 4;
const shrinkage = 4;

/** The trial with the lowest value, the first of equals. */
export const bestOf = (trials: readonly Trial[], { value }: Pick<Goal, "value">): Trial =>
  trials.reduce((best, next) => (value(next.damages) < value(best.damages) ? next : best));

/**
 * Looks for a better mix from the best candidate on. Steps double until one fails, then halve at every failure; only what is
 * better is kept, so the result is never worse than a candidate.
 *
 * @param candidates at least one
 * @param rounds most calls of `attempt`
 * @param attempt what a mix does; the same mix is never tried twice
 */
export async function searchMix(
  candidates: readonly Trial[],
  goal: Goal,
  rounds: number,
  attempt: (mix: LanguageMix, round: number) => Promise<Trial>,
): Promise<SearchResult> {
  const trials = [...candidates];
  const tried = new Set(candidates.map(({ mix }) => formatLanguageMix(mix)));
  let best = bestOf(candidates, goal);
  let step = goal.firstStep;
  let growing = true;
  for (;;) {
    const directions = goal.directions(best);
    if (directions.length === 0) return { trials, best, ended: "converged" };
    if (step < goal.firstStep / shrinkage) return { trials, best, ended: "step" };
    let better: Trial | undefined;
    for (const direction of directions) {
      const mix = shiftMix(best.mix, direction, step);
      if (tried.has(formatLanguageMix(mix))) continue;
      const round = trials.length - candidates.length + 1;
      if (round > rounds) return { trials, best, ended: "rounds" };
      tried.add(formatLanguageMix(mix));
      const trial = await attempt(mix, round);
      trials.push(trial);
      if (goal.value(trial.damages) >= goal.value(best.damages)) continue;
      better = trial;
      break;
    }
    best = better ?? best;
    growing &&= better !== undefined;
    if (better === undefined) step /= 2;
    else if (growing) step = Math.min(2 * step, growth * goal.firstStep);
  }
}
