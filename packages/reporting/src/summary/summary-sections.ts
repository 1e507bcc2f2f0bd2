import { at, formatBytes, groupBy, sizeAgainst } from "@mbs/contracts";
import type { PairedDifference, ScoresReport } from "@mbs/evaluation";
import { figureRises, figures } from "../scores/averages-plot.ts";
import { mostSeries } from "../scores/rises-plot.ts";
import type { FigureRise } from "../scores/averages-plot.ts";
import type { CompressedModel } from "../scores/compressed-models.ts";
import { foundText } from "../diagnosis/diagnosis-text.ts";
import type { Diagnosis } from "../diagnosis/diagnose.ts";
import type { MixAgainstAlone } from "../diagnosis/rules/mix-worse-than-alone.ts";
import { formatRise, formatRiseWithin } from "../numbers.ts";
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

/** What each mix gave and took, in the three figures. */
const againstAloneTable = (mixes: readonly MixAgainstAlone[]): TextTable => ({
  columns: [
    ...headings(
      ["mix", "method", "instead of"],
      ["unweighted mean", "weighted by training mixture", "rise of worst language", "before"],
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
  readonly most: PairedDifference;
  readonly least: PairedDifference;
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
  languages.length === 0 ? "none" : languages.length === all && all > 1 ? `all ${all}` : languages.join(", ");

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

/** "+1.8% (+1.2 … +2.4%)", the mean of languages; undefined where it is not known. */
function meanText({ averages }: ScoresReport, model: string): string | undefined {
  const { rise, riseInterval } = averages.find((average) => average.model === model)?.unweighted ?? {};
  return rise === undefined || riseInterval === undefined ? undefined : formatRiseWithin(rise, riseInterval);
}

/** Size, mean and languages of one model: "shrunk, gptq Q2_K, equal mix: 8.40 MB → 2.16 MB, 3.90 times smaller. …" */
function modelSentence(
  { report, reference, compressed, models }: ScoredArtifact,
  { model, losing, gaining, unclear, most }: GainsAndLosses,
): string {
  const made = compressed.find(({ name }) => name === model);
  const [source, bytes] = [models.get(reference)?.bytes, models.get(model)?.bytes];
  const all = losing.length + gaining.length + unclear.length;
  const size =
    bytes === undefined
      ? []
      : [
          source === undefined
            ? `${formatBytes(bytes)}.`
            : `${formatBytes(source)} → ${formatBytes(bytes)}, ${sizeAgainst(bytes, source)}.`,
        ];
  const mean = meanText(report, model);
  const worst = `${most.language}: ${formatRiseWithin(most.rise, most.interval)}`;
  return [
    `${[model, ...(made ? [made.method, made.mixName] : [])].join(", ")}:`,
    ...size,
    ...(mean === undefined ? [] : [`Mean of languages ${mean}${all < 2 ? "" : `, most in ${worst}`}.`]),
    `Clear losses: ${names(losing, all)}; clear gains: ${names(gaining, all)}; unclear: ${names(unclear, all)}.`,
  ].join(" ");
}

/** Which of many models lose least and most, and who gains. */
function gainsSentence(report: ScoresReport, rows: readonly GainsAndLosses[]): string {
  const means = rows
    .flatMap(({ model }) => ({ model, rise: report.averages.find((one) => one.model === model)?.unweighted.rise ?? NaN }))
    .filter(({ rise }) => !Number.isNaN(rise))
    .sort((a, b) => a.rise - b.rise);
  const [least, most] = [means[0], means.at(-1)];
  const mean =
    least === undefined || most === undefined
      ? []
      : [
          `The mean of languages changes least with ${least.model}, ${meanText(report, least.model)}, and most with ${most.model}, ${meanText(report, most.model)}.`,
        ];
  const gains = rows
    .filter(({ gaining }) => gaining.length > 0)
    .map(({ model, gaining }) => `${gaining.join(", ")} with ${model}`);
  const gaining = gains.length === 0 ? "No language clearly gains with any." : `Clear gains: ${gains.join("; ")}.`;
  const worst = rows.reduce((largest, row) => (row.most.rise > largest.most.rise ? row : largest));
  const loss = `The largest loss is ${worst.most.language} with ${worst.model}: ${formatRise(worst.most.rise)}.`;
  return [...mean, gaining, loss].join(" ");
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

/** What scores say in plain words: of few models each by itself, of many who gains and who loses, and which mix is best. */
export function gainsSection(scored: ScoredArtifact, mixes: readonly MixAgainstAlone[], names: SectionNames): Section[] {
  const { report, reference, compressed } = scored;
  const rows = gainsAndLosses(report);
  if (rows.length === 0) return [];
  const isFew = rows.length <= mostSeries;
  const compared = [...mixes.map(mixSentence), ...verdicts(figureRises(report.averages), compressed)];
  const clear = "A loss or gain of a language is clear where the 95% interval of its paired rise excludes zero.";
  const best = "A mix is clearly best or worst by a mean where its interval overlaps with that of no other.";
  return [
    {
      id: names.id("gains-and-losses"),
      title: names.title(isFew ? "Result" : "Who gains and who loses"),
      texts: [
        `Rises of perplexity above ${reference}, on the same windows. ${clear}${compared.length === 0 ? "" : ` ${best}`}`,
        ...(isFew ? [] : [gainsSentence(report, rows)]),
      ],
      points: [...(isFew ? rows.map((row) => modelSentence(scored, row)) : []), ...compared],
      tables: [
        ...(mixes.length === 0
          ? []
          : [{ caption: "Mixes against one language alone", table: againstAloneTable(mixes), open: true }]),
        ...(isFew
          ? []
          : [
              {
                caption: `Languages that clearly lose and gain, against ${reference}`,
                table: gainsTable(rows, compressed),
                open: true,
              },
            ]),
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

/** What a reader can do about languages that lose too much. */
export type RemedyText = (languages: readonly string[]) => string;

/**
 * The findings of `mbs diagnose`.
 *
 * @param remedyText in place of the commands of stages; then it is not said either what else could be looked for
 */
export function diagnosisSection(diagnosis: Diagnosis, remedyText?: RemedyText): Section {
  const { findings, notes } = diagnosis;
  return {
    id: "findings",
    title: "What went wrong, and what to do",
    texts: [foundText(diagnosis), ...(remedyText ? [] : notes)],
    parts: findings.map(({ title, texts, languages, remedy }) => ({
      title,
      texts: [...texts, `Remedy: ${remedyText?.(languages) ?? remedy.text}`],
      ...(remedyText ? {} : { command: remedy.command }),
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
