import type { Score } from "@mbs/artifacts";
import type { ScoredModel, ScoresReport } from "@mbs/evaluation";
import { compressedModels, isSameMix } from "../compressed-models.ts";
import { distanceToMix } from "../similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity-matrix.ts";
import type { Finding, MeasuredRise } from "./finding.ts";
import { methodsDisagree } from "./methods-signature.ts";
import type { MethodRises } from "./methods-signature.ts";
import { Comparisons, groupMixes, risesOfLanguage, risesOfMean } from "./mix-groups.ts";
import type { GroupComparison, MixGroup } from "./mix-groups.ts";
import { mixWorseThanAlone } from "./mix-signature.ts";
import type { MixAgainstAlone } from "./mix-signature.ts";
import { rareLanguagesFall } from "./rare-language-signature.ts";
import type { LanguageUnderMix, LanguagesUnderMix } from "./rare-language-signature.ts";

type NumbersByLanguage = Readonly<Record<string, number>>;

/** Results to be diagnosed. */
export interface DiagnosisInput {
  readonly scores: readonly Score[];
  /** The scores summed up; its reference is the dense model. */
  readonly report: ScoresReport;
  /** The training mixture, on any scale. */
  readonly shares: NumbersByLanguage | undefined;
  readonly models: ReadonlyMap<string, ScoredModel>;
  /** Tokens of each language in each calibration text that is known. */
  readonly calibrations: readonly NumbersByLanguage[];
  /** Degrees between languages. */
  readonly angles: SimilarityMatrix | undefined;
}

/** What `mbs diagnose --json` prints. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** What could not be looked at, and what it would take. */
  readonly notes: readonly string[];
}

const isAlone = ({ mix }: MixGroup): boolean => Object.keys(mix).length === 1;

/** A language whose rises all lie on one side of zero. */
function clearLanguages({ pairs }: GroupComparison, side: (rise: MeasuredRise) => boolean): string[] {
  const [first = []] = pairs;
  return first
    .map(({ language }) => language)
    .filter((language) => pairs.every((own) => own.some((pair) => pair.language === language && side(pair))));
}

function mixAgainstAlone(group: MixGroup, alone: MixGroup, comparisons: Comparisons): MixAgainstAlone {
  const comparison = comparisons.between(group, alone);
  const [own, other] = [group, alone].map((models) => comparisons.withDense(models).averages);
  return {
    method: group.method,
    mix: group.mixName,
    alone: Object.keys(alone.mix)[0],
    models: [...group.models, ...alone.models],
    unweighted: risesOfMean(comparison, "unweighted"),
    weighted: risesOfMean(comparison, "weighted"),
    worst: own.flatMap(({ worstRise }, seed) => {
      const worstAlone = other[seed % other.length]?.worstRise;
      return worstRise && worstAlone ? [{ mix: worstRise, alone: worstAlone }] : [];
    }),
    losers: clearLanguages(comparison, ({ interval }) => interval[0] > 0),
    winners: clearLanguages(comparison, ({ interval }) => interval[1] < 0),
  };
}

/** English where it was tried, else the language with the largest training share. */
function mainAlone(groups: readonly MixGroup[], shares: NumbersByLanguage | undefined): MixGroup | undefined {
  const weight = ({ mix }: MixGroup): number => {
    const [language] = Object.keys(mix);
    return language === "en" ? Infinity : (shares?.[language] ?? 0);
  };
  return groups.filter(isAlone).sort((a, b) => weight(b) - weight(a))[0];
}

function languagesUnderMix(
  group: MixGroup,
  others: readonly MixGroup[],
  comparisons: Comparisons,
  { shares = {}, calibrations, angles }: DiagnosisInput,
): LanguagesUnderMix {
  const dense = comparisons.withDense(group);
  const scored = (dense.pairs[0] ?? []).map(({ language }) => language).filter((language) => Object.hasOwn(shares, language));
  const training = scored.reduce((sum, language) => sum + shares[language], 0);
  const tokens = calibrations.find((calibration) => isSameMix(calibration, group.mix));
  const shareIn = ({ mix }: MixGroup, language: string): number => (Object.hasOwn(mix, language) ? mix[language] : 0);
  const moreText = (language: string): LanguageUnderMix["withMoreText"] => {
    const [most] = others
      .filter((other) => !isAlone(other) && shareIn(other, language) >= 2 * shareIn(group, language))
      .sort((a, b) => shareIn(b, language) - shareIn(a, language));
    if (most === undefined || shareIn(group, language) === 0) return undefined;
    return {
      mix: most.mixName,
      mixShare: shareIn(most, language),
      differences: risesOfLanguage(comparisons.between(most, group), language),
    };
  };
  return {
    method: group.method,
    mix: group.mixName,
    models: group.models,
    unweighted: risesOfMean(dense, "unweighted"),
    languages: scored.map((language): LanguageUnderMix => {
      const angle = angles && distanceToMix(angles, language, group.mix);
      const withMoreText = moreText(language);
      return {
        language,
        trainingShare: shares[language] / training,
        mixShare: shareIn(group, language),
        rises: risesOfLanguage(dense, language),
        ...(tokens && { tokens: tokens[language] ?? 0 }),
        ...(angle !== undefined && { angle }),
        ...(withMoreText && { withMoreText }),
      };
    }),
  };
}

function methodRises(group: MixGroup, comparisons: Comparisons): MethodRises {
  const dense = comparisons.withDense(group);
  const languages = [...new Set(dense.pairs.flatMap((own) => own.map(({ language }) => language)))];
  return {
    method: group.method,
    models: group.models,
    unweighted: risesOfMean(dense, "unweighted"),
    languages: new Map(languages.map((language) => [language, risesOfLanguage(dense, language)])),
  };
}

function missing({ shares, angles, models, report }: DiagnosisInput, groups: readonly MixGroup[]): string[] {
  const unknown = report.averages.filter(({ model }, index) => index > 0 && models.get(model)?.made === undefined);
  return [
    ...report.notes,
    ...(unknown.length > 0
      ? [
          `How ${unknown.map(({ model }) => model).join(", ")} was made is not known (no mbs.json in its folder when it was scored): left out.`,
        ]
      : []),
    ...(groups.some(isAlone)
      ? []
      : ["No model was calibrated with one language alone (mbs sample --mix only:en): mixes are compared with none."]),
    ...(shares ? [] : ["No training shares are known (mbs evaluate --shares): no language is known to be under-represented."]),
    ...(angles ? [] : ["No similarities were given: distance to the mix is not known."]),
  ];
}

/**
 * Looks for the paper's failure signatures in results. A claim needs 95% intervals that leave zero out, with every seed.
 *
 * @see arXiv:2404.04748
 */
export function diagnose(input: DiagnosisInput): Diagnosis {
  const groups = groupMixes(compressedModels(input.models, input.shares));
  const comparisons = new Comparisons(input.scores, input.shares, input.report);
  // Groups that were not scored on the reference's windows have no rises.
  const paired = groups.filter((group) => risesOfMean(comparisons.withDense(group), "unweighted").length === group.models.length);
  const mixed = paired.filter((group) => !isAlone(group));
  const findings: (Finding | undefined)[] = [];
  for (const group of mixed) {
    const siblings = paired.filter((other) => other !== group && other.methodKey === group.methodKey);
    const alone = mainAlone(siblings, input.shares);
    if (alone) findings.push(mixWorseThanAlone(mixAgainstAlone(group, alone, comparisons)));
  }
  for (const group of mixed) {
    const siblings = paired.filter((other) => other !== group && other.methodKey === group.methodKey);
    findings.push(rareLanguagesFall(languagesUnderMix(group, siblings, comparisons, input)));
  }
  for (const [index, first] of mixed.entries()) {
    for (const second of mixed.slice(index + 1)) {
      const otherSolver = first.solvers.join() !== second.solvers.join();
      if (!otherSolver || !isSameMix(first.mix, second.mix)) continue;
      findings.push(methodsDisagree(first.mixName, methodRises(first, comparisons), methodRises(second, comparisons)));
    }
  }
  return { findings: findings.filter((finding) => finding !== undefined), notes: missing(input, groups) };
}
