import { renderPlot } from "../plots/render-plot.ts";
import type { Plot } from "../page/section.ts";
import { alikeOrder, isLikeness } from "./similarity-matrix.ts";
import type { SimilarityMatrix } from "./similarity-matrix.ts";
import { formatSimilarity } from "./similarity-table.ts";

/** More languages than this leave no room for numbers in the cells. */
const mostNumbers = 24;
/** On the darker share of viridis white reads better than black. */
const dark = 0.45;

/**
 * A heat map of one measure between languages, alike languages beside each other.
 *
 * @param label "heat map: angle between languages in degrees"
 */
export function plotSimilarity(matrix: SimilarityMatrix, label: string): Promise<Plot> {
  const { languages, values, measure } = matrix;
  const order = alikeOrder(matrix).map((index) => languages[index]);
  const rows = languages.flatMap((row, i) =>
    languages.map((column, j) => ({
      row,
      column,
      value: values[i][j],
      text: i === j ? "" : formatSimilarity(matrix, values[i][j]),
    })),
  );
  const axis = { type: "nominal", scale: { domain: order }, title: null };
  const numbered = languages.length <= mostNumbers;
  // A language with itself would take most of the scale.
  const others = { filter: "datum.row !== datum.column" };
  const pairs = rows.filter(({ row, column }) => row < column).toSorted((a, b) => a.value - b.value);
  const [least, most] = [pairs[0], pairs[pairs.length - 1]];
  const likeness = isLikeness(matrix);
  const bright = likeness ? least.value + dark * (most.value - least.value) : most.value - dark * (most.value - least.value);
  const spec = {
    width: { step: numbered ? 23 : 16 },
    height: { step: numbered ? 20 : 16 },
    encoding: {
      x: { field: "column", ...axis, axis: { orient: "top", labelAngle: -60 } },
      y: { field: "row", ...axis },
    },
    layer: [
      {
        transform: [others],
        mark: "rect",
        encoding: {
          color: {
            field: "value",
            type: "quantitative",
            scale: { scheme: "viridis", reverse: !likeness, domain: [least.value, most.value] },
            legend: { title: measure, orient: "bottom" },
          },
        },
      },
      ...(numbered
        ? [
            {
              mark: { type: "text", fontSize: 10 },
              encoding: {
                text: { field: "text", type: "nominal" },
                // Bright cells are alike languages: small distances, large likenesses.
                color: {
                  condition: { test: `datum.value ${likeness ? ">" : "<"} ${bright}`, value: "#000" },
                  value: "#fff",
                },
              },
            },
          ]
        : []),
    ],
  };
  const [from, to] = [least, most].map(({ row, column, text }) => `${text} (${row} and ${column})`);
  return renderPlot(spec, rows, `${label}: ${from} to ${to}`);
}
