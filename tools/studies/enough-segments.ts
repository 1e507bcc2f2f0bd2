import { at } from "@mbs/contracts";
import type { Spread } from "./numbers.ts";

/** Rises of perplexity with one number of calibration segments. */
export interface SizeRise {
  readonly segments: number;
  /** Over seeds. */
  readonly rise: Spread;
}

/** A larger sample pays where it takes at least this off the rise of perplexity. */
export const pays = 0.005;

/**
 * The fewest segments that no larger number improves upon: by more than `pays` in the mean, with no seed of one reaching a
 * seed of the other.
 *
 * @param sizes with the number of segments rising; the last one is the answer where more may pay still
 */
export function enoughSegments(sizes: readonly SizeRise[]): number {
  const enough = sizes.find(({ rise }, index) =>
    sizes.slice(index + 1).every((larger) => rise.mean - larger.rise.mean <= pays || larger.rise.high >= rise.low),
  );
  return (enough ?? at(sizes, sizes.length - 1)).segments;
}
