import { countLackOfSpace, withSpace } from "./device-memory.ts";
import { DeviceFullError } from "./runtime.ts";

/** Items first … last-1, such as tokens or segments. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Some items of one shape. */
export interface Portion extends Range {
  /** What shares its limit: items of one shape take the same space each. */
  readonly shape: string;
  /** What one item counts in the limit, such as tokens. Default 1. */
  readonly weight?: number;
}

/** @param portion of two items or more */
function halvesOf({ first, last, ...others }: Portion): readonly [Portion, Portion] {
  const middle = first + Math.ceil((last - first) / 2);
  return [
    { ...others, first, last: middle },
    { ...others, first: middle, last },
  ];
}

/** How much of each shape goes to a graphics processor at a time, as far as more is known to be too much for it. */
export class SizeLimits {
  readonly #most = new Map<string, number>();

  /** The halves of what is known to be too much; undefined where it may fit, or is one item. */
  split(portion: Portion): readonly [Portion, Portion] | undefined {
    const { first, last, shape, weight = 1 } = portion;
    const count = last - first;
    return count > 1 && count * weight > (this.#most.get(shape) ?? Infinity) ? halvesOf(portion) : undefined;
  }

  /**
   * What to try after an error: the halves of what was tried, which is too much from now on.
   *
   * @throws the error, where it is another than that of a full graphics processor, or one item alone was tried
   */
  halvesAfter(error: unknown, portion: Portion): readonly [Portion, Portion] {
    const { first, last, shape, weight = 1 } = portion;
    if (!(error instanceof DeviceFullError) || last - first < 2) throw error;
    countLackOfSpace();
    const halves = halvesOf(portion);
    const most = (halves[0].last - first) * weight;
    this.#most.set(shape, Math.min(most, this.#most.get(shape) ?? Infinity));
    return halves;
  }

  /**
   * Does work on some items, on half of them at a time where the graphics processor is full, down to one.
   *
   * @returns what was made of each piece, in order
   */
  async inPieces<Made>(portion: Portion, work: (items: Range) => Promise<Made>): Promise<Made[]> {
    let halves = this.split(portion);
    if (halves === undefined) {
      try {
        return [await work(portion)];
      } catch (error) {
        halves = this.halvesAfter(error, portion);
      }
    }
    const [half, other] = halves;
    return [...(await this.inPieces(half, work)), ...(await this.inPieces(other, work))];
  }
}

/** Of the sums of this process, whose shapes tell all that there is to know of them. */
const sumLimits = new SizeLimits();

/**
 * Adds something of some tokens to the parts of a sum, half of the tokens at a time where the graphics processor is full.
 *
 * @param add takes each part out of `open` once it is done: what fails in the middle goes on with the others
 */
export async function addInHalves<Part>(
  tokens: Portion,
  parts: Iterable<Part>,
  add: (tokens: Range, open: Set<Part>) => Promise<void>,
  limits = sumLimits,
): Promise<void> {
  const open = new Set(parts);
  let halves = limits.split(tokens);
  if (halves === undefined) {
    try {
      await withSpace(() => add(tokens, open));
      return;
    } catch (error) {
      halves = limits.halvesAfter(error, tokens);
    }
  }
  for (const half of halves) await addInHalves(half, open, add, limits);
}
