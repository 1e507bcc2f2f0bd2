import { at } from "@mbs/contracts";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { mean } from "./mean.ts";

/** Ranks from 1; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/** Values moved and scaled to mean 0 and length 1; NaN where they do not vary. */
function standardised(values: readonly number[]): number[] {
  const middle = mean(values);
  const length = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0));
  return values.map((value) => (value - middle) / length);
}

const dot = (first: readonly number[], second: readonly number[]): number =>
  first.reduce((sum, value, index) => sum + value * at(second, index), 0);

/**
 * Pearson's correlation: 1 where both lie on one rising line, -1 on a falling one.
 *
 * @returns NaN where one of the two does not vary
 */
export const pearson = (first: readonly number[], second: readonly number[]): number =>
  dot(standardised(first), standardised(second));

/**
 * Spearman's rank correlation: 1 where both rise together, -1 where one falls as the other rises; ties share a rank.
 *
 * @returns NaN where one of the two does not vary
 */
export const spearman = (first: readonly number[], second: readonly number[]): number => pearson(ranks(first), ranks(second));

/** A correlation and how often chance alone gives one as strong. */
export interface TestedCorrelation {
  readonly value: number;
  /** Two-sided p-value of the permutation test; NaN where there is no correlation. */
  readonly p: number;
}

const permutations = 10_000;
/** As many values have fewer orders than `permutations`: all of them are tried. */
const mostExact = 7;
/** Sums in another order differ by rounding. */
const rounding = 1e-12;

/** All orders of some values, the given one among them. */
function* orders(values: readonly number[]): Generator<readonly number[]> {
  const [first, ...others] = values;
  if (first === undefined) return yield [];
  for (const shorter of orders(others)) {
    for (let index = 0; index < values.length; index += 1) yield [...shorter.slice(0, index), first, ...shorter.slice(index)];
  }
}

/**
 * Random orders of some values, after the given one: what a permutation test compares with.
 *
 * @param count how many beside the given one
 * @param seed same seed, same orders
 * @returns each time the same array, in a new order
 */
export function* randomOrders<T>(values: readonly T[], count: number, seed: number): Generator<readonly T[]> {
  const generator = xoroshiro128plus(seed);
  const order = [...values];
  yield order;
  for (let turn = 0; turn < count; turn += 1) {
    for (let last = order.length - 1; last > 0; last -= 1) {
      const pick = uniformInt(generator, 0, last);
      [order[last], order[pick]] = [at(order, pick), at(order, last)];
    }
    yield order;
  }
}

/**
 * A correlation with its permutation test: the share of pairings whose correlation is as far from zero. Of up to seven
 * values all pairings are counted, of more 10,000 random ones and the one at hand.
 *
 * @param kind Spearman's permutes ranks
 * @param seed same seed, same p-value
 */
export function testCorrelation(
  kind: "pearson" | "spearman",
  first: readonly number[],
  second: readonly number[],
  seed = 0,
): TestedCorrelation {
  const prepared = (values: readonly number[]): number[] => standardised(kind === "spearman" ? ranks(values) : values);
  const [a, b] = [prepared(first), prepared(second)];
  const value = dot(a, b);
  if (Number.isNaN(value)) return { value, p: NaN };
  let [asStrong, all] = [0, 0];
  for (const order of b.length > mostExact ? randomOrders(b, permutations, seed) : orders(b)) {
    all += 1;
    if (Math.abs(dot(a, order)) >= Math.abs(value) - rounding) asStrong += 1;
  }
  return { value, p: asStrong / all };
}
