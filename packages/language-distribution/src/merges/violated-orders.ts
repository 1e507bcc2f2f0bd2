import FlatQueue from "flatqueue";
import type { PairHistory } from "./merge-replay.ts";

/** "At this step this pair was not more frequent than the one that was merged." */
export interface Order {
  readonly step: number;
  readonly pair: number;
}

/** What the orders are held against: a mixture, and how much of each order's breach is already paid for. */
export interface Allowance {
  /** Weight of one occurrence in a text of each language: its share over the size of its texts. */
  readonly weights: Float64Array;
  /** Paid for at each step, [steps]. */
  readonly steps: Float64Array;
  /** Paid for each pair, [pairs]. */
  readonly pairs: Float64Array;
}

/**
 * Finds, for each step, the pairs that the mixture makes more frequent than the merged pair by more than is paid for.
 *
 * One pass over the changes of counts with a queue of the most frequent pairs; entries that a later change made untrue are
 * dropped when they come up, and pairs too rare for every later step never enter.
 *
 * @param tolerance breach that is let pass, in the unit of the weighted counts
 * @param most pairs told a step, the worst breaches
 * @param isKnown orders not to tell again
 */
export function findViolatedOrders(
  { pairs, steps, merged, mergedCounts }: PairHistory,
  allowance: Allowance,
  tolerance: number,
  most: number,
  isKnown: (step: number, pair: number) => boolean,
): Order[] {
  const { weights } = allowance;
  const bounds = steps.map((_, step) => {
    if (merged[step]! < 0) return Infinity;
    const counts = mergedCounts.subarray(step * weights.length, (step + 1) * weights.length);
    return counts.reduce((sum, count, language) => sum + count * weights[language]!, allowance.steps[step]! + tolerance);
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
      excess[pair] = weighted[pair]! - allowance.pairs[pair]!;
      if (excess[pair] > lowest[step]!) queue.push(pair, -excess[pair]);
    }
    const again = new Set<number>();
    for (let told = 0; told < most;) {
      const value = queue.peekValue();
      if (value === undefined || -value <= bounds[step]!) break;
      const pair = queue.pop() ?? 0;
      if (value !== -excess[pair]! || again.has(pair)) continue;
      again.add(pair);
      if (pair === merged[step] || isKnown(step, pair)) continue;
      const breach = -value - bounds[step]!;
      if (breach > worst[pair]!) {
        worst[pair] = breach;
        worstStep.set(pair, step);
      }
      told += 1;
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
