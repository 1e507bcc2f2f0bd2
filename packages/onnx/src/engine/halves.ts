import { countLackOfSpace, withSpace } from "./device-memory.ts";
import { DeviceFullError } from "./runtime.ts";

/** Items first … last-1, such as tokens or segments. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** @param range of two items or more */
export function halvesOf({ first, last }: Range): readonly [Range, Range] {
  const middle = first + Math.ceil((last - first) / 2);
  return [
    { first, last: middle },
    { first: middle, last },
  ];
}

/**
 * What to try after an error: the halves of what was tried.
 *
 * @throws the error, where it is another than that of a full graphics processor, or one item alone was tried
 */
export function halvesAfter(error: unknown, { first, last }: Range): readonly [Range, Range] {
  if (!(error instanceof DeviceFullError) || last - first < 2) throw error;
  countLackOfSpace();
  return halvesOf({ first, last });
}

/**
 * Adds something of some tokens to the parts of a sum, half of the tokens at a time where the graphics processor is full.
 *
 * @param add takes each part out of `open` once it is done: what fails in the middle goes on with the others
 */
export async function addInHalves<Part>(
  tokens: Range,
  parts: Iterable<Part>,
  add: (tokens: Range, open: Set<Part>) => Promise<void>,
): Promise<void> {
  const open = new Set(parts);
  try {
    await withSpace(() => add(tokens, open));
  } catch (error) {
    for (const half of halvesAfter(error, tokens)) await addInHalves(half, open, add);
  }
}
