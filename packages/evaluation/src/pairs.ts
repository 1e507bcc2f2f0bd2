import { groupScores, logPerplexity, sameWindows, sumLosses, type ModelScores, type Score } from "@mbs/artifacts";
import { UsageError, at } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import { bootstrapInterval, resampleLosses } from "./bootstrap.ts";

/** A model against the reference in one language, on the same windows. */
export interface PairedDifference {
  readonly model: string;
  readonly reference: string;
  readonly language: string;
  /** Relative rise of perplexity: 0.05 is 5% above the reference. */
  readonly rise: number;
  /** 95% bootstrap interval of the rise, over the same windows for both; NaN (null in JSON) of fewer than five windows. */
  readonly interval: Interval;
  readonly excludesZero: boolean;
}

export interface PairedDifferences {
  readonly pairs: readonly PairedDifference[];
  /** What could not be compared, and why. */
  readonly notes: readonly string[];
}

/** Whether an interval excludes zero; that of too few windows (NaN) does not. */
export const excludesZero = ([low, high]: Interval): boolean => low > 0 || high < 0;

/** The model that the others are compared with: the named one, else the first. */
export function referenceOf(models: readonly ModelScores[], reference: string | undefined): ModelScores {
  const found = reference === undefined ? models[0] : models.find(({ model }) => model === reference);
  if (found) return found;
  throw new UsageError(
    `no scores of the reference ${String(reference)}; there are ${models.map(({ model }) => model).join(", ")}`,
  );
}

/** The languages in which both were scored on the same windows. */
export function comparableLanguages(model: ModelScores, reference: ModelScores): readonly string[] {
  return commonWindows(model, reference).map(({ language }) => language);
}

/** The windows of two models in one language, the same ones. */
interface CommonWindows {
  readonly language: string;
  readonly own: readonly Score[];
  readonly other: readonly Score[];
}

const commonWindows = (model: ModelScores, reference: ModelScores): readonly CommonWindows[] =>
  [...model.languages].flatMap(([language, own]) => {
    const other = reference.languages.get(language);
    return other !== undefined && sameWindows(own, other) ? [{ language, own, other }] : [];
  });

function pairOf(model: string, reference: string, { language, own, other }: CommonWindows, seed: number): PairedDifference {
  const draws = resampleLosses(own, language, seed);
  const rises = resampleLosses(other, language, seed).map((loss, index) => Math.expm1(at(draws, index) - loss));
  const interval = bootstrapInterval(rises, own.length);
  return {
    model,
    reference,
    language,
    rise: Math.expm1(logPerplexity(sumLosses(own)) - logPerplexity(sumLosses(other))),
    interval,
    excludesZero: excludesZero(interval),
  };
}

/**
 * Every other model against the reference, language by language. Models that were not scored on the same windows (because
 * their tokenizers differ) are left out with a note; their bits per byte can still be compared.
 *
 * @param reference default: the first model
 * @throws {UsageError} where the reference has no scores
 */
export function comparePairs(scores: Iterable<Score>, reference?: string, seed = 0): PairedDifferences {
  const models = groupScores(scores);
  if (models.length === 0) return { pairs: [], notes: [] };
  const against = referenceOf(models, reference);
  const pairs: PairedDifference[] = [];
  const notes: string[] = [];
  for (const model of models) {
    if (model === against) continue;
    const common = commonWindows(model, against);
    const left = [...model.languages.keys()].filter((language) => !common.some((windows) => windows.language === language));
    if (left.length > 0) {
      notes.push(
        `${model.model} and ${against.model} were not scored on the same windows in ${left.join(", ")}: compare their bits per byte`,
      );
    }
    for (const windows of common) pairs.push(pairOf(model.model, against.model, windows, seed));
  }
  return { pairs, notes };
}
