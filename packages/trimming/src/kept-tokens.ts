import type { NewId } from "./renumbered-json.ts";
import type { Pieces, TokenizerParts, Merges } from "./tokenizer-parts.ts";
import { at } from "@mbs/contracts";
import { pairOf } from "@mbs/models";

/** One key for a pair of symbols, whatever characters they have. */
const keyOf = (left: string, right: string): string => `${left.length}:${left}${right}`;

/** Says of a token which symbols byte-pair encoding makes on the way to it, its characters and itself among them. */
type Derivation = (token: string) => ReadonlySet<string>;

/**
 * How byte-pair encoding makes tokens of characters.
 *
 * A token that ends up in a text is made by merges of its own characters alone: none of them crosses its borders. At every
 * moment the next of them is the first by rank, and by position, among the pairs within these borders, whatever stands around
 * them, so it is the same as in the token by itself. A tokenizer that has all symbols of that derivation, and of the merges those
 * whose three symbols it has, in their order, therefore makes the same steps: its pairs are a part of the pairs before, and the
 * pair that was taken is among them. So texts of kept tokens encode to the same tokens.
 */
function createDerivation(merges: Merges): Derivation {
  const ranks = new Map<string, number>();
  for (const [rank, merge] of merges.entries()) {
    const key = keyOf(...pairOf(merge));
    if (!ranks.has(key)) ranks.set(key, rank);
  }
  return (token) => {
    const symbols = Array.from(token);
    const made = new Set(symbols);
    for (;;) {
      let best: { readonly rank: number; readonly index: number } | undefined;
      for (let index = 0; index + 1 < symbols.length; index++) {
        const rank = ranks.get(keyOf(at(symbols, index), at(symbols, index + 1)));
        if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, index };
      }
      if (best === undefined) return made;
      const merged = `${at(symbols, best.index)}${at(symbols, best.index + 1)}`;
      symbols.splice(best.index, 2, merged);
      made.add(merged);
    }
  };
}

/** Why tokens are kept; each counts for the first reason that it has. */
export const keptReasons = ["texts", "merges", "alphabet", "added", "named", "template", "rounding"] as const;

export type KeptReason = (typeof keptReasons)[number];

/** What is kept of a vocabulary. */
export interface KeptTokens {
  /** Rows of the embedding, ascending. */
  readonly rows: Int32Array;
  readonly newId: NewId;
  /** How many rows are kept for which reason. */
  readonly reasons: Readonly<Record<KeptReason, number>>;
}

/** What the choice follows from. */
export interface KeptFor {
  /** Tokens of the texts of the kept languages. */
  readonly texts: Iterable<number>;
  /** Tokens that configurations and the tokenizer name: beginning, end, padding. */
  readonly named: Iterable<number>;
  /** Tokens of the chat template. */
  readonly template: Iterable<number>;
  /** Rows of the source's embedding: a tokenizer may have more tokens, or fewer. */
  readonly rows: number;
  /** Rows are filled up to a multiple of this, as long as there are tokens. */
  readonly multiple: number;
}

const isCharacter = (token: string): boolean => Array.from(token).length === 1;

/**
 * The pieces of Unigram without which a text might lose something, or be cut in another way: all single characters, and pieces
 * with a character that is no piece; and the piece with the lowest score, since what stands for an unknown character is scored
 * by it.
 *
 * No other piece changes how texts of kept pieces are cut. The best path through such a text is still there, with the same score;
 * every other path was there before and was no better.
 */
function unigramAlphabet(pieces: Pieces): number[] {
  const characters = new Set(pieces.map(([piece]) => piece).filter(isCharacter));
  const lowest = pieces.reduce((least, [, score], id) => (score < (pieces[least]?.[1] ?? Infinity) ? id : least), 0);
  const needed = [...pieces.entries()].flatMap(([id, [piece]]) =>
    isCharacter(piece) || !Array.from(piece).every((character) => characters.has(character)) ? [id] : [],
  );
  return [...needed, lowest];
}

/** Tokens that any text may need, whatever its language, so that nothing is lost that was not lost before. */
function alphabetOf(parts: TokenizerParts): number[] {
  const { ids, bytes } = parts;
  const always = [...bytes, ...(parts.unknown === undefined ? [] : [parts.unknown])];
  // the tokens of bytes are longer than a character, and made of characters that are pieces
  if (parts.type === "Unigram") return [...always, ...unigramAlphabet(parts.pieces)];
  if (bytes.length === 256) return always;
  return [...always, ...[...ids].flatMap(([token, id]) => (isCharacter(token) ? [id] : []))];
}

/** Tokens that others are made of. */
function partsOf(parts: TokenizerParts): (token: string) => readonly number[] {
  const find = (token: string): readonly number[] => {
    const id = parts.ids.get(token);
    return id === undefined ? [] : [id];
  };
  if (parts.type === "Unigram") return () => [];
  const derive = createDerivation(parts.merges);
  return (token) => [...derive(token)].flatMap(find);
}

/** T5's spans are written with tokens that no text has; mT5 has them with a space before. */
const isSentinel = (token: string): boolean => /^▁?<extra_id_\d+>$/.test(token);

/**
 * Chooses the tokens that stay: those of the texts; of BPE all that they are merged from; what any text may need; added and
 * special tokens, those that configurations name and those of the chat template.
 *
 * New ids are in the order of the old ones.
 */
export function chooseTokens(parts: TokenizerParts, { texts, named, template, rows, multiple }: KeptFor): KeptTokens {
  const tokens = new Map([...parts.ids].map(([token, id]) => [id, token]));
  const made = partsOf(parts);
  const kept = new Set<number>();
  const reasons: Record<KeptReason, number> = { texts: 0, merges: 0, alphabet: 0, added: 0, named: 0, template: 0, rounding: 0 };
  const keep = (ids: Iterable<number>, reason: KeptReason): void => {
    for (const id of ids) {
      if (kept.has(id)) continue;
      kept.add(id);
      if (id < rows) reasons[reason] += 1;
    }
  };
  const partsOfAll = (ids: Iterable<number>): number[] => [...ids].flatMap((id) => made(tokens.get(id) ?? ""));
  const [ofTexts, ofTemplate] = [[...texts], [...template]];
  keep(ofTexts, "texts");
  keep(partsOfAll(ofTexts), "merges");
  keep(alphabetOf(parts), "alphabet");
  keep(parts.added, "added");
  // -1 and the like are no tokens; a row without a token may be named, for padding
  keep(
    [...named].filter((id) => id >= 0 && (id < rows || tokens.has(id))),
    "named",
  );
  keep(
    [...parts.ids].flatMap(([token, id]) => (isSentinel(token) ? [id] : [])),
    "named",
  );
  keep(ofTemplate, "template");
  keep(partsOfAll(ofTemplate), "template");
  const missing = (): number => {
    const own = Object.values(reasons).reduce((sum, count) => sum + count, 0);
    return Math.ceil(own / multiple) * multiple - own;
  };
  // the first by id are the first that were learnt; one whose parts are gone would never be made
  for (let id = 0, wanted = missing(); wanted > 0 && id < rows; id++) {
    const token = tokens.get(id);
    if (token === undefined || kept.has(id) || !made(token).every((part) => part === id || kept.has(part))) continue;
    keep([id], "rounding");
    wanted -= 1;
  }
  const sorted = [...kept].sort((a, b) => a - b);
  const newIds = new Map(sorted.map((id, index) => [id, index]));
  return { rows: Int32Array.from(sorted.filter((id) => id < rows)), newId: (id) => newIds.get(id), reasons };
}
