import { weightedDamage } from "@mbs/artifacts";
import type { DamageByLanguage, MixRecord, MixesMetadata, NumbersByName } from "@mbs/artifacts";
import { BadDataError, formatLanguageMix } from "@mbs/contracts";
import { groupBy } from "@mbs/contracts";
import type { Group } from "@mbs/contracts";
import { byTrainingShare } from "../language-order.ts";

/** One mix and what it is predicted to do. */
export interface ReportedMix {
  readonly name: string;
  /** Round of the search that found it, 0 for mixes compared from the start. */
  readonly round: number;
  /** As `mbs factor --mix` takes it. */
  readonly mix: string;
  readonly languages: readonly { readonly language: string; readonly weight: number; readonly damage: number }[];
  /** Mean damage, every language counting the same. */
  readonly unweighted: number;
  /** Mean damage, languages counting as in the training mixture; absent where it is not known. */
  readonly weighted?: number;
  readonly worst: { readonly language: string; readonly damage: number };
  /** Mean damage under the importances that were given. */
  readonly important?: number;
}

/** What `mbs mix --json` prints, beside the cost. */
export interface MixesReport {
  readonly strategy: string;
  readonly solver: string;
  /** Of factor and compress. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly tensors: number;
  readonly recommended: ReportedMix;
  /** All that were tried, in order; one under two names stands twice. */
  readonly mixes: readonly ReportedMix[];
  /** What the numbers mean and do not mean. */
  readonly notes: readonly string[];
}

/** What is said of how the search ended; nothing where there was none. */
const endings: ReadonlyMap<string, string> = new Map([
  [
    "converged",
    "The search has converged: the mean under the mix is within 1% of the worst, or importances leave nothing to search.",
  ],
  ["block", "The search ended where smaller blocks did not help."],
  ["rounds", "The search used up its rounds; more --rounds may find a better mix."],
]);

/** The mean damage under weights that some of the languages have. */
function damageUnder(weights: NumbersByName | undefined, damages: DamageByLanguage): number | undefined {
  const known = new Map(Object.entries(weights ?? {}));
  return [...damages.keys()].some((language) => (known.get(language) ?? 0) > 0) ? weightedDamage(damages, known) : undefined;
}

function reportedMix(
  records: Group<MixRecord>,
  shares: NumbersByName | undefined,
  importance: NumbersByName | undefined,
): ReportedMix {
  const [{ mix: name, round }] = records;
  const languages = records.map(({ language, weight, damage }) => ({ language, weight, damage }));
  const damages = new Map(languages.map(({ language, damage }) => [language, damage]));
  const [weighted, important] = [damageUnder(shares, damages), damageUnder(importance, damages)];
  const worst = languages.reduce((most, next) => (next.damage > most.damage ? next : most));
  return {
    name,
    round,
    mix: formatLanguageMix(new Map(languages.map(({ language, weight }) => [language, weight]))),
    languages: byTrainingShare(languages, ({ language }) => language, shares),
    unweighted: weightedDamage(damages, new Map(languages.map(({ language }) => [language, 1]))),
    ...(weighted !== undefined && { weighted }),
    worst: { language: worst.language, damage: worst.damage },
    ...(important !== undefined && { important }),
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
 * Sums up the mixes that were tried.
 *
 * @throws {BadDataError} where the recommended one is not among them, or one has not every language once
 */
export function mixesReport(records: readonly MixRecord[], metadata: MixesMetadata): MixesReport {
  const { strategy, solver, options, tensors, recommended: name, ended, shares, importance } = metadata;
  const byMix = groupBy(records, ({ mix }) => mix);
  requireWhole(records, byMix);
  const mixes = [...byMix.values()].map((own) => reportedMix(own, shares, importance));
  const recommended = mixes.find((mix) => mix.name === name);
  if (!recommended)
    throw new BadDataError(`mixes: the recommended ${name} is not among ${[...byMix.keys()].join(", ")}; make them again`);
  const tried = new Set(mixes.map(({ mix }) => mix)).size;
  const notes = [
    `Damage is the mean over ${tensors} tensors of the error of their outputs, against the outputs themselves, in each language: it ranks mixes, and is no rise of perplexity.`,
    ...[endings.get(ended)].filter((text) => text !== undefined),
    `${tried} mixes were tried, each as much work as one compression and one prediction, from one capture.`,
  ];
  return { strategy, solver, options, tensors, recommended, mixes, notes };
}
