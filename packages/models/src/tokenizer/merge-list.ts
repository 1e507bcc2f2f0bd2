import { join } from "node:path";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { readJsonFile } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { modelFolder } from "../hub/hub-model.ts";
import { findTokenKind, spaceMark } from "./token-bytes.ts";
import { makeHubTokenizer, tokenizerLimit } from "./tokenizer.ts";

/** One merge of byte-pair encoding: two symbols become one. Symbols are numbered by the list that they come from. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** What a BPE tokenizer was trained to: its merges in the order in which they were learnt, and how it cuts a text before. */
export interface MergeList {
  readonly merges: readonly Merge[];
  /** The words of a text, normalised and cut as before training: no merge crosses from one into the next. */
  words(text: string): readonly string[];
  /** The symbols of a word before any merge; -1 for a character that is not in the vocabulary, which nothing merges with. */
  symbols(word: string): Int32Array;
}

/**
 * Where SentencePiece's trainer cuts, which its tokenizer.json does not say: before a space, between letters and other
 * characters, and around each digit.
 */
const sentencePieceWords = new RegExp(
  `${spaceMark}?[\\p{L}\\p{M}]+|${spaceMark}?\\p{N}|${spaceMark}?[^${spaceMark}\\p{L}\\p{M}\\p{N}]+|${spaceMark}`,
  "gu",
);

/**
 * The merges of a tokenizer.json.
 *
 * @param file for messages
 * @throws {FailedPreconditionError} when it is no BPE tokenizer of the byte-level or SentencePiece's kind
 * @throws {BadDataError} when it is broken
 */
export function readMergeList(json: JsonObject, file: string): MergeList {
  const { normalizer, pre_tokenizer: preTokenizer } = makeHubTokenizer(file, json, {});
  const model = json["model"] as JsonObject;
  const { type, continuing_subword_prefix: prefix, end_of_word_suffix: suffix, vocab } = model;
  const kind = findTokenKind(json);
  if ((type !== undefined && type !== "BPE") || kind === undefined || prefix || suffix) {
    throw new FailedPreconditionError(
      `${file} has no merges to read shares from (${String(type)}); only byte-level BPE and BPE with "${spaceMark}" for spaces have`,
      { file },
    );
  }
  const pairs = (model["merges"] as readonly (string | readonly [string, string])[]).map((merge) => {
    const [left = "", right = ""] = typeof merge === "string" ? merge.split(" ") : merge;
    return [left, right] as const;
  });
  if (pairs.length === 0) throw new BadDataError(`${file} has no merges; take it from the model's source again`, { file });
  const ids = new Map<string, number>();
  const idOf = (token: string): number => {
    const known = ids.get(token);
    if (known === undefined) ids.set(token, ids.size);
    return known ?? ids.size - 1;
  };
  // Characters first and merges in order, so that the beginning of the list needs small numbers only.
  for (const token of Object.keys(vocab as JsonObject)) if (Array.from(token).length === 1) idOf(token);
  const merges = (kind === "sentencepiece" ? learntMerges(pairs) : pairs).map(([left, right]) => ({
    left: idOf(left),
    right: idOf(right),
    merged: idOf(left + right),
  }));
  return {
    merges,
    words(text) {
      const normal: string = normalizer?.normalize(text) ?? text;
      const words: string[] = preTokenizer?.pre_tokenize(normal) ?? [normal];
      return kind === "sentencepiece" ? words.flatMap((word) => word.match(sentencePieceWords) ?? []) : words;
    },
    symbols(word) {
      const characters = Array.from(word);
      return Int32Array.from(characters, (character) => ids.get(character) ?? -1);
    },
  };
}

/**
 * Reads the merges of a model's tokenizer. A folder needs nothing but the tokenizer.json.
 *
 * @param folder also a name such as "hf:org/name@revision", which is fetched from the Hub first
 * @throws {FailedPreconditionError} when it is no BPE tokenizer of the byte-level or SentencePiece's kind
 * @throws {BadDataError} when it is missing or broken
 */
export async function openMergeList(folder: string): Promise<MergeList> {
  const file = join(await modelFolder(folder), "tokenizer.json");
  return readMergeList((await readJsonFile(file, tokenizerLimit)).value, file);
}

const keyOf = (left: string, right: string): string => `${left} ${right}`;

/**
 * The merges that SentencePiece learnt, out of those that a conversion to tokenizer.json wrote.
 *
 * SentencePiece keeps pieces, not merges: a conversion lists every way to make a piece of two others, one after the other.
 * Learnt was the way that the merges before take the piece apart (arXiv 2407.16607, appendix on redundant merges).
 */
export function learntMerges(merges: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  const ranks = new Map<string, number>();
  const learnt: (readonly [string, string])[] = [];
  for (let start = 0, end = 0; start < merges.length; start = end) {
    const [left, right] = merges[start];
    const piece = left + right;
    for (end = start + 1; end < merges.length && merges[end][0] + merges[end][1] === piece;) end += 1;
    const ways = merges.slice(start, end);
    const parts = ways.length === 1 ? [] : mergeAll(Array.from(piece), (a, b) => ranks.get(keyOf(a, b)));
    const way = ways.find(([a, b]) => parts.length === 2 && a === parts[0] && b === parts[1]) ?? ways[0];
    ranks.set(keyOf(...way), learnt.length);
    learnt.push(way);
  }
  return learnt;
}

/** Merges the pair of the lowest rank, its first place first, until no pair has one. */
function mergeAll(symbols: string[], rankOf: (left: string, right: string) => number | undefined): string[] {
  const parts = [...symbols];
  for (;;) {
    let [best, place] = [Infinity, -1];
    for (let index = 0; index + 1 < parts.length; index += 1) {
      const rank = rankOf(parts[index], parts[index + 1]) ?? Infinity;
      if (rank < best) [best, place] = [rank, index];
    }
    if (place < 0) return parts;
    parts.splice(place, 2, parts[place] + parts[place + 1]);
  }
}
