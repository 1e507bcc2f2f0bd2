import { at, groupBy } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { figureRises, figures } from "../scores/averages-plot.ts";
import type { FigureRise } from "../scores/averages-plot.ts";
import type { CompressedModel } from "../scores/compressed-models.ts";
import { foundText } from "../diagnosis/diagnosis-text.ts";
import type { Diagnosis } from "../diagnosis/diagnose.ts";
import type { MixAgainstAlone } from "../diagnosis/rules/mix-worse-than-alone.ts";
import { formatRise } from "../numbers.ts";
import type { ScoredArtifact } from "../scores/scored-artifact.ts";
import type { Section, SectionNames } from "../page/section.ts";
import type { TextTable } from "../terminal/table.ts";
import { verdict } from "./verdict.ts";
import { riseText } from "../diagnosis/rises.ts";
import { worstText } from "../diagnosis/rules/mix-worse-than-alone.ts";
import { headings } from "../terminal/table.ts";

/** Few languages by name, many by their number. */
function named(languages: readonly string[]): string {
  if (languages.length === 0) return "none";
  return languages.length <= 4 ? languages.join(", ") : `${languages.length} languages`;
}

/** "sparsegpt sparsity 0.5, equal mix instead of en alone: lose less: 15 languages; lose more: en." */
const mixSentence = ({ method, mix, alone, winners, losers }: MixAgainstAlone): string =>
  `${method}, ${mix} instead of ${alone} alone: ${named(winners)} clearly ${winners.length === 1 ? "loses" : "lose"} less, ${named(losers)} more.`;

/** What each mix gave and took, in the three figures; the worst languages are above dense. */
const againstAloneTable = (mixes: readonly MixAgainstAlone[]): TextTable => ({
  columns: [
    ...headings(
      ["mix", "method", "instead of"],
      ["unweighted mean", "weighted by training mixture", "worst language above dense", "before"],
    ),
    ...headings(["lose less", "lose more"], []),
  ],
  rows: mixes.map(({ method, mix, alone, unweighted, weighted, worst, winners, losers }) => [
    mix,
    method,
    `${alone} alone`,
    riseText(unweighted, "–"),
    riseText(weighted, "–"),
    worstText(
      worst.map((pair) => pair.mix),
      "–",
    ),
    worstText(
      worst.map((pair) => pair.alone),
      "–",
    ),
    named(winners),
    named(losers),
  ]),
});

/** Who loses and who gains by a model: by paired intervals that exclude zero. */
interface GainsAndLosses {
  readonly model: string;
  readonly losing: readonly string[];
  readonly gaining: readonly string[];
  readonly unclear: readonly string[];
  readonly most: { readonly language: string; readonly rise: number };
  readonly least: { readonly language: string; readonly rise: number };
}

function gainsAndLosses({ pairs }: ScoresReport): GainsAndLosses[] {
  return [...groupBy(pairs, ({ model }) => model)].map(([model, own]) => {
    const sorted = own.toSorted((a, b) => b.rise - a.rise);
    const names = (which: (low: number, high: number) => boolean): string[] =>
      sorted.filter(({ interval: [low, high] }) => which(low, high)).map(({ language }) => language);
    return {
      model,
      losing: names((low) => low > 0),
      gaining: names((_, high) => high < 0),
      unclear: names((low, high) => !(low > 0 || high < 0)),
      most: at(sorted, 0),
      least: at(sorted, sorted.length - 1),
    };
  });
}

const names = (languages: readonly string[], all: number): string =>
  languages.length === 0 ? "none" : languages.length === all ? `all ${all}` : languages.join(", ");

function gainsTable(rows: readonly GainsAndLosses[], compressed: readonly CompressedModel[]): TextTable {
  const made = new Map(compressed.map((model) => [model.name, model]));
  return {
    columns: [
      ...["model", "method", "mix"].map((title) => ({ title })),
      ...["loses", "gains", "unclear"].map((title) => ({ title, wide: true })),
      ...["loses most", "loses least"].map((title) => ({ title })),
    ],
    rows: rows.map(({ model, losing, gaining, unclear, most, least }) => {
      const all = losing.length + gaining.length + unclear.length;
      return [
        model,
        made.get(model)?.method ?? "–",
        made.get(model)?.mixName ?? "–",
        names(losing, all),
        names(gaining, all),
        names(unclear, all),
        `${most.language} ${formatRise(most.rise)}`,
        `${least.language} ${formatRise(least.rise)}`,
      ];
    }),
  };
}

function gainsSentence(rows: readonly GainsAndLosses[], reference: string): string {
  const losers = rows.filter(({ gaining, unclear }) => gaining.length === 0 && unclear.length === 0).length;
  const everything = losers === 0 ? "" : ` With ${losers} of ${rows.length} models every language clearly loses.`;
  const gains = rows
    .filter(({ gaining }) => gaining.length > 0)
    .map(({ model, gaining }) => `${gaining.join(", ")} with ${model}`);
  const gaining = gains.length === 0 ? " No language clearly gains with any." : ` Clear gains: ${gains.join("; ")}.`;
  const worst = rows.reduce((largest, row) => (row.most.rise > largest.most.rise ? row : largest));
  return `Against ${reference} on the same windows.${everything}${gaining} The largest loss is ${worst.most.language} with ${worst.model}: ${formatRise(worst.most.rise)}.`;
}

/** The figures whose intervals can be compared. The worst language's cannot: it was chosen for its large rise. */
const comparedFigures = figures.slice(0, 2);

/** Which of the mixes that one method was given is best, by each of the two means. */
function verdicts(rises: readonly FigureRise[], compressed: readonly CompressedModel[]): string[] {
  return [...groupBy(compressed, ({ methodKey }) => methodKey).values()].flatMap((models) => {
    const seeds = new Set(models.map(({ mixName }) => mixName)).size < models.length;
    const texts = comparedFigures.flatMap((figure) => {
      const contenders = models.flatMap(({ name, mixName }) =>
        rises
          .filter((rise) => rise.figure === figure && rise.model === name)
          .map(({ rise, low, high }) => ({ name: seeds ? name : mixName, rise, interval: [low, high] as const })),
      );
      return contenders.length < 2 ? [] : [verdict(figure.charAt(0).toUpperCase() + figure.slice(1), contenders)];
    });
    return texts.length === 0 ? [] : [`${models[0].method}. ${texts.join(" ")}`];
  });
}

/** What scores say in plain words: who gains and who loses, and which mix is best by which figure. */
export function gainsSection(
  { report, reference, compressed }: ScoredArtifact,
  mixes: readonly MixAgainstAlone[],
  names: SectionNames,
): Section[] {
  const rows = gainsAndLosses(report);
  if (rows.length === 0) return [];
  return [
    {
      id: names.id("gains-and-losses"),
      title: names.title("Who gains and who loses"),
      texts: [
        gainsSentence(rows, reference),
        "A language clearly loses or gains where the 95% interval of its paired rise excludes zero. A mix is clearly best or worst by a mean where its interval overlaps with that of no other.",
      ],
      points: [...mixes.map(mixSentence), ...verdicts(figureRises(report.averages), compressed)],
      tables: [
        ...(mixes.length === 0
          ? []
          : [{ caption: "Mixes against one language alone", table: againstAloneTable(mixes), open: true }]),
        {
          caption: `Languages that clearly lose and gain, against ${reference}`,
          table: gainsTable(rows, compressed),
          open: true,
        },
      ],
      data: rows.map(({ model, losing, gaining, unclear, most, least }) => ({
        model,
        losing: losing.join(" "),
        gaining: gaining.join(" "),
        unclear: unclear.join(" "),
        most: most.language,
        mostRise: most.rise,
        least: least.language,
        leastRise: least.rise,
      })),
    },
  ];
}

/** The findings of `mbs diagnose`. */
export function diagnosisSection(diagnosis: Diagnosis): Section {
  const { findings, notes } = diagnosis;
  return {
    id: "findings",
    title: "What went wrong, and what to do",
    texts: [foundText(diagnosis), ...notes],
    parts: findings.map(({ title, texts, remedy }) => ({
      title,
      texts: [...texts, `Remedy: ${remedy.text}`],
      command: remedy.command,
    })),
    data: findings.flatMap(({ signature, evidence }, finding) =>
      evidence.map(({ what, unit, value, interval, significant }) => ({
        finding: finding + 1,
        signature,
        what,
        unit,
        value,
        low: interval?.[0] ?? "",
        high: interval?.[1] ?? "",
        significant,
      })),
    ),
  };
}
