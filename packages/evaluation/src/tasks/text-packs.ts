import { at } from "@mbs/contracts";
import { commonPrefix, plantTree } from "@mbs/models";
import type { TokenTree, TreeForward } from "@mbs/models";
import type { EncodedText } from "./encode-texts.ts";

/** Tokens that are run through a block at once: of 256 to 2048 the number at which a token takes the least time. */
const packTokens = 512;

/** A tree has more tokens than `packTokens` where it saves reading again what its texts share, but no more than these. */
const mostTreeTokens = 2048;

/**
 * Attention makes a token of a tree under one root take twice as long where the tree has so many tokens for each channel of the
 * states: measured with Gemma 3 270m.
 */
const doublingTokens = 1.5;

/** A token that a pack predicts at one of its rows, and the texts that want it. */
export interface Prediction {
  readonly token: number;
  /** Indices in the group. */
  readonly texts: readonly number[];
}

/** Texts that run together. */
export interface TextPack {
  /** Indices in the group. */
  readonly texts: readonly number[];
  /** How their tokens run: as a tree, or stacked, each `length` tokens. */
  readonly run: { readonly tree: TokenTree } | { readonly tokens: Int32Array; readonly batch: number };
  /** Rows of the states that predict, ascending, and what each predicts. */
  readonly predictions: ReadonlyMap<number, readonly Prediction[]>;
  /** Rows of the states, of each text. */
  readonly rows: readonly Int32Array[];
}

/** The tokens that are read: the last one is only predicted. */
const readTokens = ({ tokens }: EncodedText): Int32Array => tokens.subarray(0, -1);

/** By the first token that differs; a beginning of another comes before it. */
export function compareTokens(one: Int32Array, other: Int32Array): number {
  const common = commonPrefix(one, other);
  return common < Math.min(one.length, other.length) ? at(one, common) - at(other, common) : one.length - other.length;
}

/** Time of a tree, in tokens of a small one. @param width of the states */
const costOf = (tokens: number, width: number): number => tokens * (1 + tokens / (doublingTokens * width));

/** What packs depend on besides their texts. */
export interface PackedFor {
  /** Width of the states. */
  readonly hiddenSize: number;
  /** Absent where the model runs whole texts only. */
  readonly trees: Pick<TreeForward, "longTexts"> | undefined;
}

function predictionsOf(
  group: readonly EncodedText[],
  texts: readonly number[],
  rows: readonly Int32Array[],
): ReadonlyMap<number, readonly Prediction[]> {
  const byRow = new Map<number, Map<number, number[]>>();
  for (const [position, index] of texts.entries()) {
    const { tokens, predicted } = at(group, index);
    for (let token = tokens.length - predicted; token < tokens.length; token++) {
      const row = at(at(rows, position), token - 1);
      const wanted = byRow.get(row) ?? new Map<number, number[]>();
      byRow.set(row, wanted);
      wanted.set(at(tokens, token), [...(wanted.get(at(tokens, token)) ?? []), index]);
    }
  }
  const sorted = [...byRow].sort(([one], [other]) => one - other);
  return new Map(sorted.map(([row, wanted]) => [row, [...wanted].map(([token, own]) => ({ token, texts: own }))]));
}

function treePack(group: readonly EncodedText[], texts: readonly number[]): TextPack {
  const { tree, rows } = plantTree(texts.map((index) => readTokens(at(group, index))));
  return { texts, run: { tree }, rows, predictions: predictionsOf(group, texts, rows) };
}

/** @param texts equally long ones */
function stackedPack(group: readonly EncodedText[], texts: readonly number[]): TextPack {
  const read = texts.map((index) => readTokens(at(group, index)));
  const { length } = at(read, 0);
  const rows = read.map((_, index) => Int32Array.from({ length }, (__, position) => index * length + position));
  const tokens = new Int32Array(length * read.length);
  for (const [index, text] of read.entries()) tokens.set(text, index * length);
  return { texts, run: { tokens, batch: texts.length }, rows, predictions: predictionsOf(group, texts, rows) };
}

/** @param texts of which each is the first one, or its beginning: they run as that one */
function firstTextPack(group: readonly EncodedText[], texts: readonly number[]): TextPack {
  const read = texts.map((index) => readTokens(at(group, index)));
  const rows = read.map(({ length }) => Int32Array.from({ length }, (_, position) => position));
  return { texts, run: { tokens: at(read, 0).slice(), batch: 1 }, rows, predictions: predictionsOf(group, texts, rows) };
}

/**
 * Trees of sorted texts. A text that is longer than a tree may be is read whole, with those that add no token to it: memory of
 * a tree grows with the square of its tokens, that of a whole text does not.
 */
function* treePacks(group: readonly EncodedText[], sorted: readonly number[], width: number): Generator<TextPack> {
  const close = (texts: readonly number[], tokens: number): TextPack =>
    tokens > mostTreeTokens ? firstTextPack(group, texts) : treePack(group, texts);
  let texts: number[] = [];
  let tokens = 0;
  let before: Int32Array = new Int32Array();
  for (const index of sorted) {
    const read = readTokens(at(group, index));
    const common = commonPrefix(before, read);
    const together = tokens + read.length - common;
    const saves = costOf(together, width) - costOf(tokens, width) < costOf(read.length, width);
    // a text that is wholly there already costs nothing, however large the tree is
    if (texts.length > 0 && together > packTokens && together > tokens && !(saves && together <= mostTreeTokens)) {
      yield close(texts, tokens);
      texts = [];
      tokens = 0;
    }
    tokens = texts.length === 0 ? read.length : together;
    texts.push(index);
    before = read;
  }
  if (texts.length > 0) yield close(texts, tokens);
}

/** Texts of equal length, as many as have `packTokens`. */
function* stackedPacks(group: readonly EncodedText[], sorted: readonly number[]): Generator<TextPack> {
  const byLength = new Map<number, number[]>();
  for (const index of sorted) {
    const { length } = readTokens(at(group, index));
    byLength.set(length, [...(byLength.get(length) ?? []), index]);
  }
  for (const [length, texts] of byLength) {
    const count = Math.max(1, Math.floor(packTokens / length));
    for (let first = 0; first < texts.length; first += count) yield stackedPack(group, texts.slice(first, first + count));
  }
}

/**
 * Packs the texts of a group: sorted, so that those that begin alike meet. The packs depend on the group
 * and the model alone.
 */
export function* packTexts(group: readonly EncodedText[], { hiddenSize, trees }: PackedFor): Generator<TextPack> {
  const sorted = [...group.keys()].sort(
    (one, other) => compareTokens(at(group, one).tokens, at(group, other).tokens) || one - other,
  );
  if (trees === undefined) {
    yield* stackedPacks(group, sorted);
    return;
  }
  const { longTexts = Infinity } = trees;
  const isLong = (index: number): boolean => readTokens(at(group, index)).length > longTexts;
  yield* treePacks(
    group,
    sorted.filter((index) => !isLong(index)),
    hiddenSize,
  );
  yield* treePacks(group, sorted.filter(isLong), hiddenSize);
}
