import { at } from "@mbs/contracts";
import type { TestedCorrelation } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { bestMixes, correlationsOf, excludesZero, languageFigures, separationsOf } from "./agreements.ts";
import type { LanguageFigures } from "./agreements.ts";
import { detectable, meanOf } from "./figures.ts";
import type { Figure } from "./figures.ts";
import { chanceOf, figuresOf, isKind, kinds, mixes } from "./measured.ts";
import type { Kind, Mix, Setting } from "./measured.ts";

function plus(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}

export const mixTitle = (mix: Mix): string => (mix === "en" ? "English-only" : mix);

/** The interval behind a value, both written by one function. */
const withInterval = (value: number, [low, high]: readonly [number, number], write: (value: number) => string): string =>
  `${write(value)} (${write(low)} to ${write(high)})`;

const percents = (value: number): string => `${(100 * value).toFixed(1)}%`;
const risesText = (nats: number): string => {
  const percent = 100 * Math.expm1(nats);
  return `${plus(percent, Math.abs(percent) < 100 ? 1 : 0)}%`;
};
const riseText = ({ value, interval }: Figure): string => withInterval(value, interval, risesText);
const klText = ({ value, interval }: Figure): string => withInterval(value, interval, (nats) => nats.toPrecision(3));
const shareText = ({ value, interval }: Figure): string => withInterval(value, interval, percents);
const pointsText = ({ value, interval }: Figure): string =>
  withInterval(100 * value, [100 * interval[0], 100 * interval[1]], (points) => plus(points, 1));

/** Dense and every mix, in the mean of all languages. */
export function meansTable(setting: Setting): string {
  const { strata } = setting;
  const rightOf = (label: Mix | "dense", kind: Kind): Figure => meanOf(strata(label, "right").filter(isKind(kind)));
  const perplexity = (label: Mix | "dense"): string => {
    const value = Math.exp(meanOf(strata(label, "loss")).value);
    return value < 1000 ? value.toFixed(1) : value.toFixed(0);
  };
  const dense = ["dense", perplexity("dense"), "", "", "", ...kinds.map((kind) => shareText(rightOf("dense", kind))), ""];
  const rows = mixes.map((mix) => {
    const all = figuresOf(setting, mix, () => true);
    const cells = kinds.map((kind) => {
      const { difference } = figuresOf(setting, mix, (stratum) => stratum.task === "" || isKind(kind)(stratum));
      return `${percents(rightOf(mix, kind).value)}: ${pointsText(difference)}`;
    });
    return [
      mixTitle(mix),
      perplexity(mix),
      riseText(all.rise),
      klText(all.kl),
      percents(all.agreement.value),
      ...cells,
      shareText(all.flips),
    ];
  });
  const head = ["calibration", "perplexity", "rise", "KL", "agreement", "continuation", "pairs", "flips"];
  return markdownTable(head, [dense, ...rows]);
}

const denseCell = ({ dense }: LanguageFigures, kind: Kind): string => {
  const found = dense.find((answers) => answers.kind === kind);
  return found === undefined ? "" : `${(100 * found.right.value).toFixed(0)}%${found.aboveChance ? "" : " ~"}`;
};

const star = (figure: Figure): string => (excludesZero(figure) ? " *" : "");

/** A line a language: the rise, right answers and flips with each mix. */
export function languagesTable(languages: readonly LanguageFigures[]): string {
  const head = [
    "language",
    ...kinds.map((kind) => `dense, ${kind}`),
    ...mixes.map((mix) => `${mixTitle(mix)}: rise`),
    ...mixes.flatMap((mix) => [`${mixTitle(mix)}: answers`, "flips"]),
  ];
  const rows = languages.map((own) => [
    own.language,
    ...kinds.map((kind) => denseCell(own, kind)),
    ...mixes.map((mix) => risesText(own.mixes[mix].rise.value)),
    ...mixes.flatMap((mix) => {
      const { difference, flips } = own.mixes[mix];
      return [`${plus(100 * difference.value, 1)}${star(difference)}`, percents(flips.value)];
    }),
  ]);
  return markdownTable(head, rows);
}

const correlationText = ({ value, p }: TestedCorrelation): string =>
  Number.isNaN(value) ? "–" : `${plus(value, 2)} (p ${p < 0.001 ? "< 0.001" : p.toFixed(3)})`;

/** Rank correlations over languages, a line a setting and mix. */
export const correlationsTable = (settings: readonly Setting[]): string =>
  markdownTable(
    ["model and method", "calibration", "rise, KL", "rise, flips", "rise, answers lost", "dense answers, flips", "languages"],
    settings.flatMap((setting) =>
      correlationsOf(languageFigures(setting)).map(({ mix, kl, flips, lost, flipsByDense, languages }) => [
        setting.title,
        mixTitle(mix),
        ...[kl, flips, lost, flipsByDense].map(correlationText),
        `${setting.languages.length}, ${languages}`,
      ]),
    ),
    2,
  );

/** Whether measures choose the same mix for each language as perplexity. */
export const bestMixesTable = (settings: readonly Setting[]): string =>
  markdownTable(
    ["model and method", "by KL", "by flips", "by right answers"],
    settings.map((setting) => [
      setting.title,
      ...bestMixes(languageFigures(setting)).map(
        ({ same, tied, languages }) => `${same} of ${languages}${tied > 0 ? `, ${tied} tied` : ""}`,
      ),
    ]),
  );

/** A difference in nats, else in points. */
function differenceText(measure: string, figure: Figure): string {
  if (measure !== "log perplexity" && measure !== "KL") return pointsText(figure);
  return withInterval(figure.value, figure.interval, (nats) => plus(nats, Math.abs(figure.value) < 0.1 ? 4 : 2));
}

/** Paired differences between mixes, by each measure. */
export function separationsTable(setting: Setting): string {
  const found = separationsOf(setting);
  const measures = [...new Set(found.map(({ measure }) => measure))];
  const pairs = found.filter(({ measure }) => measure === measures[0]);
  return markdownTable(
    ["measure", ...pairs.map(({ first, second }) => `${mixTitle(first)} less ${mixTitle(second)}`)],
    measures.map((measure) => [
      measure,
      ...found
        .filter((own) => own.measure === measure)
        .map(({ mean, languages }) => `${differenceText(measure, mean)}${star(mean)}; ${languages}`),
    ]),
  );
}

const median = (values: readonly number[]): number =>
  at(
    values.toSorted((a, b) => a - b),
    values.length >> 1,
  );

/** How far above chance the dense model is, and what difference could have been seen. */
export const powerTable = (settings: readonly Setting[]): string =>
  markdownTable(
    ["model and method", "task", "above chance", "not above", "seen in a language", "seen in the mean"],
    settings.flatMap((setting) => {
      const languages = languageFigures(setting);
      return kinds.map((kind) => {
        const dense = languages.flatMap((own) => own.dense.filter((answers) => answers.kind === kind));
        const not = dense.filter(({ aboveChance }) => !aboveChance).map(({ language }) => language);
        const difference = (language?: string): Figure =>
          figuresOf(setting, "en", (own) => (own.task === "" || isKind(kind)(own)) && (language ?? own.language) === own.language)
            .difference;
        const seen = median(dense.map(({ language }) => detectable(difference(language))));
        return [
          setting.title,
          `${kind} (chance ${(100 * chanceOf[kind]).toFixed(0)}%)`,
          `${dense.length - not.length} of ${dense.length}`,
          not.join(", ") || "none",
          `${(100 * seen).toFixed(1)} points`,
          `${(100 * detectable(difference())).toFixed(1)} points`,
        ];
      });
    }),
    2,
  );
