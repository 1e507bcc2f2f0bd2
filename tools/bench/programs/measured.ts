export type Program = "ours" | "public";

/** One whole process. */
export interface Measured {
  /** Name of a case. */
  readonly case: string;
  readonly program: Program;
  readonly threads: number;
  readonly repeat: number;
  /** By the clock. */
  readonly seconds: number;
  /** User and system. */
  readonly processorSeconds: number;
  /** Resident set. */
  readonly peakBytes: number;
}

/** The values of JSON lines, as a log of measurements has them. */
export const parseLines = (text: string): readonly unknown[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line));

export const parseMeasured = (text: string): readonly Measured[] => parseLines(text) as readonly Measured[];

/** Median, least and most. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @throws {RangeError} of no values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (least === undefined || most === undefined || low === undefined || high === undefined) throw new RangeError("no values");
  return { median: (low + high) / 2, least, most };
}

/** Median, with least and most in brackets. */
export const showSpread = ({ median, least, most }: Spread): string =>
  `${median.toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)})`;

/** What one case took, ours and theirs. */
export interface CaseSummary {
  readonly case: string;
  readonly threads: number;
  readonly repeats: number;
  readonly ours: Readonly<Record<"seconds" | "processorSeconds" | "peakBytes", Spread>>;
  readonly public: Readonly<Record<"seconds" | "processorSeconds" | "peakBytes", Spread>>;
}

const sumUp = (all: readonly Measured[]): CaseSummary["ours"] => ({
  seconds: spreadOf(all.map(({ seconds }) => seconds)),
  processorSeconds: spreadOf(all.map(({ processorSeconds }) => processorSeconds)),
  peakBytes: spreadOf(all.map(({ peakBytes }) => peakBytes)),
});

/** Cases in the order in which they were first measured; those that one program has not run are left out. */
export function summarise(measured: readonly Measured[]): readonly CaseSummary[] {
  const keys = [...new Map(measured.map((one) => [`${one.case} ${one.threads}`, one])).values()];
  return keys.flatMap(({ case: name, threads }) => {
    const of = (program: Program): readonly Measured[] =>
      measured.filter((one) => one.case === name && one.threads === threads && one.program === program);
    const [ours, theirs] = [of("ours"), of("public")];
    if (ours.length === 0 || theirs.length === 0) return [];
    return [{ case: name, threads, repeats: Math.min(ours.length, theirs.length), ours: sumUp(ours), public: sumUp(theirs) }];
  });
}
