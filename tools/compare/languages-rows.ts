import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import type { DrawnRow, WindowRises } from "./draws.ts";
import { twelveLanguages } from "./languages.ts";
import { allMethods, allMixes, sizes } from "./rows.ts";
import type { Mix } from "./rows.ts";

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

/** What each of some mixes loses on the draws that all of them have: by mix, then by draw. */
export function onSharedDraws(
  rows: readonly DrawnRow[],
  method: string,
  mixes: readonly string[],
): readonly (readonly WindowRises[])[] {
  const ofMixes = mixes.map((mix) => drawsOf(rows, method, mix));
  const isShared = ({ draw }: DrawnRow): boolean => ofMixes.every((own) => own.some((row) => row.draw === draw));
  return ofMixes.map((own) => own.filter(isShared).map(({ rises }) => rises));
}

/** Rows of two mixes on the draws that both have. */
export function pairOf(
  rows: readonly DrawnRow[],
  method: string,
  first: string,
  second: string,
): readonly [readonly WindowRises[], readonly WindowRises[]] {
  const [own = [], other = []] = onSharedDraws(rows, method, [first, second]);
  return [own, other];
}

export const hundredths = (value: number): string => value.toFixed(2).replace("-", "−");

export const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;

/** Σ first · second */
export const moment = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * at(second, index), 0);

export const centred = (values: readonly number[]): number[] => values.map((value) => value - mean(values));
