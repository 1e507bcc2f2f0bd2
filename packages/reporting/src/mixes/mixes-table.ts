import { at } from "@mbs/contracts";
import { colours, noteText } from "../terminal/terminal-text.ts";
import type { MixesReport, ReportedMix } from "./mixes-report.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

/** 0.02036 → "2.04%": mixes differ by little. */
const damageCell = (damage: number): string => `${(100 * damage).toPrecision(3)}%`;

/** The mixes compared from the start and the recommended one. */
export const shownMixes = ({ mixes, recommended }: MixesReport): ReportedMix[] => [
  ...mixes.filter((mix) => mix.round === 0 && mix !== recommended),
  recommended,
];

/** One row per language: its weight in the recommended mix and its damage under each mix, that mix last. */
export function damageByMixTable(report: MixesReport): TextTable {
  const shown = shownMixes(report);
  return {
    columns: headings(["language"], ["weight", ...shown.map(({ name }) => name)]),
    // Every mix has the same languages in the same order.
    rows: report.recommended.languages.map(({ language, weight }, index) => [
      language,
      String(weight),
      ...shown.map(({ languages }) => damageCell(at(languages, index).damage)),
    ]),
  };
}

/** 0.0096 → "+0.96". */
const pointsCell = (difference: number): string => `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toPrecision(3)}`;

/** Every two of the shown mixes by language, one column per pair: how much more damage the first does, in percentage points. */
export function mixPairsTable(report: MixesReport): TextTable {
  const shown = shownMixes(report);
  const pairs = shown.flatMap((against, index) => shown.slice(index + 1).map((mix) => ({ mix, against })));
  const difference = ({ mix, against }: (typeof pairs)[number], damageOf: (mix: ReportedMix) => number): string =>
    pointsCell(damageOf(mix) - damageOf(against));
  return {
    columns: headings(
      ["language"],
      pairs.map(({ mix, against }) => `${mix.name} against ${against.name}`),
    ),
    rows: [
      ["unweighted mean", ...pairs.map((pair) => difference(pair, ({ unweighted }) => unweighted))],
      ...report.recommended.languages.map(({ language }, index) => [
        language,
        ...pairs.map((pair) => difference(pair, ({ languages }) => at(languages, index).damage)),
      ]),
    ],
  };
}

/** One row per mix, in the order in which they were tried; the recommended one has an arrow. */
export function mixAveragesTable({ mixes, recommended }: MixesReport): TextTable {
  const weighted = recommended.weighted !== undefined;
  const important = recommended.important !== undefined;
  return {
    columns: headings(
      ["", "mix"],
      [
        "unweighted mean",
        ...(weighted ? ["weighted by training mixture"] : []),
        "worst language",
        ...(important ? ["by importance"] : []),
      ],
    ),
    rows: mixes.map((mix) => [
      mix === recommended ? "→" : "",
      mix.name,
      damageCell(mix.unweighted),
      ...(weighted ? [damageCell(mix.weighted ?? NaN)] : []),
      `${mix.worst.language} ${damageCell(mix.worst.damage)}`,
      ...(important ? [damageCell(mix.important ?? NaN)] : []),
    ]),
  };
}

/** How to use the recommended weights, on the command line and in a recipe. */
export const mixUses = ({
  recommended: { mix },
}: MixesReport): readonly { readonly title: string; readonly command: string }[] => [
  { title: "With the statistics that are there", command: `mbs factor --mix ${mix}` },
  { title: "For a fresh sample", command: `mbs sample --mix weights:${mix}` },
];

/** What was tried and what is recommended, for a terminal. */
export function mixesTable(report: MixesReport, remarks: readonly string[] = []): string {
  const { strategy, solver, notes } = report;
  return [
    `${colours.bold(`predicted damage by language, ${solver}`)}\n${formatTable(damageByMixTable(report))}`,
    `${colours.bold("predicted damage, three averages")}\n${formatTable(mixAveragesTable(report))}`,
    `${[...notes, ...remarks].map(noteText).join("\n")}\n`,
    `${colours.bold(`recommended by ${strategy}`)}\n${mixUses(report)
      .map(({ command }) => command)
      .join("\n")}\n`,
  ].join("\n");
}
