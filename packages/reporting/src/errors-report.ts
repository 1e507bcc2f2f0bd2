import { damagesOf } from "@mbs/artifacts";
import type { ErrorsMetadata, LanguageError } from "@mbs/artifacts";
import { testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { calibrate } from "./calibration.ts";
import type { Calibration } from "./calibration.ts";
import { groupBy } from "./groups.ts";

/** What one site does to one language: its tensors together. */
export interface SiteError {
  readonly step: string;
  readonly site: string;
  /** Σ error / Σ output over the tensors that read the site. */
  readonly relative: number;
  /** `relative` against the mean of it over all languages: above 1 the site hurts this language more than others. */
  readonly againstOthers: number;
}

export interface PredictedLanguage {
  readonly language: string;
  /** Σ of the relative errors of all tensors: the predictor. */
  readonly sum: number;
  /** The same as a mean over tensors. */
  readonly mean: number;
  /** Largest error first. */
  readonly sites: readonly SiteError[];
  /** Rise of perplexity that was measured, as a fraction; only with scores. */
  readonly rise?: number;
  /** Rise of perplexity foretold by a fit on the other languages; only with scores. */
  readonly predicted?: number;
}

/** How prediction and measurement compare. */
export interface PredictionQuality extends Pick<Calibration, "factor" | "error" | "errorOfMean"> {
  /** The compressed model that was scored. */
  readonly scored: string;
  readonly languages: number;
  readonly pearson: TestedCorrelation;
  readonly spearman: TestedCorrelation;
}

/** What `mbs predict --json` prints. */
export interface ErrorsReport {
  readonly solver: string;
  readonly tensors: number;
  /** Largest predicted error first. */
  readonly languages: readonly PredictedLanguage[];
  /** Mean relative error of the tensors of each block, block by block in the order of the model. */
  readonly blocks: readonly { readonly step: string; readonly language: string; readonly relative: number }[];
  readonly quality?: PredictionQuality;
  /** What the numbers mean and do not mean. */
  readonly notes: readonly string[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Site errors by language, largest first. */
function siteErrors(records: readonly LanguageError[]): ReadonlyMap<string, readonly SiteError[]> {
  const found = new Map<string, SiteError[]>();
  for (const atSite of groupBy(records, ({ step, site }) => JSON.stringify([step, site])).values()) {
    const errors = [...groupBy(atSite, ({ language }) => language)].map(([language, tensors]) => {
      const output = tensors.reduce((sum, record) => sum + record.output, 0);
      return { language, relative: output > 0 ? tensors.reduce((sum, { error }) => sum + error, 0) / output : 0 };
    });
    const usual = mean(errors.map(({ relative }) => relative));
    const [{ step, site }] = atSite;
    for (const { language, relative } of errors) {
      const sites = found.get(language) ?? [];
      found.set(language, sites);
      sites.push({ step, site, relative, againstOthers: usual > 0 ? relative / usual : 1 });
    }
  }
  for (const sites of found.values()) sites.sort((a, b) => b.relative - a.relative);
  return found;
}

function blockErrors(records: readonly LanguageError[]): ErrorsReport["blocks"] {
  return [...groupBy(records, ({ step }) => step)].flatMap(([step, inStep]) =>
    [...groupBy(inStep, ({ language }) => language)].map(([language, tensors]) => ({
      step,
      language,
      relative: mean(tensors.map(({ relative }) => relative)),
    })),
  );
}

interface Fit {
  readonly quality: PredictionQuality;
  /** Language → rise of the loss, nats a token. */
  readonly predicted: ReadonlyMap<string, number>;
}

function fit(sums: ReadonlyMap<string, number>, { scored, rises: lossRises = {} }: ErrorsMetadata): Fit | undefined {
  const languages = [...sums.keys()].filter((language) => Object.hasOwn(lossRises, language));
  const predictors = languages.map((language) => sums.get(language) ?? 0);
  const actual = languages.map((language) => lossRises[language]);
  const calibration = calibrate(predictors, actual);
  if (!calibration) return undefined;
  const { factor, error, errorOfMean, predicted } = calibration;
  return {
    quality: {
      scored,
      languages: languages.length,
      factor,
      error,
      errorOfMean,
      pearson: testCorrelation("pearson", predictors, actual),
      spearman: testCorrelation("spearman", predictors, actual),
    },
    predicted: new Map(languages.map((language, index) => [language, predicted[index]])),
  };
}

function notesOf(records: readonly LanguageError[], metadata: ErrorsMetadata, fitted: Fit | undefined): string[] {
  const diagonals = records.filter(({ moment }) => moment === "diagonal").length;
  const share = `${diagonals} of ${records.length} errors are from diagonals alone, which take channels as uncorrelated.`;
  const meaning =
    "Errors are of each layer's output, against the output itself: they rank languages, and are no rise of perplexity.";
  const calibration = fitted
    ? "Predicted rises are exp(factor · Σ of the relative errors) - 1, a rise of perplexity, with a factor fitted on the other languages of these scores: another model, method or strength needs its own."
    : metadata.rises
      ? "The scores share fewer than three languages with the statistics, or fewer than two of these have an error above zero: no rise is predicted."
      : "No scores were given, so no rise is predicted: --scores calibrates it.";
  return [meaning, calibration, ...(diagonals > 0 ? [share] : [])];
}

/** Sums up what layers do to each language, and compares it with what was measured where that is known. */
export function errorsReport(records: readonly LanguageError[], metadata: ErrorsMetadata): ErrorsReport {
  const byLanguage = groupBy(records, ({ language }) => language);
  const sums = new Map(
    [...byLanguage].map(([language, own]) => [language, own.reduce((sum, { relative }) => sum + relative, 0)]),
  );
  const damages = damagesOf(records);
  const sites = siteErrors(records);
  const fitted = fit(sums, metadata);
  const lossRises = new Map(Object.entries(metadata.rises ?? {}));
  const languages = [...sums].map(([language, sum]): PredictedLanguage => {
    const lossRise = lossRises.get(language);
    const predictedLossRise = fitted?.predicted.get(language);
    return {
      language,
      sum,
      mean: damages.get(language) ?? 0,
      sites: sites.get(language) ?? [],
      ...(lossRise === undefined ? {} : { rise: Math.expm1(lossRise) }),
      ...(predictedLossRise === undefined ? {} : { predicted: Math.expm1(predictedLossRise) }),
    };
  });
  return {
    solver: metadata.solver,
    tensors: new Set(records.map(({ tensor }) => tensor)).size,
    languages: languages.sort((a, b) => b.sum - a.sum),
    blocks: blockErrors(records),
    ...(fitted ? { quality: fitted.quality } : {}),
    notes: notesOf(records, metadata, fitted),
  };
}
