import { at } from "@mbs/contracts";
import { lossAt } from "@mbs/mix-recommendation";
import { mean, spearman } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { toSvg } from "../pages/plot.ts";
import {
  figureDifference,
  lossesOverDraws,
  meanOfLanguages,
  ofLanguage,
  overDraws,
  weightedBy,
  worstOfLanguages,
} from "./draws.ts";
import type { DrawnRow, WindowRises } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";
import { allMethods, allMixes } from "./rows.ts";
import { mixTitle, natsText, pairsOf, thousandths } from "./tables.ts";

const total = twelveLanguages.reduce((sum, { share }) => sum + share, 0);
/** Assumed shares of the training mixture, sum 1. */
const shares: Readonly<Record<string, number>> = Object.fromEntries(
  twelveLanguages.map(({ tag, share }) => [tag, share / total]),
);

const titleOf = (method: string): string => allMethods[method]?.title ?? method;

/** Draws of one method and mix, in order. */
const drawsOf = (rows: readonly DrawnRow[], method: string, mix: string): readonly DrawnRow[] =>
  rows.filter((row) => row.method === method && row.mix === mix).sort((a, b) => a.draw - b.draw);

const methodsIn = (rows: readonly DrawnRow[]): readonly string[] =>
  Object.keys(allMethods).filter((method) => rows.some((row) => row.method === method));
const mixesIn = (rows: readonly DrawnRow[], method: string): readonly string[] =>
  Object.keys(allMixes).filter((mix) => drawsOf(rows, method, mix).length > 0);

/** A line a method and mix: three averages, over the draws that there are. */
export function mixesTable(rows: readonly DrawnRow[]): string {
  const lines = methodsIn(rows).flatMap((method) =>
    mixesIn(rows, method).map((mix) => {
      const draws = drawsOf(rows, method, mix).map(({ rises }) => rises);
      const { mean: ofAll, worst } = lossesOverDraws(draws);
      return [
        titleOf(method),
        mixTitle(mix),
        String(draws.length),
        natsText(ofAll),
        natsText(overDraws(draws, weightedBy(shares))),
        natsText(overDraws(draws, worstOfLanguages)),
        worst.language,
      ];
    }),
  );
  const head = ["method", "mix", "draws", "mean of languages", "weighted by share", "language that loses most"];
  return markdownTable([...head, "mostly"], lines, 2);
}

const isOtherAmount = (mix: string): boolean => allMixes[mix]?.times !== undefined;

/** Rows of two mixes on the draws that both have. */
function pairOf(
  rows: readonly DrawnRow[],
  method: string,
  first: string,
  second: string,
): readonly [readonly WindowRises[], readonly WindowRises[]] {
  const pairs = pairsOf(drawsOf(rows, method, first), drawsOf(rows, method, second));
  return [pairs.map(({ row }) => row.rises), pairs.map(({ other }) => other.rises)];
}

/** The found mix against each other one: the loss of the worst language, which was named before the run, and two means. */
export function outcomeTable(rows: readonly DrawnRow[]): string {
  const lines = methodsIn(rows).flatMap((method) =>
    mixesIn(rows, method).flatMap((mix) => {
      if (mix === "found" || isOtherAmount(mix)) return [];
      const [found, other] = pairOf(rows, method, "found", mix);
      if (found.length === 0) return [];
      const against = (figure: (rises: WindowRises) => number): string => natsText(figureDifference(found, other, figure));
      return [
        [
          titleOf(method),
          mixTitle(mix),
          String(found.length),
          against(worstOfLanguages),
          against(meanOfLanguages),
          against(weightedBy(shares)),
        ],
      ];
    }),
  );
  return markdownTable(["method", "against", "draws", "worst language", "mean of languages", "weighted by share"], lines, 2);
}

/** A line a language: its share and what it loses with each mix, the mean over draws. */
export function languagesOfMixes(rows: readonly DrawnRow[], method: string): string {
  const mixes = mixesIn(rows, method).filter((mix) => !isOtherAmount(mix));
  const lines = twelveLanguages.map(({ tag, script }) => [
    tag,
    script,
    `${(100 * (shares[tag] ?? 0)).toFixed(1)}%`,
    ...mixes.map((mix) => thousandths(mean(drawsOf(rows, method, mix).map(({ rises }) => ofLanguage(tag)(rises))))),
  ]);
  return markdownTable(["language", "script", "share", ...mixes.map(mixTitle)], lines, 2);
}

const equalShare = 1 / twelveLanguages.length;

/** Σ first · second */
const moment = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * at(second, index), 0);

const hundredths = (value: number): string => value.toFixed(2).replace("-", "−");

const centred = (values: readonly number[]): number[] => values.map((value) => value - mean(values));

/** Shares of the text of a mix, sum about 1; undefined where the law says nothing, or text is more or less in all. */
function textOf(mix: string, found: Readonly<Record<string, number>>): Readonly<Record<string, number>> | undefined {
  if (mix === "proportional") return shares;
  if (mix === "found") return found;
  if (mix !== "temperature-0.3") return undefined;
  const powers = twelveLanguages.map(({ tag }) => [tag, (shares[tag] ?? 0) ** 0.3] as const);
  const sum = powers.reduce((all, [, power]) => all + power, 0);
  return Object.fromEntries(powers.map(([tag, power]) => [tag, power / sum]));
}

/** A language under a mix, beside the equal one on the same draws. */
interface LawPoint {
  readonly language: string;
  /** ln of its share over that in the equal mix. */
  readonly text: number;
  /** ln of its loss over that with the equal mix. */
  readonly loss: number;
  /** What the law predicts from the equal mix, less what it lost, in nats. */
  readonly error: number;
}

function lawPoints(
  rows: readonly DrawnRow[],
  method: string,
  mix: string,
  found: Readonly<Record<string, number>>,
): readonly LawPoint[] {
  const text = textOf(mix, found);
  const [equal, other] = pairOf(rows, method, "equal", mix);
  if (text === undefined || equal.length === 0) return [];
  return twelveLanguages.map(({ tag }): LawPoint => {
    const [before = NaN, after = NaN] = [equal, other].map((draws) => mean(draws.map(ofLanguage(tag))));
    const share = text[tag] ?? NaN;
    return {
      language: tag,
      text: Math.log(share / equalShare),
      loss: Math.log(after / before),
      error: lossAt(before, { share: equalShare }, share) - after,
    };
  });
}

/**
 * How losses go with a language's share of the text, from the equal mix to the others: the exponent e of loss ∝ share^−e by least
 * squares, the rank correlation of the two logarithms over all of them and within a language, and how far off is what the law
 * predicts from the equal mix.
 */
export function lawTable(rows: readonly DrawnRow[], found: Readonly<Record<string, number>>): string {
  const lines = methodsIn(rows).flatMap((method) => {
    const mixes = mixesIn(rows, method);
    const points = mixes.flatMap((mix) => lawPoints(rows, method, mix, found));
    if (points.length === 0) return [];
    const [text, loss] = [points.map((point) => point.text), points.map((point) => point.loss)];
    const exponent = -moment(centred(text), centred(loss)) / moment(centred(text), centred(text));
    const within = twelveLanguages.map(({ tag }) => {
      const own = [{ text: 0, loss: 0 }, ...points.filter(({ language }) => language === tag)];
      return spearman(
        own.map((point) => point.text),
        own.map((point) => point.loss),
      );
    });
    const errors = points.map(({ error }) => Math.abs(error));
    return [
      [
        titleOf(method),
        mixes
          .filter((mix) => textOf(mix, found) !== undefined)
          .map(mixTitle)
          .join(", "),
        hundredths(exponent),
        hundredths(spearman(text, loss)),
        hundredths(mean(within)),
        thousandths(mean(errors)),
        thousandths(Math.max(...errors)),
      ],
    ];
  });
  const head = ["method", "mixes", "e", "rank correlation", "within a language", "error, mean", "largest"];
  return markdownTable(head, lines, 2);
}

/** Losses by language, a mark a mix; languages in the order of their shares. */
export function plotLanguages(rows: readonly DrawnRow[], method: string): Promise<string> {
  const mixes = mixesIn(rows, method).filter((mix) => !isOtherAmount(mix));
  const names = new Intl.DisplayNames("en", { type: "language" });
  const values = mixes.flatMap((mix) =>
    twelveLanguages.map(({ tag }) => ({
      mix: mixTitle(mix),
      language: names.of(tag) ?? tag,
      value: mean(drawsOf(rows, method, mix).map(({ rises }) => ofLanguage(tag)(rises))),
    })),
  );
  return toSvg({
    title: {
      text: `Gemma 3 270m, ${titleOf(method)}: what each language loses`,
      anchor: "start",
      fontWeight: "normal",
      fontSize: 13,
    },
    data: { values },
    width: 520,
    height: { step: 20 },
    mark: { type: "point", filled: true, size: 60, opacity: 0.9 },
    encoding: {
      y: {
        field: "language",
        type: "nominal",
        title: null,
        sort: twelveLanguages.map(({ tag }) => names.of(tag) ?? tag),
        axis: { labelFontSize: 12, grid: true },
      },
      x: {
        field: "value",
        type: "quantitative",
        title: "rise of the loss, nats a token (logarithmic)",
        scale: { type: "log", domain: [0.2, 4], nice: false },
      },
      color: {
        field: "mix",
        type: "nominal",
        sort: mixes.map(mixTitle),
        title: null,
        scale: { range: ["#777777", "#3b82c4", "#e08214", "#8c6bb1", "#1b9e77", "#d95f5f"] },
      },
      shape: { field: "mix", type: "nominal", sort: mixes.map(mixTitle), title: null },
    },
    config: { background: "white", font: "sans-serif", legend: { labelLimit: 0, orient: "bottom" } },
  });
}
