import { at } from "@mbs/contracts";
import type { CorpusDocument } from "@mbs/corpora";
import { seededGenerator } from "@mbs/numbers";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** A text that was drawn, and whether it is a conversation. */
export interface DrawnText {
  readonly text: string;
  readonly conversation?: true;
  readonly target?: string;
}

/** The beginning of a random order of a language's documents. */
export interface Drawing {
  readonly texts: readonly DrawnText[];
  /** True where these are all its documents. */
  readonly complete: boolean;
}

interface Drawn {
  readonly key: number;
  readonly drawn: DrawnText;
}

/**
 * The first documents of a random order: every document gets a random key, and those with the smallest keys are kept
 * until they have at least `wanted` characters. The order depends on seed and documents alone, so asking for more only makes it
 * longer. One pass; memory is about twice what is kept.
 *
 * @param sizeLimit most characters kept of a document
 * @param wanted characters
 */
export async function drawDocuments(
  documents: AsyncIterable<CorpusDocument>,
  generator: ReturnType<typeof seededGenerator>,
  sizeLimit: number,
  wanted: number,
): Promise<Drawing> {
  let kept: Drawn[] = [];
  let weight = 0;
  let largestKey = Infinity;
  let complete = true;

  function shrink(): void {
    kept.sort((a, b) => a.key - b.key);
    let sum = 0;
    const end = kept.findIndex(({ drawn: { text } }) => (sum += text.length) >= wanted);
    if (end < 0) return;
    if (end + 1 < kept.length) complete = false;
    kept = kept.slice(0, end + 1);
    weight = sum;
    largestKey = at(kept, end).key;
  }

  for await (const { text, conversation, target } of documents) {
    const key = uniformFloat64(generator);
    if (key > largestKey) {
      complete = false;
      continue;
    }
    // Never cut through a surrogate pair.
    const cut = text.length > sizeLimit ? text.slice(0, sizeLimit).replace(/[\uD800-\uDBFF]$/, "") : text;
    const drawn: DrawnText = { text: cut, ...(conversation && { conversation: true }), ...(target !== undefined && { target }) };
    kept.push({ key, drawn });
    weight += cut.length;
    if (weight > 2 * (wanted + sizeLimit)) shrink();
  }
  shrink();
  return { texts: kept.map(({ drawn }) => drawn), complete };
}

/** How a language's documents are drawn. */
export interface DrawingOptions {
  readonly seed: number;
  /** Draw documents again, in a new random order, once all were drawn. */
  readonly reuse: boolean;
}

/**
 * The documents of a language in random order; more of them are read from the files as they are asked for.
 *
 * @param draw the beginning of the order with so many characters
 * @param wanted characters that are read at first
 */
export async function* drawnOneByOne(
  draw: (wanted: number) => Promise<Drawing>,
  wanted: number,
  language: string,
  { seed, reuse }: DrawingOptions,
): AsyncGenerator<DrawnText, void, undefined> {
  let given = 0;
  for (let characters = wanted; ; characters *= 4) {
    const { texts, complete } = await draw(characters);
    for (const text of texts.slice(given)) yield text;
    given = texts.length;
    if (!complete) continue;
    if (!reuse || texts.length === 0) return;
    for (let round = 1; ; round++) yield* shuffled(texts, seededGenerator(seed, language, round));
  }
}

/** A new random order of the same texts (Fisher–Yates). */
function shuffled(texts: readonly DrawnText[], generator: ReturnType<typeof seededGenerator>): DrawnText[] {
  const order = [...texts];
  for (let last = order.length - 1; last > 0; last--) {
    const other = uniformInt(generator, 0, last);
    [order[last], order[other]] = [at(order, other), at(order, last)];
  }
  return order;
}
