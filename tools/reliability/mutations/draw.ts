import { at } from "@mbs/contracts";
import { seededGenerator } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** Random choices of one mutation: the same for the same seed, reader and number, whatever was drawn before. */
export interface Draw {
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number;
  from<T>(list: readonly T[]): T;
}

export function drawOf(seed: number, reader: string, number: number): Draw {
  const random = seededGenerator(seed, reader, number);
  const below = (count: number): number => uniformInt(random, 0, count - 1);
  return { below, from: (list) => at(list, below(list.length)) };
}
