import { at } from "@mbs/contracts";
import { colours, noteText } from "../terminal/terminal-text.ts";
import type { MixesReport, ReportedMix } from "./mixes-report.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

/** 0.4271 → "0.427"; −0.0001 is "0.000". */
const natsCell = (nats: number): string => nats.toFixed(3).replace(/^-(?=0\.000$)/, "");

const headOf = ({ name, isMeasured }: ReportedMix): string => (isMeasured && name !== "measured" ? `${name}, measured` : name);

/** One row per language: its share of the text in the recommended mix, and what it loses with each mix, that one last. */
export function lossByMixTable({ mixes, recommended }: MixesReport): TextTable {
  return {
    columns: headings(["language"], ["share", ...mixes.map(headOf), "95% of it"]),
    // Every mix has the same languages in the same order.
    rows: recommended.languages.map(({ language, weight, interval: [low, high] }, index) => [
      language,
      String(weight),
      ...mixes.map(({ languages }) => natsCell(at(languages, index).loss)),
      `${natsCell(low)} to ${natsCell(high)}`,
    ]),
  };
}

/** One row per mix; the recommended one has an arrow. */
export const mixAveragesTable = ({ mixes, recommended }: MixesReport): TextTable => ({
  columns: headings(["", "mix"], ["unweighted mean", "mean by importance", "worst language"]),
  rows: mixes.map((mix) => [
    mix === recommended ? "→" : "",
    headOf(mix),
    natsCell(mix.unweighted),
    natsCell(mix.weighted),
    `${mix.worst.language} ${natsCell(mix.worst.loss)}`,
  ]),
});

/** How to draw text in the recommended shares. */
export const mixUse = ({ recommended: { mix } }: MixesReport): string => `mbs sample --mix ${mix}`;

/** What is predicted and what is recommended, for a terminal. */
export function mixesTable(report: MixesReport): string {
  return [
    `${colours.bold("loss, nats a token, predicted where it was not measured")}\n${formatTable(lossByMixTable(report))}`,
    `${colours.bold("three averages")}\n${formatTable(mixAveragesTable(report))}`,
    `${report.notes.map(noteText).join("\n")}\n`,
    `${colours.bold("recommended")}\n${mixUse(report)}\n`,
  ].join("\n");
}
