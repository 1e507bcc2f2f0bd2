import type { CollectedOf } from "./collected.ts";
import { blocksTable, plotErrors } from "./errors-plot.ts";
import { errorsReport } from "./errors-report.ts";
import { predictedTable, qualityTexts, worstSitesTable } from "./errors-table.ts";
import { plotPrediction } from "./prediction-plot.ts";
import type { SectionNames } from "./section-names.ts";
import type { Section } from "./section.ts";

/**
 * Predicted errors by language, by block and language, and the sites that hurt most.
 */
export async function errorsSections({ records, metadata }: CollectedOf<"errors">, names: SectionNames): Promise<Section[]> {
  const report = errorsReport(records, metadata);
  const points = report.languages.flatMap(({ language, sum, rise }) =>
    rise === undefined ? [] : [{ language, series: report.solver, predicted: sum, rise }],
  );
  return [
    {
      id: names.id("predicted"),
      title: names.title(`Predicted error of each language, ${report.solver}`),
      texts: [...qualityTexts(report), ...report.notes],
      ...(report.quality
        ? { plot: await plotPrediction(points, "Σ of relative errors", "predicted error against actual rise") }
        : {}),
      tables: [{ caption: "Predicted error by language", table: predictedTable(report), open: true }],
      data: report.languages.map(({ language, sum, mean, predicted, rise }) => ({
        language,
        sum,
        mean,
        predicted: predicted ?? "",
        rise: rise ?? "",
      })),
    },
    {
      id: names.id("predicted-blocks"),
      title: names.title(`Predicted error by block and language, ${report.solver}`),
      texts: ["Mean relative error of the outputs of each block's layers, the languages that lose most to the left."],
      plot: await plotErrors(report, "heat map of the predicted error by block and language"),
      tables: [{ caption: "Predicted error by block and language", table: blocksTable(report), open: false }],
    },
    {
      id: names.id("predicted-sites"),
      title: names.title(`Sites that hurt most, ${report.solver}`),
      tables: [{ caption: "Worst sites by language", table: worstSitesTable(report), open: true }],
      data: report.languages.flatMap(({ language, sites }) => sites.map((site) => ({ language, ...site }))),
    },
  ];
}
