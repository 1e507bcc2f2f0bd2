import type { Score } from "@mbs/artifacts";
import { averageLanguages, type ModelAverages } from "./averages.ts";
import { leastWindows } from "./bootstrap.ts";
import { summariseDistances, type LanguageDistance } from "./language-distances.ts";
import { comparePairs, type PairedDifference } from "./pairs.ts";
import type { ScoredModel } from "./scored-models.ts";
import { summarise, summariseSources, type LanguageResult, type SourceResult } from "./results.ts";

/** What `mbs evaluate --json` prints. */
export interface ScoresReport {
  readonly results: readonly LanguageResult[];
  /** One entry a model, all three averages in it. */
  readonly averages: readonly ModelAverages[];
  /** Every other model against the reference. */
  readonly pairs: readonly PairedDifference[];
  /** Every model whose distributions were compared with those of the first one. */
  readonly distances: readonly LanguageDistance[];
  /** Results by source, where sources were kept apart. */
  readonly sources: readonly SourceResult[];
  /** What could not be compared, or has no interval, and why. */
  readonly notes: readonly string[];
}

/** Without intervals nothing can be claimed, so that finding nothing then means nothing. */
function noteFewWindows(results: readonly LanguageResult[]): string[] {
  const few = new Set(results.filter(({ windows }) => windows < leastWindows).map(({ language }) => language));
  if (few.size === 0) return [];
  return [
    `fewer than ${leastWindows} windows of ${[...few].join(", ")}: no intervals there, nor of means over languages, so nothing can be claimed of them; give more text, or more --windows`,
  ];
}

/** Rounding activations is part of what is measured: a rise above a model in float32 is not of the weights alone. */
function noteActivations(models: ReadonlyMap<string, ScoredModel>): string[] {
  const rounded = [...models].filter(([, { activations }]) => activations === "int8").map(([name]) => name);
  if (rounded.length === 0) return [];
  return [
    `${rounded.join(", ")}: evaluated with activations rounded to 8 bits (--activations int8); not to be compared with scores in float32`,
  ];
}

/** Nats a token. Between models so near to the first one, KL was found to say nothing about which of them is better. */
const nearLossless = 0.001;

function noteNearLossless(distances: readonly LanguageDistance[]): string[] {
  const models = [...new Set(distances.map(({ model }) => model))];
  const near = models.filter((name) => distances.every(({ model, kl }) => model !== name || kl < nearLossless));
  if (near.length === 0) return [];
  return [
    `${near.join(", ")}: KL below ${nearLossless} nats a token in every language, nearly lossless; differences of KL this small do not show which model is better`,
  ];
}

/**
 * Sums up the scores of any number of models.
 *
 * @param shares training mixture for the weighted average, on any scale
 * @param reference the model that others are compared with; default the first
 * @param models as the scores' metadata describe them, by name
 * @throws {UsageError} where the reference has no scores
 */
export function scoresReport(
  scores: readonly Score[],
  shares?: Readonly<Record<string, number>>,
  reference?: string,
  models: ReadonlyMap<string, ScoredModel> = new Map(),
): ScoresReport {
  const { pairs, notes } = comparePairs(scores, reference);
  const results = summarise(scores);
  const distances = summariseDistances(scores);
  return {
    results,
    averages: averageLanguages(scores, shares, reference),
    pairs,
    distances,
    sources: summariseSources(scores),
    notes: [...noteActivations(models), ...notes, ...noteFewWindows(results), ...noteNearLossless(distances)],
  };
}
