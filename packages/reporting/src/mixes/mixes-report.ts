import type { MixRecord, MixesMetadata, NumbersByName } from "@mbs/artifacts";
import { BadDataError, formatLanguageMix } from "@mbs/contracts";
import { groupBy } from "@mbs/contracts";
import type { Group } from "@mbs/contracts";
import type { Interval } from "@mbs/evaluation";
import { byTrainingShare, numberOf } from "../language-order.ts";

/** What a language is predicted to lose with a mix, in nats a token. */
export interface PredictedLoss {
  readonly language: string;
  /** Its share of the text. */
  readonly weight: number;
  readonly loss: number;
  /** 95%: of the measured mix over windows, of others also over draws of calibration text and the error of the law. */
  readonly interval: Interval;
}

/** One mix and what it is predicted to do. */
export interface ReportedMix {
  readonly name: string;
  /** As `mbs sample --mix weights:` takes it. */
  readonly mix: string;
  readonly languages: readonly PredictedLoss[];
  /** Mean loss, every language counting the same. */
  readonly unweighted: number;
  /** Mean loss, languages counting by their importance. */
  readonly weighted: number;
  readonly worst: { readonly language: string; readonly loss: number };
  /** Whether the compressed model was calibrated with it, so that its losses are measured and not predicted. */
  readonly isMeasured: boolean;
}

/** What `mbs mix --json` prints. */
export interface MixesReport {
  /** The compressed model that was measured. */
  readonly model: string;
  /** Shares of its calibration text. */
  readonly measured: NumbersByName;
  readonly recommended: ReportedMix;
  readonly mixes: readonly ReportedMix[];
  /** What the numbers mean and do not mean. */
  readonly notes: readonly string[];
}

/** Σ wₗ·lossₗ / Σ wₗ */
function meanOf(languages: readonly PredictedLoss[], weightOf: (language: string) => number): number {
  const sum = languages.reduce((total, { language }) => total + weightOf(language), 0);
  return languages.reduce((total, { language, loss }) => total + weightOf(language) * loss, 0) / sum;
}

function reportedMix(records: Group<MixRecord>, { importance, measured }: MixesMetadata): ReportedMix {
  const languages = records.map(({ language, weight, loss, low, high }): PredictedLoss => ({
    language,
    weight,
    loss,
    interval: [low, high],
  }));
  const worst = languages.reduce((most, next) => (next.loss > most.loss ? next : most));
  return {
    name: records[0].mix,
    mix: formatLanguageMix(new Map(languages.map(({ language, weight }) => [language, weight]))),
    languages: byTrainingShare(languages, ({ language }) => language, importance),
    unweighted: meanOf(languages, () => 1),
    weighted: meanOf(languages, (language) => numberOf(importance, language)),
    worst: { language: worst.language, loss: worst.loss },
    // weights have three digits
    isMeasured: languages.every(({ language, weight }) => Math.abs(weight - numberOf(measured, language)) < 0.01 * weight),
  };
}

/** Refuses mixes that do not each have every language once: their tables would have holes. */
function requireWhole(records: readonly MixRecord[], mixes: ReadonlyMap<string, readonly MixRecord[]>): void {
  const languages = new Set(records.map(({ language }) => language));
  for (const [name, own] of mixes) {
    for (const language of languages) {
      const rows = own.filter((record) => record.language === language).length;
      if (rows !== 1) throw new BadDataError(`mixes: ${name} has ${rows} rows of ${language}, not one; make them again`);
    }
  }
}

/**
 * Sums up mixes and what they are predicted to do.
 *
 * @throws {BadDataError} where the recommended one is not among them, one has not every language once, or no language counts
 */
export function mixesReport(records: readonly MixRecord[], metadata: MixesMetadata): MixesReport {
  const { model, dense, measured, exponent, power, recommended: name, importance } = metadata;
  const byMix = groupBy(records, ({ mix }) => mix);
  if (records.every(({ language }) => numberOf(importance, language) === 0))
    throw new BadDataError("mixes: importance names none of the languages; make them again");
  requireWhole(records, byMix);
  const mixes = [...byMix.values()].map((own) => reportedMix(own, metadata));
  const recommended = mixes.find((mix) => mix.name === name);
  if (!recommended)
    throw new BadDataError(`mixes: the recommended ${name} is not among ${[...byMix.keys()].join(", ")}; make them again`);
  const notes = [
    `The recommended mix has the least mean, by importance, of losses to the power of ${power}${power > 1 ? ", in which large losses count more" : ""}.`,
    `Predicted from what ${model} lost above ${dense}: the loss of a language goes as its share of the calibration text to the power of −${exponent}, the amount of text in all staying the same.`,
    "Intervals (95%) are of compressing again with the recommended mix: they count the windows that were scored, another draw of calibration text, and how far off the law was on one real model. Before you keep a mix, compress with it and evaluate on texts that it was not chosen by.",
  ];
  return { model, measured, recommended, mixes, notes };
}
