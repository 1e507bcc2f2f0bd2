import { at } from "@mbs/contracts";
import { renderPlot } from "../plots/render-plot.ts";
import type { Plot } from "../page/section.ts";
import { alikeOrder, cellsOf, isLikeness } from "./similarity-matrix.ts";
import type { SimilarityMatrix } from "./similarity-matrix.ts";
import { formatSimilarity } from "./similarity-table.ts";

/** More languages than this leave no space for numbers in the cells. */
const mostNumbers = 24;
/** On the darker share of viridis white reads better than black. */
const dark = 0.45;

/**
 * A heat map of one measure between languages, alike languages beside each other.
 *
 * @param label "heat map: angle between languages in degrees"
 */
export function plotSimilarity(matrix: SimilarityMatrix, label: string): Promise<Plot> {
  const { languages, measure } = matrix;
  const order = alikeOrder(matrix).map((index) => at(languages, index));
  const rows = cellsOf(matrix).map((cell) => ({
    ...cell,
    text: cell.row === cell.column ? "" : formatSimilarity(matrix, cell.value),
  }));
  const axis = { type: "nominal", scale: { domain: order }, title: null };
  const numbered = languages.length <= mostNumbers;
  // A language with itself would take most of the scale.
  const others = { filter: "datum.row !== datum.column" };
  const pairs = rows.filter(({ row, column }) => row < column).toSorted((a, b) => a.value - b.value);
  const [least, most] = [at(pairs, 0), at(pairs, pairs.length - 1)];
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
  const pairText = ({ row, column, text }: typeof least): string => `${text} (${row} and ${column})`;
  return renderPlot(spec, rows, `${label}: ${pairText(least)} to ${pairText(most)}`);
}
