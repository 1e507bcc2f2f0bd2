import type { CollectedOf } from "../collected.ts";
import type { MixesReport } from "./mixes-report.ts";
import { mixesReport } from "./mixes-report.ts";
import { damageByMixTable, mixAveragesTable, mixPairsTable, mixUses, shownMixes } from "./mixes-table.ts";
import type { Section, SectionNames } from "../page/section.ts";

/** One mix against another; the numbers for CSV are those of damage by language. */
const pairsSection = (report: MixesReport, names: SectionNames): Section => ({
  id: names.id("mixes-pairs"),
  title: names.title(`One mix against another, predicted, ${report.solver}`),
  texts: [
    "Plain differences of predicted damage, in percentage points: below zero the first of the two is better. They have no interval; for one, evaluate a model made with each mix.",
  ],
  tables: [{ caption: "Difference of predicted damage by language", table: mixPairsTable(report), open: true }],
});

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
      tables: [{ caption: "Predicted damage by language and mix", table: damageByMixTable(report), open: true }],
      data: mixes.flatMap(({ name, languages }) => languages.map((language) => ({ name, ...language }))),
    },
    ...(shownMixes(report).length < 2 ? [] : [pairsSection(report, names)]),
  ];
}
