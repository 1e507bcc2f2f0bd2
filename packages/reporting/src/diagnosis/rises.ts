import { at } from "@mbs/contracts";
import type { Interval } from "@mbs/evaluation";
import { formatRiseWithin } from "../numbers.ts";

/** A relative rise of perplexity with its 95% interval. Lists of them have one entry per seed. */
export interface MeasuredRise {
  readonly rise: number;
  readonly interval: Interval;
}

/** Mean of several seeds' rises, with the hull of their intervals. */
export function overSeeds(rises: readonly MeasuredRise[]): MeasuredRise {
  return {
    rise: rises.reduce((sum, { rise }) => sum + rise, 0) / rises.length,
    interval: [Math.min(...rises.map(({ interval }) => interval[0])), Math.max(...rises.map(({ interval }) => interval[1]))],
  };
}

/** Whether the interval of every seed lies above zero. */
export const aboveZero = (rises: readonly MeasuredRise[]): boolean =>
  rises.length > 0 && rises.every(({ interval: [low] }) => low > 0);

/** Whether the interval of every seed lies below zero. */
export const belowZero = (rises: readonly MeasuredRise[]): boolean =>
  rises.length > 0 && rises.every(({ interval: [, high] }) => high < 0);

/** Whether the interval of every seed lies above that of the same seed of others. */
export const above = (rises: readonly MeasuredRise[], others: readonly MeasuredRise[]): boolean =>
  rises.length > 0 && rises.every(({ interval: [low] }, seed) => low > at(others, seed).interval[1]);

/** "+2.0% (+1.5 … +2.5%)", over seeds. */
export function riseText(rises: readonly MeasuredRise[], missing = "not known"): string {
  if (rises.length === 0) return missing;
  const { rise, interval } = overSeeds(rises);
  return formatRiseWithin(rise, interval);
}
