import type { SimilarityRecord } from "@mbs/artifacts";
import { colours } from "./colours.ts";
import { clusterOrder } from "./cluster-order.ts";
import { similarityMatrix } from "./similarity-matrix.ts";
import { formatTable } from "./table.ts";
import type { TextTable } from "./table.ts";

/** Most languages whose columns fit a terminal of 80 columns. */
const columnsLimit = 11;

/** Angles between all languages in whole degrees, alike languages beside each other. */
export function degreesTable(records: readonly SimilarityRecord[]): TextTable {
  const { languages, values } = similarityMatrix(records, "degrees");
  const order = clusterOrder(values);
  return {
    columns: [{ title: "degrees" }, ...order.map((index) => ({ title: languages[index], numeric: true }))],
    rows: order.map((row) => [languages[row], ...order.map((column) => (row === column ? "·" : values[row][column].toFixed(0)))]),
  };
}

/** For each language the ones most and least like it; fits any number of languages. */
function neighboursTable(records: readonly SimilarityRecord[]): TextTable {
  const { languages, values } = similarityMatrix(records, "degrees");
  const rows = clusterOrder(values).map((row) => {
    const others = languages
      .map((language, column) => ({ language, degrees: values[row][column] }))
      .filter(({ language }) => language !== languages[row])
      .sort((a, b) => a.degrees - b.degrees);
    const show = (list: typeof others): string =>
      list.map(({ language, degrees }) => `${language} ${degrees.toFixed(0)}°`).join(", ");
    return [languages[row], show(others.slice(0, 3)), show(others.slice(-3).toReversed())];
  });
  return { columns: [{ title: "language" }, { title: "nearest" }, { title: "farthest" }], rows };
}

/** Similarities for a terminal of 80 columns. */
export function similarityTable(records: readonly SimilarityRecord[]): string {
  const matrix = degreesTable(records);
  const title = colours.bold("angle between languages at the input of the first step");
  return `${title}\n${formatTable(matrix.rows.length <= columnsLimit ? matrix : neighboursTable(records))}`;
}
