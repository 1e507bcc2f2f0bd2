import { collect, parseMetadata, readScores, readSimilarities } from "@mbs/artifacts";
import type { Score, SimilarityRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import { formatPage } from "./page.ts";
import type { Section } from "./page.ts";
import { plotRises, plotSimilarity, risesOf } from "./plots.ts";
import { averagesOf, languagesOf } from "./scores-table.ts";
import { degreesTable } from "./similarity-table.ts";

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

async function similaritySection({ stream, name }: ReportInput): Promise<Section> {
  const records: SimilarityRecord[] = await collect(readSimilarities(stream));
  return {
    title: `Similarity of languages (${name})`,
    texts: ["Angle between the mean squared inputs of the first step, channel by channel, before its norm: small is alike."],
    plot: await plotSimilarity(records, "heat map of angles between languages"),
    table: degreesTable(records),
  };
}

/**
 * One self-contained HTML page of scores and similarities.
 *
 * @param inputs artifacts of kind `scores` or `similarity`, in the order of the page
 * @throws {BadDataError} on another kind
 */
export async function buildReport(inputs: readonly ReportInput[], title = "Multilingual Brain Surgeon"): Promise<string> {
  const sections: Section[] = [];
  for (const input of inputs) {
    const { kind } = input.stream.schema;
    if (kind === "scores") sections.push(...(await scoreSections(input)));
    else if (kind === "similarity") sections.push(await similaritySection(input));
    else throw new BadDataError(`${input.name} holds ${kind}; a report is made of scores and similarity`, { kind });
  }
  return formatPage({ title, lead: [], sections });
}
