import { parseLanguageMix } from "@mbs/contracts";
import { countSegments } from "@mbs/corpus-sampling";
import { lawError, lossAt } from "@mbs/mix-recommendation";
import { mean, spearman } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { ofLanguage } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import {
  centred,
  drawsOf,
  hundredths,
  isUsual,
  methodsIn,
  mixesIn,
  moment,
  pairOf,
  percent,
  shares,
  titleOf,
  twelve,
} from "./languages-rows.ts";
import { twelveLanguages } from "./languages.ts";
import { allMixes } from "./rows.ts";
import { mixTitle, thousandths } from "./tables.ts";

const equalShare = 1 / twelveLanguages.length;

/** Shares of the text that is drawn of a mix; undefined where the law says nothing, or text is more or less in all. */
function drawnShares(mix: string): Readonly<Record<string, number>> | undefined {
  const asked = askedShares(allMixes[mix]?.text ?? mix);
  if (asked === undefined) return undefined;
  // every language gets one segment at least
  const counts = countSegments(new Map(Object.entries(asked)), twelve.segments, 1);
  return Object.fromEntries([...counts].map(([tag, count]) => [tag, count / twelve.segments]));
}

/** Shares that a mix asks for; undefined of those that give all languages alike, or one alone. */
function askedShares(text: string): Readonly<Record<string, number>> | undefined {
  if (text === "proportional") return shares;
  if (text.startsWith("weights:")) return Object.fromEntries(parseLanguageMix(text.replace(/^weights:/, "")));
  const [, power] = /^temperature:(.+)$/.exec(text) ?? [];
  if (power === undefined) return undefined;
  return Object.fromEntries(twelveLanguages.map(({ tag }) => [tag, (shares[tag] ?? 0) ** Number(power)]));
}

/** A mix that the law says something about, with the shares of the text that is drawn of it. */
interface MixOfLaw {
  readonly mix: string;
  readonly text: Readonly<Record<string, number>>;
}

/** Those that have rows; mixes between the named ones have one draw, which says more of the draw than of the mix. */
const mixesOfLaw = (rows: readonly DrawnRow[], method: string): readonly MixOfLaw[] =>
  mixesIn(rows, method)
    .filter(isUsual)
    .flatMap((mix) => {
      const text = drawnShares(mix);
      return text === undefined ? [] : [{ mix, text }];
    });

/** A language under a mix, beside the equal one on the same draws. */
interface LawPoint {
  readonly language: string;
  /** ln of its share over that in the equal mix. */
  readonly text: number;
  /** ln of its loss over that with the equal mix. */
  readonly loss: number;
  /** What the law predicts from the equal mix, less what it lost, in nats. */
  readonly error: number;
  /** What it lost with the equal mix, less what it lost: the error of predicting no change. */
  readonly change: number;
}

function lawPoints(rows: readonly DrawnRow[], method: string, { mix, text }: MixOfLaw): readonly LawPoint[] {
  const [equal, other] = pairOf(rows, method, "equal", mix);
  if (equal.length === 0) return [];
  return twelveLanguages.flatMap(({ tag }): LawPoint[] => {
    const [before = NaN, after = NaN] = [equal, other].map((draws) => mean(draws.map(ofLanguage(tag))));
    if (before <= 0 || after <= 0) return [];
    const share = text[tag] ?? NaN;
    const error = lossAt(before, { share: equalShare }, share) - after;
    return [{ language: tag, text: Math.log(share / equalShare), loss: Math.log(after / before), error, change: before - after }];
  });
}

/**
 * ln of what a language lost over what the law predicts for it from another draw, of the equal mix: as a user has them. Of the named
 * mixes alone, which have several draws; where nothing was lost there is no logarithm.
 */
function errorsOfDraws(rows: readonly DrawnRow[], method: string): readonly number[] {
  return drawsOf(rows, method, "equal").flatMap((equal) =>
    mixesOfLaw(rows, method).flatMap(({ mix, text }) => {
      const others = drawsOf(rows, method, mix).filter(({ draw }) => draw !== equal.draw);
      return others.flatMap(({ rises }) =>
        twelveLanguages.flatMap(({ tag }) => {
          const [before, after] = [equal.rises, rises].map(ofLanguage(tag)) as [number, number];
          if (before <= 0 || after <= 0) return [];
          return [Math.log(after / lossAt(before, { share: equalShare }, text[tag] ?? NaN))];
        }),
      );
    }),
  );
}

const rootMeanSquare = (values: readonly number[]): number => Math.sqrt(moment(values, values) / values.length);

/** From one draw to another: how far the law is off, and how many languages lose what it says, by its error with other methods. */
export function intervalsTable(rows: readonly DrawnRow[]): string {
  const byMethod = methodsIn(rows)
    .map((method) => ({ method, errors: errorsOfDraws(rows, method) }))
    .filter(({ errors }) => errors.length > 0);
  const lines = byMethod.map(({ method, errors }) => {
    const others = byMethod.filter((own) => own.method !== method).map((own) => rootMeanSquare(own.errors));
    const within = (error: number): string =>
      percent(errors.filter((value) => Math.abs(value) <= 1.96 * error).length / errors.length);
    return [
      titleOf(method),
      String(errors.length),
      hundredths(rootMeanSquare(errors)),
      others.length === 0 ? "" : within(mean(others)),
      within(lawError),
    ];
  });
  const head = ["method", "pairs", "error of the logarithm", "in 95% by the other methods", `in 95% by ${lawError}`];
  return markdownTable(head, lines, 1);
}

/**
 * How losses go with a language's share of the text, from the equal mix to the others: the exponent e of loss ∝ share^−e by least
 * squares, the rank correlation of the two logarithms over all of them and within a language, and how far off is what the law
 * predicts from the equal mix.
 */
export function lawTable(rows: readonly DrawnRow[]): string {
  const lines = methodsIn(rows).flatMap((method) => {
    const mixes = mixesOfLaw(rows, method);
    const points = mixes.flatMap((mix) => lawPoints(rows, method, mix));
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
        mixes.map(({ mix }) => mixTitle(mix)).join(", "),
        hundredths(exponent),
        hundredths(spearman(text, loss)),
        hundredths(mean(within)),
        thousandths(mean(errors)),
        thousandths(mean(points.map(({ change }) => Math.abs(change)))),
        thousandths(Math.max(...errors)),
      ],
    ];
  });
  const head = [
    "method",
    "mixes",
    "e",
    "rank correlation",
    "within a language",
    "error, mean",
    "without the law",
    "largest error",
  ];
  return markdownTable(head, lines, 2);
}
