import type { CollectedOf } from "../collected.ts";
import { mixesReport } from "./mixes-report.ts";
import { lossByMixTable, mixAveragesTable, mixUse } from "./mixes-table.ts";
import type { Section, SectionNames } from "../page/section.ts";

/** Mixes that `mbs mix` compared: their three averages with the one that it recommends, and losses by language. */
export function mixesSections({ records, metadata }: CollectedOf<"mixes">, names: SectionNames): Section[] {
  const report = mixesReport(records, metadata);
  const { model, recommended, notes, mixes } = report;
  return [
    {
      id: names.id("mixes"),
      title: names.title(`Calibration mixes, from ${model}`),
      texts: notes,
      parts: [{ title: "Text in these shares", texts: [], command: mixUse(report) }],
      tables: [{ caption: "Predicted loss in nats a token, three averages", table: mixAveragesTable(report), open: true }],
      data: mixes.map(({ name, mix, unweighted, weighted, worst }) => ({
        name,
        mix,
        unweighted,
        weighted,
        worst: worst.loss,
        worstLanguage: worst.language,
        recommended: name === recommended.name,
      })),
    },
    {
      id: names.id("mixes-languages"),
      title: names.title(`Predicted loss by language and mix, from ${model}`),
      tables: [{ caption: "Predicted loss in nats a token, by language and mix", table: lossByMixTable(report), open: true }],
      data: mixes.flatMap(({ name, languages }) =>
        languages.map(({ language, weight, loss, interval: [low, high] }) => ({ name, language, weight, loss, low, high })),
      ),
    },
  ];
}
