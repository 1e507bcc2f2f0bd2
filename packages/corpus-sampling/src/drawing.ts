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
    const cut = text.length > sizeLimit ? withoutHalf(text.slice(0, sizeLimit)) : text;
    const drawn: DrawnText = { text: cut, ...(conversation && { conversation: true }), ...(target !== undefined && { target }) };
    kept.push({ key, drawn });
    weight += cut.length;
    if (weight > 2 * (wanted + sizeLimit)) shrink();
  }
  shrink();
  return { texts: kept.map(({ drawn }) => drawn), complete };
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
): AsyncGenerator<DrawnText, void, undefined> {
  let given = 0;
  for (let characters = wanted; ; characters *= 4) {
    const { texts, complete } = await draw(characters);
    yield* texts.slice(given);
    given = texts.length;
    if (complete) return;
  }
}

/**
 * Documents in pieces of about as many characters, each a document of its own; conversations, and sources with a target, stay whole. A
 * piece ends behind a blank where there is one in its last quarter, and never within a surrogate pair.
 */
export async function* inPieces(
  documents: AsyncIterable<CorpusDocument>,
  characters: number,
): AsyncGenerator<CorpusDocument, void, undefined> {
  for await (const document of documents) {
    const { text, conversation, target } = document;
    if (conversation || target !== undefined) yield document;
    else for (const piece of piecesOf(text, characters)) yield { ...document, text: piece };
  }
}

function* piecesOf(text: string, characters: number): Generator<string> {
  // as many as there are of that length, so that none is much shorter
  for (let left = text, count = Math.max(1, Math.round(text.length / characters)); count > 0; count -= 1) {
    const size = Math.ceil(left.length / count);
    const first = left.slice(0, size);
    const blank = count === 1 ? -1 : first.search(/\s\S*$/u) + 1;
    const end = blank > 0.75 * size ? blank : withoutHalf(first).length;
    const piece = left.slice(0, end).trim();
    if (piece !== "") yield piece;
    left = left.slice(end);
  }
}

/** A text that was cut, without the half of a surrogate pair at its end. */
const withoutHalf = (text: string): string => text.replace(/[\uD800-\uDBFF]$/, "");

/** How a language's documents are drawn. */
export interface DrawingOptions {
  readonly seed: number;
  /** Draw documents again, in a new random order, once all were drawn. */
  readonly reuse: boolean;
}

/** Texts, and where they may be used again all of them in new random orders, without end. */
export async function* reused(
  texts: AsyncIterable<DrawnText>,
  language: string,
  { seed, reuse }: DrawingOptions,
): AsyncGenerator<DrawnText, void, undefined> {
  const given: DrawnText[] = [];
  for await (const text of texts) {
    if (reuse) given.push(text);
    yield text;
  }
  for (let round = 1; given.length > 0; round++) yield* shuffled(given, seededGenerator(seed, language, round));
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
