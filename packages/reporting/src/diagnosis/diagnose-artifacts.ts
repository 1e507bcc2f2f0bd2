import { inputSite } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import { ofKind } from "../collected.ts";
import type { Collected } from "../collected.ts";
import { scoredArtifacts } from "../scores/scored-artifact.ts";
import type { ScoredArtifact, ScoresView } from "../scores/scored-artifact.ts";
import { damageReport } from "../damage/damage-report.ts";
import { similarityMatrix } from "../similarity/similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity/similarity-matrix.ts";
import { diagnose } from "./diagnose.ts";
import type { Diagnosis } from "./diagnose.ts";
import type { CompareShares } from "./distribution-signature.ts";

const paperMeasure = "degrees";

/** The paper's measure at the first step's input, from the first similarities that have it. */
function anglesOf(artifacts: readonly Collected[]): SimilarityMatrix | undefined {
  const found = ofKind(artifacts, "similarity").find(({ records }) =>
    records.some(({ site, measure }) => site === inputSite && measure === paperMeasure),
  );
  return found && similarityMatrix(found.records, paperMeasure);
}

/** How the shares in scores go with the losses of their reference. */
function fitOf({ shares, report, reference }: ScoredArtifact, compareShares: CompareShares | undefined) {
  if (shares === undefined || compareShares === undefined) return undefined;
  const own = report.results.filter(({ model }) => model === reference);
  return compareShares(shares, Object.fromEntries(own.map(({ language, bitsPerByte }) => [language, bitsPerByte])));
}

/**
 * Diagnoses each of the scores, with what the other artifacts add: similarities the distance to the mix, segments and
 * statistics the tokens of each language, damage the site that hurts a language most.
 *
 * @param compareShares compares the training shares with the losses; without it they are not checked
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

/** The same for scores that have been summed up already. */
export function diagnoseScored(
  scored: ScoredArtifact,
  artifacts: readonly Collected[],
  compareShares?: CompareShares,
): Diagnosis {
  const calibrations = [...ofKind(artifacts, "segments"), ...ofKind(artifacts, "statistics")].map(({ tokens }) => tokens);
  const damage = ofKind(artifacts, "damage").map(({ records, metadata }) => ({
    scored: metadata.scored,
    report: damageReport(records, metadata),
  }));
  return diagnose({ scored, calibrations, damage, angles: anglesOf(artifacts), fit: fitOf(scored, compareShares) });
}

/** The diagnoses of several scores as one. */
export const mergeDiagnoses = (diagnoses: readonly Diagnosis[]): Diagnosis => ({
  mixes: diagnoses.flatMap(({ mixes }) => mixes),
  checked: [...new Set(diagnoses.flatMap(({ checked }) => checked))],
  findings: diagnoses.flatMap(({ findings }) => findings),
  notes: [...new Set(diagnoses.flatMap(({ notes }) => notes))],
});
