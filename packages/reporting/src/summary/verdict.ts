import { at } from "@mbs/contracts";
import { tooFewWindows } from "../numbers.ts";

/** A mean of one of several models or mixes. */
export interface Contender {
  readonly name: string;
  readonly rise: number;
  /** 95%. */
  readonly interval: readonly [number, number];
}

/** Whether one is lower for sure: the 95% intervals do not meet. */
const clearlyLower = (lower: Contender, higher: Contender): boolean => lower.interval[1] < higher.interval[0];

/** The one candidate, or all of those that cannot be told apart. */
const named = (candidates: readonly Contender[], kind: "best" | "worst"): string =>
  candidates.length === 1
    ? `${at(candidates, 0).name} clearly ${kind}`
    : `${candidates.map(({ name }) => name).join(" or ")} ${kind} (not told apart)`;

/**
 * Which of several is best and worst by a figure: "clearly" where its 95% interval meets that of no other. It is not enough
 * to compare it with the next one: another, farther away, may have a wider interval.
 */
export function verdict(title: string, contenders: readonly Contender[]): string {
  if (contenders.some(({ interval }) => interval.some((end) => Number.isNaN(end))))
    return `${title}: not known (${tooFewWindows}).`;
  const sorted = contenders.toSorted((a, b) => a.rise - b.rise);
  if (!sorted.some((lower) => sorted.some((higher) => clearlyLower(lower, higher))))
    return `${title}: ${sorted.map(({ name }) => name).join(", ")} not told apart.`;
  const [first, last] = [at(sorted, 0), at(sorted, sorted.length - 1)];
  const best = named(
    sorted.filter((contender) => !clearlyLower(first, contender)),
    "best",
  );
  // Of two, the one that is not the best is the worst.
  if (sorted.length === 2) return `${title}: ${best}.`;
  const worst = named(
    sorted.filter((contender) => !clearlyLower(contender, last)),
    "worst",
  );
  return `${title}: ${best}, ${worst}.`;
}
