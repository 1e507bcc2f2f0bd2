import type { CollectedOf } from "../collected.ts";
import { mixesReport } from "./mixes-report.ts";
import { damagesTable, mixAveragesTable, mixUses } from "./mixes-table.ts";
import type { Section, SectionNames } from "../page/section.ts";

/** Mixes that `mbs mix` tried: their three averages with the one that it recommends, and damage by language. */
export function mixesSections({ records, metadata }: CollectedOf<"mixes">, names: SectionNames): Section[] {
  const report = mixesReport(records, metadata);
  const { strategy, solver, recommended, notes, mixes } = report;
  return [
    {
      id: names.id("mixes"),
      title: names.title(`Calibration mixes, ${solver}`),
      texts: [...notes, `Recommended by ${strategy}: ${recommended.name}.`],
      parts: mixUses(report).map(({ title, command }) => ({ title, texts: [], command })),
      tables: [{ caption: "Predicted damage, three averages", table: mixAveragesTable(report), open: true }],
      data: mixes.map(({ name, round, mix, unweighted, weighted, worst, important }) => ({
        name,
        round,
        mix,
        unweighted,
        weighted: weighted ?? "",
        worst: worst.damage,
        worstLanguage: worst.language,
        important: important ?? "",
        recommended: name === recommended.name,
      })),
    },
    {
      id: names.id("mixes-languages"),
      title: names.title(`Predicted damage by language and mix, ${solver}`),
      tables: [{ caption: "Predicted damage by language and mix", table: damagesTable(report), open: true }],
      data: mixes.flatMap(({ name, languages }) => languages.map((language) => ({ name, ...language }))),
    },
  ];
}
