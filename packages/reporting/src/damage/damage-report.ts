import { meanDamages } from "@mbs/artifacts";
import type { DamageMetadata, DamageRecord } from "@mbs/artifacts";
import { groupBy, valueAt } from "@mbs/contracts";
import { mean, testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { damageExponent, mostRatio, predictLoss } from "./damage-law.ts";
import type { MeasuredLanguage, PredictedLoss, Unpredicted } from "./damage-law.ts";

/** What one site does to one language: its tensors together. */
export interface SiteDamage {
  readonly block: string;
  readonly site: string;
  /** Σ error / Σ output over the tensors that read the site. */
  readonly damage: number;
  /** `damage` against the mean of it over all languages: above 1 the site hurts this language more than others. */
  readonly againstOthers: number;
}

export interface LanguageDamage {
  readonly language: string;
  /** Mean over tensors. */
  readonly damage: number;
  /** Largest damage first. */
  readonly sites: readonly SiteDamage[];
  /** Rise of the loss above the dense model's that was measured, nats a token; only with scores. */
  readonly loss?: number;
  /** The same as predicted from another model that was measured; only where one is given and says something of the language. */
  readonly predicted?: PredictedLoss;
  /** Why it is not predicted; only where a measured model is given. */
  readonly unpredicted?: Unpredicted;
}

/** How prediction and measurement compare, over languages of which both are known. */
export interface PredictionQuality {
  readonly languages: number;
  /** Mean distance of the predictions from what was measured, nats a token. */
  readonly error: number;
  /** The same where it is predicted that nothing changes. */
  readonly errorOfNoChange: number;
  /** Languages that lose what their interval says. */
  readonly within: number;
}

/** What `mbs predict --json` prints. */
export interface DamageReport {
  readonly solver: string;
  readonly tensors: number;
  /** The compressed model that was scored; only with scores. */
  readonly scored?: string;
  /** The model that losses are predicted from; only where one is given. */
  readonly measured?: string;
  /** Largest predicted loss first, or largest damage where nothing is predicted. */
  readonly languages: readonly LanguageDamage[];
  /** Mean damage of the tensors of each block, block by block in the order of the model. */
  readonly blocks: readonly { readonly block: string; readonly language: string; readonly damage: number }[];
  /** Whether languages with more damage lost more, over three languages and more. */
  readonly spearman?: TestedCorrelation;
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

/** @returns undefined also where the measured model is the scored one itself: its losses prove nothing */
function qualityOf(languages: readonly LanguageDamage[], { measured }: DamageMetadata): PredictionQuality | undefined {
  const known = languages.flatMap(({ language, loss, predicted }) => {
    const before = measured?.losses[language];
    return loss === undefined || predicted === undefined || before === undefined ? [] : [{ loss, predicted, before }];
  });
  if (known.every(({ loss, before }) => loss === before)) return undefined;
  return {
    languages: known.length,
    error: mean(known.map(({ loss, predicted }) => Math.abs(predicted.loss - loss))),
    errorOfNoChange: mean(known.map(({ loss, before }) => Math.abs(before - loss))),
    within: known.filter(({ loss, predicted: { interval } }) => loss >= interval[0] && loss <= interval[1]).length,
  };
}

const namesOf = (languages: readonly LanguageDamage[], reason: Unpredicted): string =>
  languages.flatMap(({ language, unpredicted }) => (unpredicted === reason ? [language] : [])).join(", ");

const sortedNames = (solvers: string): string => solvers.split(", ").sort().join(", ");

/** What predictions rest on, and of which languages there are none. */
function predictionNotes(languages: readonly LanguageDamage[], { solver, measured }: DamageMetadata): string[] {
  if (measured === undefined)
    return ["No losses are predicted: --measured takes the damage of another compression that was scored."];
  const [unmeasured, lossless, far] = (["not measured", "nothing lost", "too far"] as const).map((reason) =>
    namesOf(languages, reason),
  );
  return [
    `Losses are predicted from what ${measured.model} lost: within a language they go as its damage to the power of ${damageExponent}, with one method and the same strength of it. Intervals (95%) count the windows that it was scored on, other draws of calibration text, and how far off the law was on one real model.`,
    ...(sortedNames(solver) === sortedNames(measured.solver)
      ? []
      : [
          `${measured.model} was made by ${measured.solver}, these layers by ${solver}: the law was not measured between two methods, so do not rely on these losses.`,
        ]),
    ...(unmeasured
      ? [`No loss is predicted of ${unmeasured}: ${measured.model} was not scored there, or on fewer than 5 windows.`]
      : []),
    ...(lossless
      ? [`No loss is predicted of ${lossless}: ${measured.model} lost nothing there that stands out from chance.`]
      : []),
    ...(far
      ? [
          `No loss is predicted of ${far}: the damage is more than ${mostRatio} times larger or smaller than that of ${measured.model}.`,
        ]
      : []),
  ];
}

function notesOf(records: readonly DamageRecord[], languages: readonly LanguageDamage[], metadata: DamageMetadata): string[] {
  const diagonals = records.filter(({ moment }) => moment === "diagonal").length;
  const share = `${diagonals} of ${records.length} numbers are from diagonals alone, which take channels as uncorrelated.`;
  return [
    "Damage is the error of each layer's output, against the output itself. It orders ways to compress within a language; equal damage is no equal loss in two languages.",
    ...predictionNotes(languages, metadata),
    ...(diagonals > 0 ? [share] : []),
  ];
}

/** What is known of each language of a measured model. */
function measuredLanguages({ measured }: DamageMetadata): ReadonlyMap<string, MeasuredLanguage> {
  if (measured === undefined) return new Map();
  const [losses, intervals] = [new Map(Object.entries(measured.losses)), new Map(Object.entries(measured.intervals))];
  return new Map(
    Object.entries(measured.damages).flatMap(([language, damage]) => {
      const [loss, interval] = [losses.get(language), intervals.get(language)];
      return loss === undefined ? [] : [[language, { damage, loss, ...(interval && { interval }) }] as const];
    }),
  );
}

/** Sums up what layers do to each language, predicts what it loses, and compares that with what was measured, where these are known. */
export function damageReport(records: readonly DamageRecord[], metadata: DamageMetadata): DamageReport {
  const sites = siteDamage(records);
  const { scored, lossRises = {}, measured } = metadata;
  const lost = new Map(Object.entries(lossRises));
  const before = measuredLanguages(metadata);
  const languages = [...meanDamages(records)]
    .map(([language, damage]): LanguageDamage => {
      const [loss, predicted] = [lost.get(language), predictLoss(before.get(language), damage)];
      const isPredicted = typeof predicted !== "string";
      return {
        language,
        damage,
        sites: valueAt(sites, language),
        ...(loss !== undefined && { loss }),
        ...(isPredicted && { predicted }),
        ...(!isPredicted && measured !== undefined && { unpredicted: predicted }),
      };
    })
    .sort((a, b) => (b.predicted?.loss ?? -Infinity) - (a.predicted?.loss ?? -Infinity) || b.damage - a.damage);
  const scoredLanguages = languages.filter(({ loss }) => loss !== undefined);
  const quality = qualityOf(languages, metadata);
  return {
    solver: metadata.solver,
    tensors: new Set(records.map(({ tensor }) => tensor)).size,
    ...(scored !== "" && { scored }),
    ...(measured !== undefined && { measured: measured.model }),
    languages,
    blocks: blockDamage(records),
    ...(scoredLanguages.length > 2 && {
      spearman: testCorrelation(
        "spearman",
        scoredLanguages.map(({ damage }) => damage),
        scoredLanguages.map(({ loss = NaN }) => loss),
      ),
    }),
    ...(quality !== undefined && { quality }),
    notes: notesOf(records, languages, metadata),
  };
}
