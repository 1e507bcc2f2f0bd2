import { bitsPerByte, groupScores, logPerplexity, sumLosses } from "@mbs/artifacts";
import type { LossSums, ModelScores, Score } from "@mbs/artifacts";
import { InternalError, at } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import { bootstrapInterval, resampleLosses, resamples } from "./bootstrap.ts";
import { comparableLanguages, excludesZero, referenceOf } from "./pairs.ts";

/** A mean over languages. */
export interface Average {
  /** Geometric mean of the languages' perplexities. */
  readonly perplexity: number;
  /** 95% bootstrap interval, as that of the rise: NaN (null in JSON) where a language has fewer than five windows. */
  readonly interval: Interval;
  /** Mean of the languages' bits per byte, by the same weights. */
  readonly bitsPerByte: number;
  /** Relative rise of the mean above the reference's; absent for the reference, and where windows differ. */
  readonly rise?: number;
  readonly riseInterval?: Interval;
  readonly excludesZero?: boolean;
}

export interface WorstLanguage {
  readonly language: string;
  readonly perplexity: number;
}

export interface WorstRise {
  readonly language: string;
  readonly rise: number;
  /**
   * 95% paired bootstrap interval of this language's rise; NaN (null in JSON) where it has fewer than five windows. The
   * language was chosen for its large rise, so that the interval lies too high: whether it excludes zero says nothing.
   */
  readonly interval: Interval;
}

/** Three views of one model. They answer different questions and belong together. */
export interface ModelAverages {
  readonly model: string;
  /** Every language counts the same: what an equal mix is meant for. */
  readonly unweighted: Average;
  /** Languages count as in the training mixture: what a proportional mix is meant for. Absent where no shares are known. */
  readonly weighted?: Average;
  /** The language with the highest perplexity. */
  readonly worst: WorstLanguage;
  /** The language whose perplexity rose most above the reference; absent for the reference, and where windows differ. */
  readonly worstRise?: WorstRise;
}

type Weights = ReadonlyMap<string, number>;

function normalised(weights: Weights): Weights {
  const sum = [...weights.values()].reduce((all, weight) => all + weight, 0);
  return new Map([...weights].map(([language, weight]) => [language, weight / sum]));
}

function weightedMean(weights: Weights, valueOf: (language: string) => number): number {
  return [...weights].reduce((sum, [language, weight]) => sum + weight * valueOf(language), 0);
}

/** A model in one language: the sums over its windows, and what it loses in each of their draws, nats a token. */
interface MeasuredLanguage {
  readonly windows: number;
  readonly sums: LossSums;
  readonly draws: Float64Array;
}

type Measured = ReadonlyMap<string, MeasuredLanguage>;

/** A model's sums and their bootstrap draws, by language. */
const measure = ({ languages }: ModelScores, seed: number): Measured =>
  new Map(
    [...languages].map(([language, windows]) => [
      language,
      { windows: windows.length, sums: sumLosses(windows), draws: resampleLosses(windows, language, seed) },
    ]),
  );

function measuredIn(measured: Measured, language: string): MeasuredLanguage {
  const found = measured.get(language);
  if (found === undefined) throw new InternalError(`nothing was measured in ${language}`, { language });
  return found;
}

const logOf = (measured: Measured, language: string): number => logPerplexity(measuredIn(measured, language).sums);
const drawsOf = (measured: Measured, language: string): Float64Array => measuredIn(measured, language).draws;

/** The interval over all draws of a figure of some languages. */
function intervalOf(measured: Measured, languages: readonly string[], draws: Float64Array): Interval {
  const fewest = Math.min(...languages.map((language) => measuredIn(measured, language).windows));
  return bootstrapInterval(draws, fewest);
}

/** The weighted mean over languages in each draw. @param valuesOf those of a language */
function meanOfDraws(weights: Weights, valuesOf: (language: string) => Float64Array): Float64Array {
  const sums = new Float64Array(resamples);
  for (const [language, weight] of weights) {
    for (const [draw, value] of valuesOf(language).entries()) sums[draw] = at(sums, draw) + weight * value;
  }
  return sums;
}

/** By how much a language loses more than in the reference, nats a token, in each draw. */
const risesOf = (own: Measured, reference: Measured, language: string): Float64Array => {
  const other = drawsOf(reference, language);
  return drawsOf(own, language).map((loss, draw) => loss - at(other, draw));
};

function averageOf(weights: Weights, own: Measured, reference: Measured | undefined): Average {
  const languages = [...weights.keys()];
  const means = meanOfDraws(weights, (language) => drawsOf(own, language));
  const average = {
    perplexity: Math.exp(weightedMean(weights, (language) => logOf(own, language))),
    interval: intervalOf(own, languages, means.map(Math.exp)),
    bitsPerByte: weightedMean(weights, (language) => bitsPerByte(measuredIn(own, language).sums)),
  };
  if (!reference) return average;
  const rise = Math.expm1(weightedMean(weights, (language) => logOf(own, language) - logOf(reference, language)));
  const rises = meanOfDraws(weights, (language) => risesOf(own, reference, language));
  const riseInterval = intervalOf(own, languages, rises.map(Math.expm1));
  return { ...average, rise, riseInterval, excludesZero: excludesZero(riseInterval) };
}

function largest(languages: readonly string[], valueOf: (language: string) => number): { language: string; value: number } {
  return languages
    .map((language) => ({ language, value: valueOf(language) }))
    .reduce((best, next) => (next.value > best.value ? next : best));
}

function worstRiseOf(languages: readonly string[], own: Measured, reference: Measured): WorstRise {
  const { language, value } = largest(languages, (name) => Math.expm1(logOf(own, name) - logOf(reference, name)));
  const interval = intervalOf(own, [language], risesOf(own, reference, language).map(Math.expm1));
  return { language, rise: value, interval };
}

/**
 * The averages of each model over its languages.
 *
 * Intervals are bootstrapped over the windows of all languages at once.
 *
 * @param shares training mixture, on any scale; languages without a share do not count in the weighted average
 * @param reference default: the first model
 */
export function averageLanguages(
  scores: Iterable<Score>,
  shares?: Readonly<Record<string, number>>,
  reference?: string,
  seed = 0,
): readonly ModelAverages[] {
  const models = groupScores(scores);
  if (models.length === 0) return [];
  const against = referenceOf(models, reference);
  const measuredReference = measure(against, seed);
  return models.map((model) => {
    const own = model === against ? measuredReference : measure(model, seed);
    const languages = [...model.languages.keys()];
    const paired = model !== against && comparableLanguages(model, against).length === languages.length;
    const other = paired ? measuredReference : undefined;
    const known = new Map(Object.entries(shares ?? {}));
    const shared = new Map(
      languages.flatMap((language) => {
        const share = known.get(language);
        return share === undefined ? [] : [[language, share] as const];
      }),
    );
    const worst = largest(languages, (language) => Math.exp(logOf(own, language)));
    return {
      model: model.model,
      unweighted: averageOf(normalised(new Map(languages.map((language) => [language, 1]))), own, other),
      ...(shared.size > 0 ? { weighted: averageOf(normalised(shared), own, other) } : {}),
      worst: { language: worst.language, perplexity: worst.value },
      ...(other ? { worstRise: worstRiseOf(languages, own, other) } : {}),
    };
  });
}
