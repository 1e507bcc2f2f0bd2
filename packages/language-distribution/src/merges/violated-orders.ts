import FlatQueue from "flatqueue";
import type { PairHistory } from "./merge-replay.ts";

/** "At this step this pair was not more frequent than the one that was merged." */
export interface Order {
  readonly step: number;
  readonly pair: number;
}

/** What the orders are checked with: a mixture, and the slack that the linear program has given them already. */
export interface MixtureWithSlack {
  /** Weight of one occurrence in a text of each language: its share over the size of its texts. */
  readonly weights: Float64Array;
  /** Slack of each step, [steps]. */
  readonly steps: Float64Array;
  /** Slack of each pair, [pairs]. */
  readonly pairs: Float64Array;
}

/**
 * Finds, for each step, the pairs that the mixture makes more frequent than the merged pair by more than the slack.
 *
 * One pass over the changes of counts with a queue of the most frequent pairs; entries that a later change made untrue are
 * dropped when they come up, and pairs too rare for every later step never enter.
 *
 * @param tolerance violation that is tolerated, in the unit of the weighted counts
 * @param most pairs returned for a step, the worst violations
 * @param isKnown orders not to return again
 */
export function findViolatedOrders(
  { pairs, steps, merged, mergedCounts }: PairHistory,
  mixture: MixtureWithSlack,
  tolerance: number,
  most: number,
  isKnown: (step: number, pair: number) => boolean,
): Order[] {
  const { weights } = mixture;
  const bounds = steps.map((_, step) => {
    if (merged[step]! < 0) return Infinity;
    const counts = mergedCounts.subarray(step * weights.length, (step + 1) * weights.length);
    return counts.reduce((sum, count, language) => sum + count * weights[language]!, mixture.steps[step]! + tolerance);
  });
  const lowest = Float64Array.from(bounds);
  for (let step = steps.length - 2; step >= 0; step -= 1) lowest[step] = Math.min(lowest[step]!, lowest[step + 1]!);
  const weighted = new Float64Array(pairs);
  const excess = new Float64Array(pairs);
  const queue = new FlatQueue();
  const worst = new Float64Array(pairs);
  const worstStep = new Map<number, number>();
  for (const [step, changed] of steps.entries()) {
    for (let index = 0; index < changed.pairs.length; index += 1) {
      const pair = changed.pairs[index]!;
      weighted[pair]! += weights[changed.languages[index]!]! * changed.changes[index]!;
      if (changed.pairs[index + 1] === pair) continue;
      excess[pair] = weighted[pair]! - mixture.pairs[pair]!;
      if (excess[pair] > lowest[step]!) queue.push(pair, -excess[pair]);
    }
    const again = new Set<number>();
    for (let found = 0; found < most;) {
      const value = queue.peekValue();
      if (value === undefined || -value <= bounds[step]!) break;
      const pair = queue.pop() ?? 0;
      if (value !== -excess[pair]! || again.has(pair)) continue;
      again.add(pair);
      if (pair === merged[step] || isKnown(step, pair)) continue;
      const violation = -value - bounds[step]!;
      if (violation > worst[pair]!) {
        worst[pair] = violation;
        worstStep.set(pair, step);
      }
      found += 1;
    }
    for (const pair of again) queue.push(pair, -excess[pair]!);
  }
  return [...worstStep].map(([pair, step]) => ({ step, pair })).sort((a, b) => a.step - b.step);
}

/**
 * The counts of each order's pair at its step.
 *
 * @param orders by rising step
 * @param languages how many
 * @returns [orders, languages]
 */
export function countsOfOrders({ steps, pairs }: PairHistory, orders: readonly Order[], languages: number): Float64Array {
  const slots = new Int32Array(pairs).fill(-1);
  let wanted = 0;
  for (const { pair } of orders) if (slots[pair]! < 0) slots[pair] = wanted++;
  const running = new Float64Array(wanted * languages);
  const counts = new Float64Array(orders.length * languages);
  let next = 0;
  for (const [step, changed] of steps.entries()) {
    for (let index = 0; index < changed.pairs.length; index += 1) {
      const slot = slots[changed.pairs[index]!]!;
      if (slot >= 0) running[slot * languages + changed.languages[index]!]! += changed.changes[index]!;
    }
    for (; orders[next]?.step === step; next += 1) {
      const slot = slots[orders[next]!.pair]!;
      counts.set(running.subarray(slot * languages, (slot + 1) * languages), next * languages);
    }
  }
  return counts;
}
