import type { DamageReport } from "./damage-report.ts";
import { formatError } from "../numbers.ts";
import { renderPlot } from "../plots/render-plot.ts";
import type { Plot } from "../page/section.ts";
import { headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const blocksOf = ({ blocks }: DamageReport): string[] => [...new Set(blocks.map(({ block }) => block))];

/** A heat map of the predicted damage, one column per language and one row per block. */
export function plotDamage(report: DamageReport, label: string): Promise<Plot> {
  const spec = {
    width: { block: 22 },
    height: { block: 18 },
    mark: "rect",
    encoding: {
      x: {
        field: "language",
        type: "nominal",
        scale: { domain: report.languages.map(({ language }) => language) },
        title: null,
        axis: { orient: "top", labelAngle: -60 },
      },
      y: { field: "block", type: "nominal", scale: { domain: blocksOf(report) }, title: null },
      color: {
        field: "damage",
        type: "quantitative",
        scale: { scheme: "viridis" },
        legend: { title: "damage", orient: "bottom", format: ".1%" },
      },
    },
  };
  const rows = report.blocks.map(({ block, language, damage }) => ({ block, language, damage }));
  const most = rows.reduce((worst, row) => (row.damage > worst.damage ? row : worst));
  return renderPlot(spec, rows, `${label}: most ${formatError(most.damage)}, ${most.language} in ${most.block}`);
}

/** The numbers behind the heat map: one row per block, one column per language. */
export function blocksTable(report: DamageReport): TextTable {
  const names = report.languages.map(({ language }) => language);
  const values = new Map(report.blocks.map(({ block, language, damage }) => [JSON.stringify([block, language]), damage]));
  return {
    columns: headings(["block"], names),
    rows: blocksOf(report).map((block) => [
      block,
      ...names.map((language) => formatError(values.get(JSON.stringify([block, language])) ?? NaN)),
    ]),
  };
}
