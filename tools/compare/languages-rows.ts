import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import type { DrawnRow, WindowRises } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";
import { allMethods, allMixes, sizes } from "./rows.ts";
import type { Mix } from "./rows.ts";
import { pairsOf } from "./tables.ts";

export const { twelve } = sizes;

const total = twelveLanguages.reduce((sum, { share }) => sum + share, 0);

/** Assumed shares of the training mixture, sum 1. */
export const shares: Readonly<Record<string, number>> = Object.fromEntries(
  twelveLanguages.map(({ tag, share }) => [tag, share / total]),
);

export const titleOf = (method: string): string => allMethods[method]?.title ?? method;

/** Draws of one method and mix, in order. */
export const drawsOf = (rows: readonly DrawnRow[], method: string, mix: string): readonly DrawnRow[] =>
  rows.filter((row) => row.method === method && row.mix === mix).sort((a, b) => a.draw - b.draw);

export const methodsIn = (rows: readonly DrawnRow[]): readonly string[] =>
  Object.keys(allMethods).filter((method) => rows.some((row) => row.method === method));

/** Mixes of some kind that have rows. */
export const mixesWhere = (rows: readonly DrawnRow[], method: string, isWanted: (mix: Mix) => boolean): readonly string[] =>
  Object.entries(allMixes)
    .filter(([mix, about]) => isWanted(about) && drawsOf(rows, method, mix).length > 0)
    .map(([mix]) => mix);

/** Mixes of all languages, and English alone, that have rows; those that have a table of their own are not among them. */
export const mixesIn = (rows: readonly DrawnRow[], method: string): readonly string[] =>
  mixesWhere(
    rows,
    method,
    (mix) => !isChosen(mix) && [mix.alone, mix.without, mix.amountOf, mix.frontier].every((own) => own === undefined),
  );

/** Whether not all pages of its languages are drawn from. */
export const isChosen = ({ pages }: Mix): boolean => pages !== undefined;

export const isOtherAmount = (mix: string): boolean => allMixes[mix]?.times !== undefined;

/** Whether one language, or several, count more than others to see what that does. */
export const favoursSome = (mix: string): boolean => allMixes[mix]?.weights !== undefined || allMixes[mix]?.favours !== undefined;

/** Whether its languages count by their text, of the usual amount. */
export const isUsual = (mix: string): boolean => !isOtherAmount(mix) && !favoursSome(mix);

/** Rows of two mixes on the draws that both have. */
export function pairOf(
  rows: readonly DrawnRow[],
  method: string,
  first: string,
  second: string,
): readonly [readonly WindowRises[], readonly WindowRises[]] {
  const pairs = pairsOf(drawsOf(rows, method, first), drawsOf(rows, method, second));
  return [pairs.map(({ row }) => row.rises), pairs.map(({ other }) => other.rises)];
}

export const hundredths = (value: number): string => value.toFixed(2).replace("-", "−");

export const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;

/** Σ first · second */
export const moment = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * at(second, index), 0);

export const centred = (values: readonly number[]): number[] => values.map((value) => value - mean(values));
