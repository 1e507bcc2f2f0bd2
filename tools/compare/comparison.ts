import type { Score } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import { averageLanguages, comparePairs } from "@mbs/evaluation";
import { testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { distanceToMix } from "@mbs/reporting";
import type { SimilarityMatrix } from "@mbs/reporting";
import { languages } from "./languages.ts";
import type { Row } from "./rows.ts";

/** A difference of losses in nats a token, with its paired 95% bootstrap interval over windows. */
export interface Nats {
  readonly value: number;
  readonly interval: readonly [number, number];
}

/** What one model loses against another, which was scored on the same windows. */
export interface Losses {
  readonly languages: ReadonlyMap<string, Nats>;
  /** Every language counts the same. */
  readonly mean: Nats;
  /** Languages count by their share of the training mixture. */
  readonly weighted: Nats;
  readonly worst: { readonly language: string; readonly value: number };
}

/** Everything in nats is ln(perplexity / the reference's): it adds up, and carries over between texts. */
function natsOf(rise: number | undefined, interval: readonly [number, number] | undefined): Nats {
  if (rise === undefined || interval === undefined) throw new InternalError("two models were not scored on the same windows");
  return { value: Math.log1p(rise), interval: [Math.log1p(interval[0]), Math.log1p(interval[1])] };
}

/** Shares of the training mixture by language. */
export type Shares = Readonly<Record<string, number>>;

/** Those that are assumed of models whose mixture is not published. */
export const assumedShares: Shares = Object.fromEntries(languages.map(({ tag, share }) => [tag, share]));

/**
 * Losses of one model above another's.
 *
 * @param scores of both
 */
export function lossesAgainst(
  scores: readonly Score[],
  model: string,
  reference: string,
  shares: Shares = assumedShares,
): Losses {
  const two = scores.filter((score) => score.model === model || score.model === reference);
  const { pairs } = comparePairs(two, reference);
  const average = averageLanguages(two, shares, reference).find((each) => each.model === model);
  const found = new Map(pairs.map(({ language, rise, interval }) => [language, natsOf(rise, interval)]));
  const [worst] = [...found].map(([language, { value }]) => ({ language, value })).sort((a, b) => b.value - a.value);
  if (average === undefined || worst === undefined) throw new InternalError(`no scores of ${model} and ${reference}`);
  const { unweighted, weighted } = average;
  return {
    languages: found,
    mean: natsOf(unweighted.rise, unweighted.riseInterval),
    weighted: natsOf(weighted?.rise, weighted?.riseInterval),
    worst,
  };
}

/** A compressed model and what it loses against the dense one. */
export interface ComparedRow extends Row {
  readonly losses: Losses;
  /** Geometric mean of the perplexities over languages. */
  readonly perplexity: number;
}

export const compareRows = (rows: readonly Row[], scores: readonly Score[], shares?: Shares): readonly ComparedRow[] =>
  rows.map((row) => {
    const own = scores.filter(({ model }) => model === row.name);
    const [average] = averageLanguages(own);
    if (average === undefined) throw new InternalError(`no scores of ${row.name}`);
    return { ...row, losses: lossesAgainst(scores, row.name, "dense", shares), perplexity: average.unweighted.perplexity };
  });

/** Whether share and distance go with the losses of a row: rank correlations over languages. */
export interface Tendencies {
  /** Share of the training mixture against loss, all languages. */
  readonly share: TestedCorrelation;
  /** Angle to the mix against loss; with one calibration language, without that one. */
  readonly angle: TestedCorrelation;
}

const mixWeights: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  english: { en: 1 },
  equal: Object.fromEntries(languages.map(({ tag }) => [tag, 1])),
  proportional: assumedShares,
};

/** @param degrees angles between all languages */
export function tendenciesOf({ mix, losses }: ComparedRow, degrees: SimilarityMatrix): Tendencies {
  const weights = mixWeights[mix] ?? {};
  const lossOf = (tag: string): number => losses.languages.get(tag)?.value ?? NaN;
  const tags = languages.map(({ tag }) => tag);
  const others = tags.filter((tag) => weights[tag] !== 1 || mix !== "english");
  const angles = others.map((tag) => distanceToMix(degrees, tag, weights) ?? NaN);
  return {
    share: testCorrelation(
      "spearman",
      tags.map((tag) => assumedShares[tag] ?? NaN),
      tags.map(lossOf),
    ),
    angle: testCorrelation("spearman", angles, others.map(lossOf)),
  };
}
