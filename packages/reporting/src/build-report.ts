import { at, UsageError } from "@mbs/contracts";
import { collectArtifacts, ofKind } from "./collected.ts";
import type { Collected, ReportInput } from "./collected.ts";
import { diagnoseScored, mergeDiagnoses } from "./diagnosis/diagnose.ts";
import { expertsSections } from "./experts/experts-sections.ts";
import { damageSections } from "./damage/damage-sections.ts";
import { mixesSections } from "./mixes/mixes-sections.ts";
import { scoredMixSections } from "./mixes/scored-mix-pairs.ts";
import { calibrationSections, originSections } from "./origin-sections.ts";
import type { RecipeText } from "./origin-sections.ts";
import { scoredArtifacts } from "./scores/scored-artifact.ts";
import type { ScoredArtifact, ScoresView } from "./scores/scored-artifact.ts";
import { risesSections, scoresSections } from "./scores/scores-sections.ts";
import { sectionNames } from "./page/section.ts";
import type { Page, Section, SectionNames } from "./page/section.ts";
import { similaritySections } from "./similarity/similarity-sections.ts";
import type { SimilarityChoice } from "./similarity/similarity-sections.ts";
import { diagnosisSection, gainsSection } from "./summary/summary-sections.ts";
import type { RemedyText } from "./summary/summary-sections.ts";

export interface ReportOptions extends ScoresView {
  readonly title?: string;
  /** In place of the first sentences of the page. */
  readonly lead?: readonly string[];
  /** Models that others are compared with: they are shown, and nothing is diagnosed about them. */
  readonly beside?: readonly string[];
  /** What the reader can do about languages that lose too much; without it remedies are commands of stages. */
  readonly remedy?: RemedyText;
  /** The similarities to show; default the first block's input and the means over all sites. */
  readonly similarity?: SimilarityChoice;
  readonly recipe?: RecipeText;
}

/** Title and lead of a page, by the first of these kinds that it shows. */
const headings: readonly { readonly kind: Collected["kind"]; readonly title: string; readonly lead: string }[] = [
  {
    kind: "scores",
    title: "What compression did to each language",
    lead: "Measured as perplexity on held-out text: lower is better, and a rise is a loss.",
  },
  {
    kind: "mixes",
    title: "Calibration mixes compared",
    lead: "How much text of each language to calibrate with: what each mix is predicted to do to every language, before any model is evaluated.",
  },
  {
    kind: "damage",
    title: "Which languages compression is predicted to hurt",
    lead: "What the compressed layers change in each language's outputs: within a language, more damage means more loss.",
  },
  {
    kind: "similarity",
    title: "How alike languages are to the model",
    lead: "Languages whose inputs to the model's layers are alike profit from each other's calibration text.",
  },
  {
    kind: "segments",
    title: "Calibration text",
    lead: "How much text of each language a model is calibrated with.",
  },
  {
    kind: "statistics",
    title: "Calibration text",
    lead: "How much text of each language a model is calibrated with.",
  },
];

/** The training mixture that orders every table: the one that was asked for, else the first that an artifact has. */
const trainingShares = (artifacts: readonly Collected[], { shares }: ReportOptions): ReportOptions["shares"] =>
  shares ?? ofKind(artifacts, "scores").find(({ metadata }) => metadata.shares)?.metadata.shares;

/** The sections that show one artifact. */
async function sectionsOf(
  artifact: Collected,
  names: SectionNames,
  scored: ScoredArtifact | undefined,
  { similarity, shares }: ReportOptions,
): Promise<Section[]> {
  if (artifact.kind === "similarity") return similaritySections(artifact, similarity, names, shares);
  if (artifact.kind === "damage") return damageSections(artifact, names, shares);
  if (artifact.kind === "mixes") return mixesSections(artifact, names);
  if (artifact.kind === "statistics") return expertsSections(artifact, names, shares);
  return scored ? [...(await scoresSections(scored, names)), ...scoredMixSections(scored, names)] : [];
}

/**
 * What results say, as a page: in plain words who gains and who loses, rises by language and what went wrong, then every
 * other number.
 *
 * @param inputs artifacts of kind scores, similarity, damage, mixes, segments or statistics, in the order of the page
 * @throws {BadDataError} on another kind
 * @throws {UsageError} where there is no artifact, or the scores have none of the reference
 */
export async function buildReport(inputs: readonly ReportInput[], options: ReportOptions = {}): Promise<Page> {
  const artifacts = await collectArtifacts(inputs);
  const heading = headings.find(({ kind }) => artifacts.some((artifact) => artifact.kind === kind));
  if (heading === undefined) throw new UsageError("a report needs at least one artifact: mbs report scores.arrow");
  const scored = scoredArtifacts(artifacts, options);
  const shares = trainingShares(artifacts, options);
  const shown: Section[] = [];
  for (const artifact of artifacts) {
    const alike = ofKind(artifacts, artifact.kind);
    const index = alike.findIndex((other) => other === artifact);
    const names = sectionNames(artifact.name, index, alike.length);
    shown.push(
      ...(await sectionsOf(artifact, names, artifact.kind === "scores" ? scored[index] : undefined, { ...options, shares })),
    );
  }
  const { beside = [], remedy } = options;
  const diagnosed = scored.map((one) =>
    diagnoseScored({ ...one, compressed: one.compressed.filter(({ name }) => !beside.includes(name)) }, artifacts),
  );
  const losses: Section[] = [];
  for (const [index, one] of scored.entries()) {
    const names = sectionNames(one.name, index, scored.length);
    losses.push(...gainsSection(one, at(diagnosed, index).mixes, names), ...(await risesSections(one, names)));
  }
  return {
    title: options.title ?? heading.title,
    lead: options.lead ?? [heading.lead],
    sections: [
      ...losses,
      ...(losses.length === 0 ? [] : [diagnosisSection(mergeDiagnoses(diagnosed), remedy)]),
      ...shown,
      ...calibrationSections(artifacts, shares),
      ...originSections(artifacts, options.recipe),
    ],
  };
}
