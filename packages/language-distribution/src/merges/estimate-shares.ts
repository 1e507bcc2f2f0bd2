import { at } from "@mbs/contracts";
import type { PairHistory } from "./merge-replay.ts";
import { MixtureProgram } from "./mixture-program.ts";
import type { ProgramSolution } from "./mixture-program.ts";
import { countsOfOrders, findViolatedOrders } from "./violated-orders.ts";
import type { Order } from "./violated-orders.ts";

/** Counts are per million bytes of text, so that the solver's tolerances are small against them. */
const unit = 1e6;
/** Violation that is tolerated: occurrences in a million bytes of the mixture. */
const tolerance = 1e-2;
/** Pairs per step that one round adds. */
const mostAStep = 10;

export interface SharesOptions {
  /** How much each step counts; 0 leaves it out. Default: all the same. */
  readonly stepWeights?: Float64Array;
  /** Inequalities to begin with, by rising step; any will do, and those of a similar problem save rounds. */
  readonly orders?: readonly Order[];
  /** Awaited before each round; throw there to stop. */
  readonly onRound?: (round: number) => Promise<void>;
}

export interface SharesEstimate {
  /** Share of each language in the bytes of the tokenizer's training text, sum 1. */
  readonly shares: Float64Array;
  /** Sum of all violations, in occurrences per byte of the mixture. */
  readonly violation: number;
  /** The binding inequalities, by rising step. */
  readonly orders: readonly Order[];
  /** Inequalities in the last program. */
  readonly inequalities: number;
}

/**
 * The shares of languages under which the merges come in the order that they have: every merged pair at least as frequent as
 * any other at its step, with slack for a step or a pair as a whole (arXiv 2407.16607 §3). Inequalities are added when a
 * solution breaks them, until none is broken.
 *
 * @param bytes size of each language's texts
 * @returns shares of bytes, since counts are taken a byte
 */
export async function estimateShares(
  history: PairHistory,
  bytes: Float64Array,
  { stepWeights, orders: first = [], onRound }: SharesOptions = {},
): Promise<SharesEstimate> {
  const languages = bytes.length;
  const weightOf = (step: number): number => (stepWeights ? at(stepWeights, step) : 1);
  const merged = history.merged.map((pair, step) => (weightOf(step) > 0 ? pair : -1));
  const used = { ...history, merged };
  const program = await MixtureProgram.create(languages);
  const known = new Set<number>();
  const keyOf = (step: number, pair: number): number => step * history.pairs + pair;
  const all: Order[] = [];

  function add(orders: readonly Order[]): void {
    const counts = countsOfOrders(used, orders, languages);
    const rows = orders.map(({ step, pair }, index) => ({
      step,
      pair,
      coefficients: bytes.map((size, language) => {
        const [merged, other] = [at(history.mergedCounts, step * languages + language), at(counts, index * languages + language)];
        return ((merged - other) * unit) / size;
      }),
    }));
    program.add(rows, weightOf);
    for (const { step, pair } of orders) known.add(keyOf(step, pair));
    all.push(...orders);
  }

  function violated({ shares, steps, pairs }: ProgramSolution): Order[] {
    const slack = { steps: new Float64Array(history.steps.length), pairs: new Float64Array(history.pairs) };
    for (const [step, value] of steps) slack.steps[step] = value;
    for (const [pair, value] of pairs) slack.pairs[pair] = value;
    const weights = shares.map((share, language) => (share * unit) / at(bytes, language));
    return findViolatedOrders(used, { weights, ...slack }, tolerance, mostAStep, (step, pair) => known.has(keyOf(step, pair)));
  }

  try {
    const even = new Float64Array(languages).fill(1 / languages);
    let solution: ProgramSolution = { shares: even, steps: new Map(), pairs: new Map(), objective: 0 };
    let orders: readonly Order[] = first.filter(({ step }) => at(merged, step) >= 0);
    if (orders.length === 0) orders = violated(solution);
    for (let round = 0; orders.length > 0; round += 1) {
      await onRound?.(round);
      add(orders);
      solution = program.solve();
      orders = violated(solution);
    }
    const binding = program.binding();
    const sum = solution.shares.reduce((total, share) => total + share, 0);
    return {
      shares: solution.shares.map((share) => share / sum),
      violation: solution.objective / unit,
      orders: all.filter((_, row) => binding[row]).sort((a, b) => a.step - b.step),
      inequalities: all.length,
    };
  } finally {
    program.close();
  }
}
