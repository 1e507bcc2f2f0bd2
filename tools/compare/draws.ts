/** What a method loses over several draws of calibration text, with intervals over draws and windows: docs/measured/real-models/draws.json. */
import type { Score } from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import { drawWindows } from "@mbs/evaluation";
import { mean } from "@mbs/numbers";
import type { Nats } from "./comparison.ts";
import type { RowKey } from "./rows.ts";
import type { Spent } from "./row-files.ts";

/** Nats a token above the dense model in each held-out window, by language. */
export type WindowRises = Readonly<Record<string, readonly number[]>>;

/** One draw of one method. */
export interface DrawnRow extends RowKey {
  readonly rises: WindowRises;
  readonly spent?: Spent;
}

/** Rises as they are written: a ten-thousandth of a nat is far below what windows differ by. */
const written = (rise: number): number => Number(rise.toFixed(4));

const keyOf = ({ language, source, window }: Score): string => JSON.stringify([language, source, window]);

/**
 * What a model loses in each window.
 *
 * @param dense scores of the dense model, @param own of the compressed one, on the same windows of equally many tokens
 * @throws {InternalError} where windows differ
 */
export function risesOf(dense: readonly Score[], own: readonly Score[]): WindowRises {
  const before = new Map(dense.map((score) => [keyOf(score), score]));
  const rises: Record<string, number[]> = {};
  for (const score of own) {
    const reference = before.get(keyOf(score));
    if (reference?.tokens !== score.tokens) throw new InternalError(`no such window of the dense model: ${keyOf(score)}`);
    (rises[score.language] ??= []).push(written((score.nll - reference.nll) / score.tokens));
  }
  return rises;
}

/** The mean of a figure over draws. */
export interface DrawnFigure extends Nats {
  /** How probable one as far from zero or farther is by chance alone. */
  readonly chance: number;
  /** The figure of each draw. */
  readonly draws: readonly number[];
}

/**
 * The probability that |t| is as large as this or larger: Student's distribution with a whole number of degrees of freedom.
 *
 * @see Abramowitz and Stegun, 26.7.3 and 26.7.4
 */
export function chanceOf(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = freedom > 1 ? term : 0;
  for (let power = isOdd ? 3 : 2; power < freedom; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2;
    sum += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  return 1 - Math.abs(within);
}

/** Which of some chances hold together at 5%, by Holm's step-down correction. */
export function holdTogether(chances: readonly number[]): boolean[] {
  const holds = chances.map(() => false);
  const order = chances.map((_, index) => index).sort((a, b) => at(chances, a) - at(chances, b));
  for (const [rank, index] of order.entries()) {
    if (at(chances, index) > 0.05 / (chances.length - rank)) break;
    holds[index] = true;
  }
  return holds;
}

/** The |t| that chance alone exceeds in 5% of all cases. */
function quantileOf(freedom: number): number {
  let [low, high] = [1, 100];
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (chanceOf(middle, freedom) > 0.05) low = middle;
    else high = middle;
  }
  return low;
}

/** Σ (value - mean)² / (n - 1) */
function varianceOf(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}

/** A figure of each draw by languages: rises of windows in, nats out. */
export type Figure = (rises: WindowRises) => number;

export const meanOfLanguages: Figure = (rises) => mean(Object.values(rises).map(mean));
export const ofLanguage =
  (language: string): Figure =>
  (rises) =>
    mean(rises[language] ?? [NaN]);

/** The largest loss of a language. */
export const worstOfLanguages: Figure = (rises) => Math.max(...Object.values(rises).map(mean));

/** How many windows each language has. */
const windowsOf = (draws: readonly WindowRises[]): number =>
  Math.min(...draws.flatMap((rises) => Object.values(rises).map(({ length }) => length)));

/** Some windows of every language. */
const windowsAt = (rises: WindowRises, windows: Int32Array): WindowRises =>
  Object.fromEntries(
    Object.entries(rises).map(([language, all]) => [language, Array.from(windows, (window) => at(all, window))]),
  );

/**
 * Mean over draws with its 95% interval: t · √(s²/n + v), s² the variance between the n draws, t Student's with n - 1 degrees of
 * freedom, v the variance of the mean when the windows, which all draws share, are drawn again, times m / (m - 1), since m windows drawn
 * from themselves vary by less. Of one draw v alone, by as many degrees of freedom as there are windows but one.
 *
 * @param own the value of each draw, @param redrawn means over draws, of windows drawn again
 */
function meanOfDraws(own: readonly number[], redrawn: readonly number[], windows: number): DrawnFigure {
  const value = mean(own);
  const ofWindows = (varianceOf(redrawn) * windows) / (windows - 1);
  const count = own.length;
  const error = Math.sqrt((count > 1 ? varianceOf(own) / count : 0) + ofWindows);
  const freedom = (count > 1 ? count : windows) - 1;
  const t = quantileOf(freedom);
  const chance = error === 0 ? Number(value === 0) : chanceOf(value / error, freedom);
  return { value, interval: [value - t * error, value + t * error], chance, draws: own };
}

/**
 * Figures of several rows of the same draws, each times a number and added up: the mean over draws, with its interval over draws and
 * windows. Windows are drawn again with replacement, of the same numbers in every row, draw and language: the first windows of
 * languages together, the second ones together, whether they have the same page or not.
 *
 * @param terms a number, and a row's rises in each draw
 */
export function figuresCombined(
  terms: readonly (readonly [factor: number, draws: readonly WindowRises[]])[],
  figure: Figure,
): DrawnFigure {
  const [, first] = at(terms, 0);
  const ofDraws = (seen: (rises: WindowRises) => WindowRises): number[] =>
    first.map((_, draw) => terms.reduce((sum, [factor, draws]) => sum + factor * figure(seen(at(draws, draw))), 0));
  const windows = windowsOf(first);
  const redrawn = Array.from(drawWindows(windows, "windows", 0), (drawn) => mean(ofDraws((rises) => windowsAt(rises, drawn))));
  return meanOfDraws(
    ofDraws((rises) => rises),
    redrawn,
    windows,
  );
}

/** Mean of a figure over draws, with its interval. */
export const overDraws = (draws: readonly WindowRises[], figure: Figure = meanOfLanguages): DrawnFigure =>
  figuresCombined([[1, draws]], figure);

/** How much larger a figure is in the first rows than in the second, on the same draws and windows. */
export const figureDifference = (first: readonly WindowRises[], second: readonly WindowRises[], figure: Figure): DrawnFigure =>
  figuresCombined(
    [
      [1, first],
      [-1, second],
    ],
    figure,
  );

/** What a method loses. */
export interface DrawnLosses {
  readonly mean: DrawnFigure;
  /** Least and largest mean of a draw. */
  readonly range: readonly [number, number];
  /** The language that loses most in the mean over draws. */
  readonly worst: { readonly language: string; readonly value: number };
}

export function lossesOverDraws(draws: readonly WindowRises[]): DrawnLosses {
  const means = draws.map(meanOfLanguages);
  const languages = Object.keys(at(draws, 0)).map((language) => ({ language, value: mean(draws.map(ofLanguage(language))) }));
  return {
    mean: overDraws(draws),
    range: [Math.min(...means), Math.max(...means)],
    worst: languages.reduce((worst, next) => (next.value > worst.value ? next : worst)),
  };
}

/** How two methods compare on the draws that both have: negative where the first loses less. */
export interface DrawnDifference {
  readonly mean: Nats;
  /** Languages in which the first loses less, with an interval that excludes 0. */
  readonly ahead: number;
  /** Languages in which it loses more, likewise. */
  readonly behind: number;
}

/** @param first, second the same draws in the same order */
export function differenceOverDraws(first: readonly WindowRises[], second: readonly WindowRises[]): DrawnDifference {
  const languages = Object.keys(at(first, 0)).map((language) => figureDifference(first, second, ofLanguage(language)).interval);
  return {
    mean: figureDifference(first, second, meanOfLanguages),
    ahead: languages.filter(([, high]) => high < 0).length,
    behind: languages.filter(([low]) => low > 0).length,
  };
}
