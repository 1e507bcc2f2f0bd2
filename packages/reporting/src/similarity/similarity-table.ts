import { at } from "@mbs/contracts";
import { colours } from "../terminal/terminal-text.ts";
import { groupBy, valueAt } from "@mbs/contracts";
import { byTrainingShare } from "../language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import { alikeOrder, cellsOf, isLikeness, siteText } from "./similarity-matrix.ts";
import type { SimilarityMatrix } from "./similarity-matrix.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const terminalColumns = 80;

/** A value of a matrix as its tables and pictures show it. */
export const formatSimilarity = ({ measure }: SimilarityMatrix, value: number): string =>
  measure === "degrees" ? value.toFixed(0) : measure === "euclidean" ? value.toPrecision(2) : value.toFixed(2);

/** What a matrix shows, and where. */
export function similarityTitle(matrix: SimilarityMatrix): string {
  const [, name = matrix.measure, setting = ""] = /^(.*?):(.*)$/.exec(matrix.measure) ?? [];
  const what = new Map([
    ["degrees", "angle between languages in degrees"],
    ["cosine", "cosine between languages"],
    ["euclidean", "distance between languages"],
    ["gram", "normalised trace of the Grams of languages"],
    ["subspace", `overlap of the ${setting} leading directions of languages`],
  ]).get(name);
  return `${what ?? matrix.measure}, ${siteText(matrix)}`;
}

/**
 * The measure between all languages.
 *
 * @param shares of the training, which give the order; without them alike languages stand beside each other
 */
export function matrixTable(matrix: SimilarityMatrix, shares?: NumbersByName): TextTable {
  const { languages, measure } = matrix;
  const cells = groupBy(cellsOf(matrix), ({ row }) => row);
  const alike = alikeOrder(matrix).map((index) => at(languages, index));
  const order = byTrainingShare(alike, (language) => language, shares);
  return {
    columns: headings([measure], order),
    rows: order.map((row) => {
      const values = new Map(valueAt(cells, row).map(({ column, value }) => [column, value]));
      return [row, ...order.map((column) => (row === column ? "·" : formatSimilarity(matrix, valueAt(values, column))))];
    }),
  };
}

/** For each language the ones most and least like it; fits any number of languages. */
function neighboursTable(matrix: SimilarityMatrix): TextTable {
  const { languages, measure } = matrix;
  const cells = groupBy(cellsOf(matrix), ({ row }) => row);
  const sign = isLikeness(matrix) ? -1 : 1;
  const unit = measure === "degrees" ? "°" : "";
  const rows = alikeOrder(matrix).map((index) => {
    const language = at(languages, index);
    const others = valueAt(cells, language)
      .filter(({ column }) => column !== language)
      .sort((a, b) => sign * (a.value - b.value));
    const show = (list: typeof others): string =>
      list.map(({ column, value }) => `${column} ${formatSimilarity(matrix, value)}${unit}`).join(", ");
    return [language, show(others.slice(0, 3)), show(others.slice(-3).toReversed())];
  });
  return { columns: [{ title: "language" }, { title: "nearest" }, { title: "farthest" }], rows };
}

/** Similarities for a terminal of 80 columns: the matrix where it fits, else each language's neighbours. */
export function similarityTable(matrix: SimilarityMatrix): string {
  const table = formatTable(matrixTable(matrix));
  const fits = table.split("\n").every((line) => line.length <= terminalColumns);
  return `${colours.bold(similarityTitle(matrix))}\n${fits ? table : formatTable(neighboursTable(matrix))}`;
}
