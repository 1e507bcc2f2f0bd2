import { isSameMix } from "../scores/compressed-models.ts";
import type { DamageReport } from "../damage/damage-report.ts";
import { siteName, siteBeyondOthers } from "../damage/damage-table.ts";
import { numberOf } from "../language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import { distanceToMix } from "../similarity/similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity/similarity-matrix.ts";
import type { ScoredArtifact } from "../scores/scored-artifact.ts";
import { sharesDoNotFit } from "./distribution-signature.ts";
import type { SharesAgainstLosses } from "./distribution-signature.ts";
import type { Finding, MeasuredRise, Signature } from "./finding.ts";
import { methodsDisagree } from "./methods-signature.ts";
import type { MethodRises } from "./methods-signature.ts";
import { Comparisons, groupMixes, pairSeeds, risesOfLanguage, risesOfMean } from "./mix-groups.ts";
import type { GroupComparison, MixGroup } from "./mix-groups.ts";
import { modelsWithTasks, tasksFallUnseen } from "./tasks-signature.ts";
import { mixWorseThanAlone } from "./mix-signature.ts";
import type { MixAgainstAlone } from "./mix-signature.ts";
import { rareLanguagesFall } from "./rare-language-signature.ts";
import type { LanguageUnderMix, LanguagesUnderMix } from "./rare-language-signature.ts";

/** Results to be diagnosed. */
export interface DiagnosisInput {
  readonly scored: ScoredArtifact;
  /** Tokens of each language in each calibration text that is known. */
  readonly calibrations: readonly NumbersByName[];
  /** Predicted damage, and which model in the scores the layers made. */
  readonly damage: readonly { readonly scored: string; readonly report: DamageReport }[];
  /** Degrees between languages. */
  readonly angles: SimilarityMatrix | undefined;
  /** How the shares go with the reference's losses, where that was looked at. */
  readonly fit?: SharesAgainstLosses | undefined;
}

/** What `mbs diagnose --json` prints. */
export interface Diagnosis {
  /** Each mix against calibration with one language alone. */
  readonly mixes: readonly MixAgainstAlone[];
  /** Signatures that these results allow to look for. */
  readonly checked: readonly Signature[];
  readonly findings: readonly Finding[];
  /** What could not be checked, and what it needs. */
  readonly notes: readonly string[];
}

/** The one language that a group was calibrated with; undefined for a mix of several. */
function aloneLanguage({ mix }: MixGroup): string | undefined {
  const [language, ...others] = Object.keys(mix);
  return others.length === 0 ? language : undefined;
}

const isAlone = (group: MixGroup): boolean => aloneLanguage(group) !== undefined;

/** A language whose rises all lie on one side of zero. */
function clearLanguages({ pairs }: GroupComparison, side: (rise: MeasuredRise) => boolean): string[] {
  const [first = []] = pairs;
  return first
    .map(({ language }) => language)
    .filter((language) => pairs.every((own) => own.some((pair) => pair.language === language && side(pair))));
}

function mixAgainstAlone(group: MixGroup, alone: MixGroup, comparisons: Comparisons): MixAgainstAlone {
  const comparison = comparisons.between(group, alone);
  const [own, other] = [comparisons.withDense(group).averages, comparisons.withDense(alone).averages];
  return {
    method: group.method,
    mix: group.mixName,
    alone: aloneLanguage(alone) ?? alone.mixName,
    models: [...group.models, ...alone.models],
    unweighted: risesOfMean(comparison, "unweighted"),
    weighted: risesOfMean(comparison, "weighted"),
    worst: pairSeeds(own, other).flatMap(([{ worstRise }, { worstRise: worstAlone }]) =>
      worstRise && worstAlone ? [{ mix: worstRise, alone: worstAlone }] : [],
    ),
    losers: clearLanguages(comparison, ({ interval }) => interval[0] > 0),
    winners: clearLanguages(comparison, ({ interval }) => interval[1] < 0),
  };
}

/** English where it was tried, else the language with the largest training share. */
function mainAlone(groups: readonly MixGroup[], shares: NumbersByName | undefined): MixGroup | undefined {
  const weight = (group: MixGroup): number => {
    const language = aloneLanguage(group);
    if (language === undefined) return -Infinity;
    return language === "en" ? Infinity : numberOf(shares ?? {}, language);
  };
  return groups.filter(isAlone).sort((a, b) => weight(b) - weight(a))[0];
}

function languagesUnderMix(
  group: MixGroup,
  others: readonly MixGroup[],
  comparisons: Comparisons,
  { scored: { shares = {} }, calibrations, damage, angles }: DiagnosisInput,
): LanguagesUnderMix {
  const dense = comparisons.withDense(group);
  const languages = (dense.pairs[0] ?? []).map(({ language }) => language).filter((language) => Object.hasOwn(shares, language));
  const training = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const tokens = calibrations.find((calibration) => isSameMix(calibration, group.mix));
  const moreText = (language: string): LanguageUnderMix["withMoreText"] => {
    const [most] = others
      .filter((other) => !isAlone(other) && numberOf(other.mix, language) >= 2 * numberOf(group.mix, language))
      .sort((a, b) => numberOf(b.mix, language) - numberOf(a.mix, language));
    if (most === undefined || numberOf(group.mix, language) === 0) return undefined;
    return {
      mix: most.mixName,
      mixShare: numberOf(most.mix, language),
      differences: risesOfLanguage(comparisons.between(most, group), language),
    };
  };
  const predicted = damage.find(({ scored }) => group.models.includes(scored))?.report;
  const siteOf = (language: string): LanguageUnderMix["site"] => {
    const own = predicted?.languages.find((entry) => entry.language === language);
    if (own === undefined) return undefined;
    const beyond = siteBeyondOthers(own);
    return { name: siteName(beyond), againstOthers: beyond.againstOthers };
  };
  return {
    method: group.method,
    mix: group.mixName,
    models: group.models,
    unweighted: risesOfMean(dense, "unweighted"),
    languages: languages.map((language): LanguageUnderMix => {
      const angle = angles && distanceToMix(angles, language, group.mix);
      const site = siteOf(language);
      const withMoreText = moreText(language);
      return {
        language,
        trainingShare: numberOf(shares, language) / training,
        mixShare: numberOf(group.mix, language),
        rises: risesOfLanguage(dense, language),
        ...(tokens && { tokens: numberOf(tokens, language) }),
        ...(angle !== undefined && { angle }),
        ...(site && { site }),
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

function missing({ scored, angles, fit }: DiagnosisInput, groups: readonly MixGroup[]): string[] {
  const { shares, models, report, reference } = scored;
  const unknown = report.averages.map(({ model }) => model).filter((model) => model !== reference && !models.get(model)?.made);
  return [
    ...report.notes,
    ...report.tasks.notes,
    ...(unknown.length > 0
      ? [`How ${unknown.join(", ")} was made is not known (no mbs.json in its folder when it was scored): left out.`]
      : []),
    ...(groups.some(isAlone)
      ? []
      : ["No model was calibrated with one language alone (mbs sample --mix only:en): mixes are compared with none."]),
    ...(shares ? [] : ["No training shares are known (mbs evaluate --shares): no language is known to be under-represented."]),
    ...(angles ? [] : ["No similarities were given: distance to the mix is not known."]),
    ...(fit || !shares
      ? []
      : [
          "No texts of five languages or more were given (mbs diagnose --corpus): the training shares were not compared with the losses.",
        ]),
  ];
}

/**
 * Looks for the paper's failure signatures in results. A claim needs 95% intervals that exclude zero, with every seed.
 *
 * @see arXiv:2404.04748
 */
export function diagnose(input: DiagnosisInput): Diagnosis {
  const { scores, shares, report, compressed, reference } = input.scored;
  const groups = groupMixes(compressed);
  const comparisons = new Comparisons(scores, shares, report);
  // Groups that were not scored on the reference's windows have no rises.
  const paired = groups.filter((group) => risesOfMean(comparisons.withDense(group), "unweighted").length === group.models.length);
  const mixed = paired.filter((group) => !isAlone(group));
  const siblingsOf = (group: MixGroup): MixGroup[] =>
    paired.filter((other) => other !== group && other.methodKey === group.methodKey);
  const againstAlone = mixed.flatMap((group) => {
    const alone = mainAlone(siblingsOf(group), shares);
    return alone ? [mixAgainstAlone(group, alone, comparisons)] : [];
  });
  const underMixes = shares ? mixed.map((group) => languagesUnderMix(group, siblingsOf(group), comparisons, input)) : [];
  const methods = mixed.flatMap((first, index) =>
    mixed
      .slice(index + 1)
      .filter((second) => first.solvers.join() !== second.solvers.join() && isSameMix(first.mix, second.mix))
      .map((second) => [first, second] as const),
  );
  const answering = modelsWithTasks(report);
  const findings = [
    ...againstAlone.map(mixWorseThanAlone),
    ...underMixes.map(rareLanguagesFall),
    ...methods.map(([first, second]) =>
      methodsDisagree(first.mixName, methodRises(first, comparisons), methodRises(second, comparisons)),
    ),
    ...(input.fit ? [sharesDoNotFit(reference, input.fit)] : []),
    ...answering.map((model) => tasksFallUnseen(report, model)),
  ];
  const checked: readonly [Signature, number][] = [
    ["mix-worse-than-one-language", againstAlone.length],
    ["rare-language-falls", underMixes.length],
    ["methods-disagree", methods.length],
    ["distribution-does-not-fit", input.fit ? 1 : 0],
    ["tasks-fall-unseen", answering.length],
  ];
  return {
    mixes: againstAlone,
    checked: checked.filter(([, count]) => count > 0).map(([signature]) => signature),
    findings: findings.filter((finding) => finding !== undefined),
    notes: missing(input, groups),
  };
}
