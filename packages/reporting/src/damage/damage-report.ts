import type { DamageMetadata, DamageRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { mean, testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { calibrate } from "./calibration.ts";
import type { Calibration } from "./calibration.ts";
import { groupBy, valueAt } from "@mbs/contracts";

/** What one site does to one language: its tensors together. */
export interface SiteDamage {
  readonly block: string;
  readonly site: string;
  /** Σ error / Σ output over the tensors that read the site. */
  readonly damage: number;
  /** `damage` against the mean of it over all languages: above 1 the site hurts this language more than others. */
  readonly againstOthers: number;
}

export interface PredictedLanguage {
  readonly language: string;
  /** Σ of the damage of all tensors: the predictor. */
  readonly sum: number;
  /** The same as a mean over tensors. */
  readonly damage: number;
  /** Largest damage first. */
  readonly sites: readonly SiteDamage[];
  /** Rise of perplexity that was measured, as a fraction; only with scores. */
  readonly rise?: number;
  /** Rise of perplexity predicted by a fit on the other languages; only with scores. */
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
export interface DamageReport {
  readonly solver: string;
  readonly tensors: number;
  /** Largest predicted damage first. */
  readonly languages: readonly PredictedLanguage[];
  /** Mean damage of the tensors of each block, block by block in the order of the model. */
  readonly blocks: readonly { readonly block: string; readonly language: string; readonly damage: number }[];
  readonly quality?: PredictionQuality;
  /** What the numbers mean and do not mean. */
  readonly notes: readonly string[];
}

/** Damage of sites by language, largest first. */
function siteDamage(records: readonly DamageRecord[]): ReadonlyMap<string, readonly SiteDamage[]> {
  const found = new Map<string, SiteDamage[]>();
  for (const atSite of groupBy(records, ({ block, site }) => JSON.stringify([block, site])).values()) {
    const atLanguages = [...groupBy(atSite, ({ language }) => language)].map(([language, tensors]) => {
      const output = tensors.reduce((sum, record) => sum + record.output, 0);
      return { language, damage: output > 0 ? tensors.reduce((sum, { error }) => sum + error, 0) / output : 0 };
    });
    const usual = mean(atLanguages.map(({ damage }) => damage));
    const [{ block, site }] = atSite;
    for (const { language, damage } of atLanguages) {
      const sites = found.get(language) ?? [];
      found.set(language, sites);
      sites.push({ block, site, damage, againstOthers: usual > 0 ? damage / usual : 1 });
    }
  }
  for (const sites of found.values()) sites.sort((a, b) => b.damage - a.damage);
  return found;
}

function blockDamage(records: readonly DamageRecord[]): DamageReport["blocks"] {
  return [...groupBy(records, ({ block }) => block)].flatMap(([block, inBlock]) =>
    [...groupBy(inBlock, ({ language }) => language)].map(([language, tensors]) => ({
      block,
      language,
      damage: mean(tensors.map(({ damage }) => damage)),
    })),
  );
}

interface Fit {
  readonly quality: PredictionQuality;
  /** Language → rise of the loss, nats per token. */
  readonly predicted: ReadonlyMap<string, number>;
}

function fit(sums: ReadonlyMap<string, number>, { scored, lossRises = {} }: DamageMetadata): Fit | undefined {
  const measured = new Map(Object.entries(lossRises));
  const points = [...sums].flatMap(([language, predictor]) => {
    const rise = measured.get(language);
    return rise === undefined ? [] : [{ language, predictor, rise }];
  });
  const calibration = calibrate(points);
  if (!calibration) return undefined;
  const [predictors, actual] = [points.map(({ predictor }) => predictor), points.map(({ rise }) => rise)];
  const { factor, error, errorOfMean, predicted } = calibration;
  return {
    quality: {
      scored,
      languages: points.length,
      factor,
      error,
      errorOfMean,
      pearson: testCorrelation("pearson", predictors, actual),
      spearman: testCorrelation("spearman", predictors, actual),
    },
    predicted: new Map(points.map(({ language }, index) => [language, at(predicted, index)])),
  };
}

function notesOf(records: readonly DamageRecord[], metadata: DamageMetadata, fitted: Fit | undefined): string[] {
  const diagonals = records.filter(({ moment }) => moment === "diagonal").length;
  const share = `${diagonals} of ${records.length} numbers are from diagonals alone, which take channels as uncorrelated.`;
  const meaning =
    "Damage is the error of each layer's output, against the output itself: it ranks languages, and is no rise of perplexity.";
  const calibration = fitted
    ? "Predicted rises are exp(factor · Σ of damage) - 1, a rise of perplexity, with a factor fitted on the other languages of these scores: another model, method or strength needs its own."
    : metadata.lossRises
      ? "The scores share fewer than three languages with the statistics, or fewer than two of these have damage above zero: no rise is predicted."
      : "No scores were given, so no rise is predicted: --scores calibrates it.";
  return [meaning, calibration, ...(diagonals > 0 ? [share] : [])];
}

/** Sums up what layers do to each language, and compares it with what was measured where that is known. */
export function damageReport(records: readonly DamageRecord[], metadata: DamageMetadata): DamageReport {
  const byLanguage = groupBy(records, ({ language }) => language);
  const sums = new Map([...byLanguage].map(([language, own]) => [language, own.reduce((sum, { damage }) => sum + damage, 0)]));
  const sites = siteDamage(records);
  const fitted = fit(sums, metadata);
  const lossRises = new Map(Object.entries(metadata.lossRises ?? {}));
  const languages = [...byLanguage].map(([language, own]): PredictedLanguage => {
    const sum = valueAt(sums, language);
    const lossRise = lossRises.get(language);
    const predictedLossRise = fitted?.predicted.get(language);
    return {
      language,
      sum,
      damage: sum / own.length,
      sites: valueAt(sites, language),
      ...(lossRise === undefined ? {} : { rise: Math.expm1(lossRise) }),
      ...(predictedLossRise === undefined ? {} : { predicted: Math.expm1(predictedLossRise) }),
    };
  });
  return {
    solver: metadata.solver,
    tensors: new Set(records.map(({ tensor }) => tensor)).size,
    languages: languages.sort((a, b) => b.sum - a.sum),
    blocks: blockDamage(records),
    ...(fitted ? { quality: fitted.quality } : {}),
    notes: notesOf(records, metadata, fitted),
  };
}
