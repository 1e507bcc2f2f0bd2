import { inputSite } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import { readScoredModels, scoresReport } from "@mbs/evaluation";
import { ofKind } from "../collected.ts";
import type { Collected } from "../collected.ts";
import { similarityMatrix } from "../similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity-matrix.ts";
import { diagnose } from "./diagnose.ts";
import type { Diagnosis } from "./diagnose.ts";

const paperMeasure = "degrees";

/** The paper's measure at the first step's input, from the first similarities that have it. */
function anglesOf(artifacts: readonly Collected[]): SimilarityMatrix | undefined {
  const [found] = ofKind(artifacts, "similarity").filter(({ records }) =>
    records.some(({ site, measure }) => site === inputSite && measure === paperMeasure),
  );
  return found && similarityMatrix(found.records, paperMeasure);
}

/**
 * Diagnoses each of the scores, with what the other artifacts add: similarities the distance to the mix, segments and
 * statistics the tokens of each language.
 *
 * @param shares the training mixture; default the one in the scores
 * @param reference the dense model; default the first
 * @throws {UsageError} where there are no scores, or none of the reference
 */
export function diagnoseArtifacts(
  artifacts: readonly Collected[],
  { shares, reference }: { shares?: Readonly<Record<string, number>>; reference?: string } = {},
): Diagnosis {
  const scores = ofKind(artifacts, "scores");
  if (scores.length === 0) throw new UsageError("give scores: mbs evaluate --model M --model out/ --corpus V > scores.arrow");
  const calibrations = [...ofKind(artifacts, "segments"), ...ofKind(artifacts, "statistics")].map(({ tokens }) => tokens);
  const angles = anglesOf(artifacts);
  const diagnoses = scores.map(({ records, metadata }) => {
    const mixture = shares ?? metadata.shares;
    return diagnose({
      scores: records,
      report: scoresReport(records, mixture, reference),
      shares: mixture,
      models: readScoredModels(metadata.models),
      calibrations,
      angles,
    });
  });
  return {
    findings: diagnoses.flatMap(({ findings }) => findings),
    notes: [...new Set(diagnoses.flatMap(({ notes }) => notes))],
  };
}
