import type { CollectedOf } from "../collected.ts";
import { damageReport } from "./damage-report.ts";
import { predictedTable, qualityTexts, worstSitesTable } from "./damage-table.ts";
import { byTrainingShare } from "../language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import { plotPredictions } from "../plots/prediction-plot.ts";
import type { Section, SectionNames, Plot } from "../page/section.ts";
import type { DamageReport } from "./damage-report.ts";
import { formatError } from "../numbers.ts";
import { renderPlot } from "../plots/render-plot.ts";
import { headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const blocksOf = ({ blocks }: DamageReport): string[] => [...new Set(blocks.map(({ block }) => block))];

/** A heat map of the predicted damage, one column per language and one row per block. */
function plotDamage(report: DamageReport, label: string): Promise<Plot> {
  const spec = {
    width: { step: 22 },
    height: { step: 18 },
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

const captionOf = ({ measured, scored }: DamageReport): string =>
  measured === undefined && scored === undefined ? "Damage" : "Damage, and losses in nats a token";

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

/**
 * Predicted damage by language, by block and language, and the sites that hurt most.
 *
 * @param shares of the training; tables follow them where they are known
 */
export async function damageSections(
  { records, metadata }: CollectedOf<"damage">,
  names: SectionNames,
  shares?: NumbersByName,
): Promise<Section[]> {
  const report = damageReport(records, metadata);
  const tabled = { ...report, languages: byTrainingShare(report.languages, ({ language }) => language, shares) };
  const points = report.languages.flatMap(({ language, damage, loss }) =>
    loss === undefined ? [] : [{ language, series: report.solver, predicted: damage, rise: Math.expm1(loss) }],
  );
  return [
    {
      id: names.id("predicted"),
      title: names.title(`Predicted damage of each language, ${report.solver}`),
      texts: [...qualityTexts(report), ...report.notes],
      ...(points.length > 2 && { plots: await plotPredictions(points, "damage", "damage against actual rise") }),
      tables: [{ caption: `${captionOf(report)} by language`, table: predictedTable(tabled), open: true }],
      data: report.languages.map(({ language, damage, predicted, loss }) => ({
        language,
        damage,
        predicted: predicted?.loss ?? "",
        low: predicted?.interval[0] ?? "",
        high: predicted?.interval[1] ?? "",
        loss: loss ?? "",
      })),
    },
    {
      id: names.id("predicted-blocks"),
      title: names.title(`Predicted damage by block and language, ${report.solver}`),
      texts: ["Mean damage of the outputs of each block's layers, languages in the order of the table above."],
      plots: [await plotDamage(report, "heat map of the predicted damage by block and language")],
      tables: [{ caption: "Predicted damage by block and language", table: blocksTable(tabled), open: false }],
    },
    {
      id: names.id("predicted-sites"),
      title: names.title(`Sites that hurt most, ${report.solver}`),
      tables: [{ caption: "Worst sites by language", table: worstSitesTable(tabled), open: true }],
      data: report.languages.flatMap(({ language, sites }) => sites.map((site) => ({ language, ...site }))),
    },
  ];
}
