import type { Score } from "@mbs/artifacts";
import { averageLanguages, type ModelAverages } from "./averages.ts";
import { comparePairs, type PairedDifference } from "./pairs.ts";
import { summarise, summariseSources, type LanguageResult, type SourceResult } from "./results.ts";

/** What `mbs evaluate --json` prints. */
export interface ScoresReport {
  readonly results: readonly LanguageResult[];
  /** One entry a model, all three averages in it. */
  readonly averages: readonly ModelAverages[];
  /** Every other model against the reference. */
  readonly pairs: readonly PairedDifference[];
  /** Results by source, where sources were kept apart. */
  readonly sources: readonly SourceResult[];
  /** What could not be compared, and why. */
  readonly notes: readonly string[];
}

/**
 * Sums up the scores of any number of models.
 *
 * @param shares training mixture for the weighted average, on any scale
 * @param reference the model that others are compared with; default the first
 * @throws {UsageError} where the reference has no scores
 */
export function scoresReport(
  scores: readonly Score[],
  shares?: Readonly<Record<string, number>>,
  reference?: string,
): ScoresReport {
  const { pairs, notes } = comparePairs(scores, reference);
  return {
    results: summarise(scores),
    averages: averageLanguages(scores, shares, reference),
    pairs,
    sources: summariseSources(scores),
    notes,
  };
}
