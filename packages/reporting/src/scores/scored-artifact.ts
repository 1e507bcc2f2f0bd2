import type { Score } from "@mbs/artifacts";
import { firstModel, readScoredGroups, readScoredModels, readScoredTasks, scoresReport } from "@mbs/evaluation";
import type { ScoredModel, ScoresReport } from "@mbs/evaluation";
import { ofKind } from "../collected.ts";
import type { Collected } from "../collected.ts";
import { compressedModels } from "./compressed-models.ts";
import type { CompressedModel, NamedMix } from "./compressed-models.ts";
import { reportByTrainingShare } from "../language-order.ts";

/** Scores summed up, with what is known of their models. */
export interface ScoredArtifact {
  readonly name: string;
  /** Content address of the texts that were scored; "" where there were none. */
  readonly corpus: string;
  readonly scores: readonly Score[];
  /** The training mixture, on any scale. */
  readonly shares: Readonly<Record<string, number>> | undefined;
  /** The dense model, which the others are compared with. */
  readonly reference: string;
  /** Languages by training share. */
  readonly report: ScoresReport;
  /** In the order of the scores. */
  readonly models: ReadonlyMap<string, ScoredModel>;
  readonly compressed: readonly CompressedModel[];
}

/** How scores are read. */
export interface ScoresView {
  /** The training mixture; default the one in the scores. */
  readonly shares?: Readonly<Record<string, number>>;
  /** The dense model; default the first. */
  readonly reference?: string;
}

/**
 * Sums up all scores.
 *
 * @throws {UsageError} where they have none of the reference
 */
export function scoredArtifacts(artifacts: readonly Collected[], view: ScoresView = {}): readonly ScoredArtifact[] {
  const mixes = ofKind(artifacts, "segments").map(({ tokens, metadata }): NamedMix => ({
    name: `${metadata.mix} mix`,
    weights: tokens,
  }));
  return ofKind(artifacts, "scores").map(({ name, records, tasks, metadata }) => {
    const shares = view.shares ?? metadata.shares;
    const known = readScoredModels(metadata.models);
    const described = { tasks: readScoredTasks(metadata.tasks), groups: readScoredGroups(metadata.groups) };
    const about = { shares, reference: view.reference, models: known, tasks: { scores: tasks, ...described } };
    const report = reportByTrainingShare(scoresReport(records, about), shares);
    // Metadata sorts its keys; pages follow the scores.
    const models = new Map(
      report.averages.flatMap(({ model }): [string, ScoredModel][] => {
        const found = known.get(model);
        return found ? [[model, found]] : [];
      }),
    );
    return {
      name,
      corpus: metadata.corpus,
      scores: records,
      shares,
      reference: view.reference ?? firstModel(report),
      report,
      models,
      compressed: compressedModels(models, shares, mixes),
    };
  });
}
