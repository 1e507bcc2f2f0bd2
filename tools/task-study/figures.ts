import { at } from "@mbs/contracts";
import { drawWindows } from "@mbs/evaluation";
import { percentileInterval } from "@mbs/numbers";
import type { Interval } from "@mbs/numbers";

/** What is measured on the windows, or on the documents of one task, of one language. */
export interface Stratum {
  readonly language: string;
  /** "" for windows. */
  readonly task: string;
  /** Of each window its sum over tokens, of each document its value. */
  readonly sums: Float64Array;
  /** What the sums are divided by: tokens of each window, 1 for a document. */
  readonly counts: Float64Array;
}

/** A mean over strata, with its 95% bootstrap interval over windows or documents and its standard error. */
export interface Figure {
  readonly value: number;
  readonly interval: Interval;
  readonly error: number;
}

const shareOf = ({ sums, counts }: Stratum, picks: Iterable<number>): number => {
  let [sum, count] = [0, 0];
  for (const pick of picks) {
    sum += at(sums, pick);
    count += at(counts, pick);
  }
  return sum / count;
};

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/**
 * The mean over strata of Σ sums / Σ counts: every language and task counts the same.
 *
 * Draws depend on language, task and number of windows alone, so that all figures of the same windows are drawn alike.
 */
export function meanOf(strata: readonly Stratum[]): Figure {
  const drawn = strata.map((stratum) =>
    Array.from(drawWindows(stratum.sums.length, stratum.task || stratum.language, 0), (picks) => shareOf(stratum, picks)),
  );
  const meanAt = (valueOf: (index: number) => number): number =>
    strata.reduce((sum, _, index) => sum + valueOf(index), 0) / strata.length;
  const draws = at(drawn, 0).map((_, draw) => meanAt((index) => at(at(drawn, index), draw)));
  return {
    value: meanAt((index) => {
      const stratum = at(strata, index);
      return shareOf(stratum, stratum.sums.keys());
    }),
    interval: percentileInterval(draws),
    error: deviation(draws),
  };
}

/** One figure less another, of the same windows or documents: a paired difference. */
export function lessOf(strata: readonly Stratum[], others: readonly Stratum[]): readonly Stratum[] {
  return strata.map((own, index) => {
    const other = at(others, index);
    const isSame =
      own.language === other.language &&
      own.task === other.task &&
      own.counts.every((count, unit) => count === other.counts[unit]);
    if (!isSame) throw new Error(`${own.language} ${own.task}: two models were not scored on the same windows or documents`);
    return { ...own, sums: own.sums.map((sum, unit) => sum - at(other.sums, unit)) };
  });
}

/** A difference that a test at 5% finds in 4 of 5 cases: (1.96 + 0.84) standard errors. */
export const detectable = ({ error }: Figure): number => 2.8 * error;
