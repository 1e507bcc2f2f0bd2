import { UsageError } from "@mbs/contracts";
import { ofKind } from "../collected.ts";
import type { Collected } from "../collected.ts";
import { scoredArtifacts } from "../scores/scored-artifact.ts";
import type { ScoredArtifact, ScoresView } from "../scores/scored-artifact.ts";
import type { Finding, Signature } from "./finding.ts";
import { readResults } from "./results.ts";
import { languageLosesMuch } from "./rules/language-loses-much.ts";
import { methodsDisagree } from "./rules/methods-disagree.ts";
import { mixesAgainstAlone, mixWorseThanAlone } from "./rules/mix-worse-than-alone.ts";
import type { MixAgainstAlone } from "./rules/mix-worse-than-alone.ts";
import { rareLanguageFalls } from "./rules/rare-language-falls.ts";
import { applyRule } from "./rules/rule.ts";
import type { Rule } from "./rules/rule.ts";
import { sharesDoNotFit } from "./rules/shares-do-not-fit.ts";
import { tasksFallUnseen } from "./rules/tasks-fall-unseen.ts";
import type { CompareShares } from "./shares-against-losses.ts";

/**
 * All that is looked for, in the order of findings. A claim needs 95% intervals that exclude zero, with every seed.
 *
 * @see arXiv:2404.04748
 */
export const rules: readonly Rule[] = [
  mixWorseThanAlone,
  rareLanguageFalls,
  methodsDisagree,
  sharesDoNotFit,
  tasksFallUnseen,
  languageLosesMuch,
];

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

function unknownModels({ models, report, reference }: ScoredArtifact): string[] {
  const unknown = report.averages.map(({ model }) => model).filter((model) => model !== reference && !models.get(model)?.made);
  return unknown.length > 0
    ? [`How ${unknown.join(", ")} was made is not known (no mbs.json in its folder when it was scored): left out.`]
    : [];
}

/** Scores on the texts of the calibration say how well these were learnt, not how the model reads others. */
function sameTexts({ name, corpus }: ScoredArtifact, artifacts: readonly Collected[]): string[] {
  const same = ofKind(artifacts, "segments").filter(({ metadata }) => metadata.corpus === corpus && corpus !== "");
  return same.map(
    (segments) =>
      `${name} has scores on the very texts that ${segments.name} was drawn from: losses of these say little about other texts; evaluate on held-out texts.`,
  );
}

/**
 * Diagnoses scores, with what the other artifacts add: similarities the distance to the mix, segments and statistics the
 * tokens of each language, damage the site that hurts a language most.
 *
 * @param compareShares compares the training shares with the losses; without it they are not checked
 */
export function diagnoseScored(
  scored: ScoredArtifact,
  artifacts: readonly Collected[],
  compareShares?: CompareShares,
): Diagnosis {
  const results = readResults(scored, artifacts, compareShares);
  const checks = rules.map((rule) => ({ rule, cases: rule.cases(results) }));
  const { report } = scored;
  return {
    mixes: mixesAgainstAlone(results),
    checked: checks.filter(({ cases }) => cases.length > 0).map(({ rule }) => rule.signature),
    findings: checks.flatMap(({ rule, cases }) => cases.flatMap((one) => applyRule(rule, one) ?? [])),
    notes: [
      ...sameTexts(scored, artifacts),
      ...report.notes,
      ...report.tasks.notes,
      ...unknownModels(scored),
      ...rules.flatMap((rule) => rule.lacks(results)),
    ],
  };
}

/**
 * Diagnoses each of the scores.
 *
 * @throws {UsageError} where there are no scores, or none of the reference
 */
export function diagnoseArtifacts(
  artifacts: readonly Collected[],
  view: ScoresView = {},
  compareShares?: CompareShares,
): Diagnosis {
  const scored = scoredArtifacts(artifacts, view);
  if (scored.length === 0) throw new UsageError("give scores: mbs evaluate --model M --model out/ --corpus V > scores.arrow");
  return mergeDiagnoses(scored.map((one) => diagnoseScored(one, artifacts, compareShares)));
}

/** The diagnoses of several scores as one. */
export const mergeDiagnoses = (diagnoses: readonly Diagnosis[]): Diagnosis => ({
  mixes: diagnoses.flatMap(({ mixes }) => mixes),
  checked: [...new Set(diagnoses.flatMap(({ checked }) => checked))],
  findings: diagnoses.flatMap(({ findings }) => findings),
  notes: [...new Set(diagnoses.flatMap(({ notes }) => notes))],
});
