import { allSites, collect, parseMetadata, readErrors, readScores, readSimilarities } from "@mbs/artifacts";
import type { LanguageError, Score, SimilarityRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import { blocksTable, plotErrors } from "./errors-plot.ts";
import { errorsReport } from "./errors-report.ts";
import { predictedTable, qualityTexts, worstSitesTable } from "./errors-table.ts";
import { formatPage } from "./page.ts";
import type { Section } from "./page.ts";
import { plotPrediction, plotRises, plotSimilarity, risesOf } from "./plots.ts";
import { averagesOf, languagesOf } from "./scores-table.ts";
import { similarityMatrix } from "./similarity-matrix.ts";
import type { SimilarityPlace } from "./similarity-matrix.ts";
import { matrixTable, similarityTitle } from "./similarity-table.ts";

/** An artifact and what to call it. */
export interface ReportInput {
  readonly name: string;
  readonly stream: ArtifactStream;
}

async function scoreSections({ stream, name }: ReportInput): Promise<Section[]> {
  const { shares } = parseMetadata("scores", stream.schema);
  const scores: Score[] = await collect(readScores(stream));
  const report = scoresReport(scores, shares);
  const models = [...new Set(report.results.map(({ model }) => model))];
  const rises = risesOf(report);
  const [reference] = models;
  return [
    { title: `Perplexity: three averages (${name})`, texts: report.notes, table: averagesOf(report) },
    ...(rises.length === 0
      ? []
      : [
          {
            title: `Rise above ${reference} by language`,
            texts: ["Bars are paired differences on the same windows; lines are 95% bootstrap intervals over windows."],
            plot: await plotRises(rises, `rise of perplexity above ${reference} by language`),
          },
        ]),
    ...models.map((model) => ({ title: `${model}, by language`, table: languagesOf(report, model, false) })),
  ];
}

const measureTexts: Readonly<Record<string, string>> = {
  cosine: "Cosine of the angle between the mean squared inputs, channel by channel: 1 is alike.",
  euclidean: "Distance between the mean squared inputs, channel by channel: small is alike.",
  degrees: "Angle between the mean squared inputs, channel by channel: small is alike.",
  gram: "tr(HₐH_b) / √(tr(Hₐ²)·tr(H_b²)) of the whole statistics: 1 is alike.",
  subspace: "Share of the leading directions of one language's inputs that lie in those of the other: 1 is alike.",
};

/** One heat map of similarities. */
export interface SimilarityChoice {
  readonly measure: string;
  /** Default: the input of the first step. */
  readonly place?: SimilarityPlace;
}

/** What is shown where nothing is chosen: the first step's input, and where all sites were compared the mean over them. */
function defaultChoices(records: readonly SimilarityRecord[]): SimilarityChoice[] {
  const place: SimilarityPlace = { step: allSites, site: allSites };
  const means = ["degrees", "gram", "subspace"].filter((measure) =>
    records.some((record) => record.step === allSites && record.measure.startsWith(measure)),
  );
  return [{ measure: "degrees" }, ...means.map((measure) => ({ measure, place }))];
}

async function similaritySections({ stream, name }: ReportInput, choice: SimilarityChoice | undefined): Promise<Section[]> {
  const records: SimilarityRecord[] = await collect(readSimilarities(stream));
  const sections: Section[] = [];
  for (const { measure, place } of choice ? [choice] : defaultChoices(records)) {
    const matrix = similarityMatrix(records, measure, place);
    const title = similarityTitle(matrix);
    sections.push({
      title: `Similarity of languages: ${title} (${name})`,
      texts: [measureTexts[measure]],
      plot: await plotSimilarity(matrix, `heat map: ${title}`),
      table: matrixTable(matrix),
    });
  }
  return sections;
}

async function errorSections({ stream, name }: ReportInput): Promise<Section[]> {
  const metadata = parseMetadata("errors", stream.schema);
  const records: LanguageError[] = await collect(readErrors(stream));
  const report = errorsReport(records, metadata);
  const points = report.languages.flatMap(({ language, sum, rise }) =>
    rise === undefined ? [] : [{ language, series: report.solver, predicted: sum, rise }],
  );
  return [
    {
      title: `Predicted error of each language (${name})`,
      texts: [...qualityTexts(report), ...report.notes],
      ...(report.quality
        ? { plot: await plotPrediction(points, "Σ of relative errors", "predicted error against actual rise") }
        : {}),
      table: predictedTable(report),
      open: true,
    },
    {
      title: "Predicted error by block and language",
      texts: ["Mean relative error of the outputs of each block's layers, the languages that lose most to the left."],
      plot: await plotErrors(report, "heat map of the predicted error by block and language"),
      table: blocksTable(report),
    },
    { title: "Sites that hurt most", table: worstSitesTable(report) },
  ];
}

/** The sections of one artifact, by its kind. */
const sectionsOf: Readonly<Record<string, (input: ReportInput, choice: SimilarityChoice | undefined) => Promise<Section[]>>> = {
  scores: scoreSections,
  similarity: similaritySections,
  errors: errorSections,
};

/**
 * One self-contained HTML page of scores, similarities and predicted errors.
 *
 * @param inputs artifacts of kind `scores`, `similarity` or `errors`, in the order of the page
 * @param choice the similarities to show; default the first step's input and the means over all sites
 * @throws {BadDataError} on another kind
 */
export async function buildReport(
  inputs: readonly ReportInput[],
  title = "Multilingual Brain Surgeon",
  choice?: SimilarityChoice,
): Promise<string> {
  const sections: Section[] = [];
  for (const input of inputs) {
    const { kind } = input.stream.schema;
    if (!Object.hasOwn(sectionsOf, kind)) {
      throw new BadDataError(`${input.name} holds ${kind}; a report is made of scores, similarity and errors`, { kind });
    }
    sections.push(...(await sectionsOf[kind](input, choice)));
  }
  return formatPage({ title, lead: [], sections });
}
