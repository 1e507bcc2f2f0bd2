import { join } from "node:path";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { convertFolderTokenizer } from "../folder/folder-tokenizer.ts";
import { isFile, readJsonFile } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { isGguf } from "../folder/model-record.ts";
import { modelFolder } from "../folder/hub-model.ts";
import { findTokenKind, spaceMark } from "./token-bytes.ts";
import { pairOf } from "./tokenizer-vocabulary.ts";
import { makeHubTokenizer, tokenizerLimit } from "./tokenizer.ts";

/** One merge of byte-pair encoding: two symbols become one. Symbols are numbered by the list that they come from. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** What a BPE tokenizer learnt: its merges in the order of training, and how it splits a text into words before merging. */
export interface MergeList {
  readonly merges: readonly Merge[];
  /** The words of a text, normalised and split as for training: no merge joins symbols of two words. */
  words(text: string): readonly string[];
  /** The symbols of a word before any merge; -1 for a character that is not in the vocabulary, which nothing merges with. */
  symbols(word: string): Int32Array;
}

/**
 * Where SentencePiece's trainer splits, which its tokenizer.json does not say: before a space, between letters and other
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
  const pairs = (model["merges"] as readonly (string | readonly [string, string])[]).map(pairOf);
  if (pairs.length === 0) throw new BadDataError(`${file} has no merges; take it from the model's source again`, { file });
  const ids = new Map<string, number>();
  const idOf = (token: string): number => {
    const known = ids.get(token);
    if (known === undefined) ids.set(token, ids.size);
    return known ?? ids.size - 1;
  };
  // characters first and merges in order, so that the first merges have small numbers
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
 * Reads the merges of a model's tokenizer. A folder needs nothing but the files of the tokenizer.
 *
 * @param name of a folder or a GGUF file, or one such as "hf:org/name@revision", which is fetched from the Hub first
 * @param progress called while a model on the Hub is fetched
 * @throws {FailedPreconditionError} when it is no BPE tokenizer of the byte-level or SentencePiece's kind
 * @throws {BadDataError} when it is missing or broken
 */
export async function openMergeList(name: string, progress?: (progress: Progress) => void): Promise<MergeList> {
  const path = await modelFolder(name, progress);
  if (isGguf(path)) {
    const [{ describeGguf }, { tokenizerFromGguf }] = [
      await import("../gguf/describe-gguf.ts"),
      await import("../gguf/gguf-tokenizer.ts"),
    ];
    const { metadata } = await describeGguf(path);
    return readMergeList(tokenizerFromGguf(metadata, path).tokenizer, path);
  }
  const [file, config] = [join(path, "tokenizer.json"), join(path, "config.json")];
  if (await isFile(file)) return readMergeList((await readJsonFile(file, tokenizerLimit)).value, file);
  const converted = await convertFolderTokenizer(
    path,
    (await isFile(config)) ? (await readJsonFile(config, tokenizerLimit)).value : {},
  );
  return readMergeList(converted.tokenizer, converted.file);
}

type Pair = readonly [left: string, right: string];

const pieceOf = ([left, right]: Pair): string => `${left}${right}`;
const keyOf = ([left, right]: Pair): string => `${left} ${right}`;

/** Ways to make the same piece that follow each other in a list of merges. */
function* waysToPieces(merges: readonly Pair[]): Generator<readonly [Pair, ...Pair[]]> {
  let ways: [Pair, ...Pair[]] | undefined;
  for (const pair of merges) {
    if (ways !== undefined && pieceOf(ways[0]) === pieceOf(pair)) {
      ways.push(pair);
      continue;
    }
    if (ways !== undefined) yield ways;
    ways = [pair];
  }
  if (ways !== undefined) yield ways;
}

/**
 * The merges that SentencePiece learnt, out of those that a conversion to tokenizer.json wrote.
 *
 * SentencePiece keeps pieces, not merges: a conversion lists every way to make a piece of two others, one after the other.
 * The one that was learnt is the one by which the earlier merges take the piece apart (arXiv:2407.16607, appendix on
 * redundant merges).
 */
export function learntMerges(merges: readonly Pair[]): Pair[] {
  const ranks = new Map<string, number>();
  const learnt: Pair[] = [];
  for (const ways of waysToPieces(merges)) {
    const [first] = ways;
    const parts = ways.length === 1 ? [] : mergeAll(Array.from(pieceOf(first)), (pair) => ranks.get(keyOf(pair)));
    const way = ways.find(([left, right]) => left === parts[0] && right === parts[1]) ?? first;
    ranks.set(keyOf(way), learnt.length);
    learnt.push(way);
  }
  return learnt;
}

/** Merges the pair of the lowest rank, the first of several such, until no pair has a rank. */
function mergeAll(symbols: readonly string[], rankOf: (pair: Pair) => number | undefined): string[] {
  const parts = [...symbols];
  for (;;) {
    let best: { readonly rank: number; readonly index: number; readonly merged: string } | undefined;
    for (const [index, left] of parts.entries()) {
      const right = parts[index + 1];
      const rank = right === undefined ? undefined : rankOf([left, right]);
      if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, index, merged: `${left}${right}` };
    }
    if (best === undefined) return parts;
    parts.splice(best.index, 2, best.merged);
  }
}
