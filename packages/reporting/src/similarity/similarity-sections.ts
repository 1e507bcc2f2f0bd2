import { allSites } from "@mbs/artifacts";
import type { NumbersByName, SimilarityRecord } from "@mbs/artifacts";
import { valueAt } from "@mbs/contracts";
import type { CollectedOf } from "../collected.ts";
import type { Section, SectionNames } from "../page/section.ts";
import { similarityMatrix } from "./similarity-matrix.ts";
import type { ComparedSite } from "./similarity-matrix.ts";
import { plotSimilarity } from "./similarity-plot.ts";
import { matrixTable, similarityTitle } from "./similarity-table.ts";

/** What each measure is, for its heat map. */
const measureTexts: ReadonlyMap<string, string> = new Map([
  ["cosine", "Cosine of the angle between the mean squared inputs, channel by channel: 1 is alike."],
  ["euclidean", "Distance between the mean squared inputs, channel by channel: small is alike."],
  ["degrees", "Angle between the mean squared inputs, channel by channel: small is alike."],
  ["gram", "tr(HₐH_b) / √(tr(Hₐ²)·tr(H_b²)) of the whole statistics: 1 is alike."],
  ["subspace", "Share of the leading directions of one language's inputs that lie in those of the other: 1 is alike."],
]);

/** One heat map of similarities. */
export interface SimilarityChoice {
  readonly measure: string;
  /** Default: the input of the first block. */
  readonly at?: ComparedSite;
}

/** What is shown where nothing is chosen: the first block's input, and where all sites were compared the mean over them. */
function defaultChoices(records: readonly SimilarityRecord[]): SimilarityChoice[] {
  const mean: ComparedSite = { block: allSites, site: allSites };
  const means = ["degrees", "gram", "subspace"].filter((measure) =>
    records.some((record) => record.block === allSites && record.measure.startsWith(measure)),
  );
  return [{ measure: "degrees" }, ...means.map((measure) => ({ measure, at: mean }))];
}

/**
 * Heat maps of similarities.
 *
 * @param shares of the training; tables follow them where they are known
 */
export async function similaritySections(
  { records }: CollectedOf<"similarity">,
  choice: SimilarityChoice | undefined,
  names: SectionNames,
  shares?: NumbersByName,
): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [index, { measure, at }] of (choice ? [choice] : defaultChoices(records)).entries()) {
    const matrix = similarityMatrix(records, measure, at);
    const title = similarityTitle(matrix);
    sections.push({
      id: names.id(`similarity${index === 0 ? "" : `-${index + 1}`}`),
      title: names.title(`Similarity of languages: ${title}`),
      texts: [valueAt(measureTexts, measure), "Languages that are alike stand beside each other, and their cells are bright."],
      plots: [await plotSimilarity(matrix, `heat map: ${title}`)],
      tables: [{ caption: title, table: matrixTable(matrix, shares), open: false }],
    });
  }
  return sections;
}
