import type { CollectedOf } from "../collected.ts";
import { blocksTable, plotDamage } from "./damage-plot.ts";
import { damageReport } from "./damage-report.ts";
import { predictedTable, qualityTexts, worstSitesTable } from "./damage-table.ts";
import { byTrainingShare } from "../language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import { plotPredictions, unnamedText } from "../plots/prediction-plot.ts";
import type { Section, SectionNames } from "../page/section.ts";

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
  const points = report.languages.flatMap(({ language, sum, rise }) =>
    rise === undefined ? [] : [{ language, series: report.solver, predicted: sum, rise }],
  );
  return [
    {
      id: names.id("predicted"),
      title: names.title(`Predicted damage of each language, ${report.solver}`),
      texts: [...qualityTexts(report), ...report.notes, ...(report.quality ? [unnamedText] : [])],
      ...(report.quality ? { plots: await plotPredictions(points, "Σ of damage", "predicted damage against actual rise") } : {}),
      tables: [{ caption: "Predicted damage by language", table: predictedTable(tabled), open: true }],
      data: report.languages.map(({ language, sum, damage, predicted, rise }) => ({
        language,
        sum,
        damage,
        predicted: predicted ?? "",
        rise: rise ?? "",
      })),
    },
    {
      id: names.id("predicted-blocks"),
      title: names.title(`Predicted damage by block and language, ${report.solver}`),
      texts: ["Mean damage of the outputs of each block's layers, the languages that lose most to the left."],
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
