import { inputSite } from "@mbs/artifacts";
import type { NumbersByName } from "@mbs/artifacts";
import { ofKind } from "../collected.ts";
import type { Collected } from "../collected.ts";
import { damageReport } from "../damage/damage-report.ts";
import type { DamageReport } from "../damage/damage-report.ts";
import type { ScoredArtifact } from "../scores/scored-artifact.ts";
import { similarityMatrix } from "../similarity/similarity-matrix.ts";
import type { SimilarityMatrix } from "../similarity/similarity-matrix.ts";
import { createComparison, groupMixes } from "./mix-groups.ts";
import type { CompareGroups, MixGroup } from "./mix-groups.ts";
import type { CompareShares, SharesAgainstLosses } from "./shares-against-losses.ts";

/** What the rules read: one artifact of scores, and what the other artifacts add. */
export interface Results {
  readonly scored: ScoredArtifact;
  /** Those that were scored on the windows of the dense model. */
  readonly groups: readonly MixGroup[];
  /** Those of them with a mix of several languages. */
  readonly mixes: readonly MixGroup[];
  readonly compare: CompareGroups;
  /** Tokens of each language in each calibration text that is known. */
  readonly calibrations: readonly NumbersByName[];
  /** Predicted damage, and which model in the scores the layers made. */
  readonly damage: readonly { readonly scored: string; readonly report: DamageReport }[];
  /** Degrees between languages. */
  readonly angles: SimilarityMatrix | undefined;
  /** How the training shares go with the reference's losses, where that was looked at. */
  readonly fit: SharesAgainstLosses | undefined;
}

const paperMeasure = "degrees";

/** The paper's measure at the first block's input, from the first similarities that have it. */
function anglesOf(artifacts: readonly Collected[]): SimilarityMatrix | undefined {
  const found = ofKind(artifacts, "similarity").find(({ records }) =>
    records.some(({ site, measure }) => site === inputSite && measure === paperMeasure),
  );
  return found && similarityMatrix(found.records, paperMeasure);
}

/** How the shares in scores go with the losses of their reference. */
function fitOf({ shares, report, reference }: ScoredArtifact, compareShares: CompareShares | undefined) {
  if (shares === undefined) return undefined;
  const own = report.results.filter(({ model }) => model === reference);
  return compareShares?.(shares, Object.fromEntries(own.map(({ language, bitsPerByte }) => [language, bitsPerByte])));
}

/** @param compareShares compares the training shares with the losses; without it they are not checked */
export function readResults(scored: ScoredArtifact, artifacts: readonly Collected[], compareShares?: CompareShares): Results {
  const groups = groupMixes(scored).filter(({ rises }) => rises.unweighted.length > 0);
  return {
    scored,
    groups,
    mixes: groups.filter(({ mix }) => Object.keys(mix).length > 1),
    compare: createComparison(scored),
    calibrations: [...ofKind(artifacts, "segments"), ...ofKind(artifacts, "statistics")].map(({ tokens }) => tokens),
    damage: ofKind(artifacts, "damage").map(({ records, metadata }) => ({
      scored: metadata.scored,
      report: damageReport(records, metadata),
    })),
    angles: anglesOf(artifacts),
    fit: fitOf(scored, compareShares),
  };
}
