import { isObject } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";
import { at, fieldsOf, flag, listOf, mapOf, number, oneOf, orNull, refuseAt, text, typed, whole } from "./json-shape.ts";
import type { Fields, JsonPosition, Shape } from "./json-shape.ts";
import { requireVocabulary } from "./tokenizer-vocabulary.ts";

/*
 * The parts of a tokenizer.json that @huggingface/tokenizers reads, with the types that it relies on: it checks none itself.
 * Names, values and what may be null are those of the reference, the Rust library (huggingface/tokenizers).
 */

const pattern: Shape = (value, position) => {
  const [key, ...more] = isObject(value) ? Object.keys(value) : [];
  if (more.length > 0 || (key !== "String" && key !== "Regex")) refuseAt(position, value, "an object of one String or Regex");
  fieldsOf({ [key]: text })(value, position);
};

/** Defers a shape that refers to itself. */
const later =
  (shape: () => Shape): Shape =>
  (value, position) =>
    shape()(value, position);

const replacing: Fields = { pattern, content: text };
const spaceMarking: Fields = {
  replacement: text,
  "str_rep?": text,
  "add_prefix_space?": flag,
  "prepend_scheme?": oneOf("always", "first", "never"),
  "split?": flag,
};
const byteLevel: Fields = { "add_prefix_space?": flag, "trim_offsets?": flag, "use_regex?": flag };
const behavior = oneOf("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

const normalizer: Shape = typed({
  BertNormalizer: { clean_text: flag, handle_chinese_chars: flag, "strip_accents?": orNull(flag), lowercase: flag },
  Precompiled: { "precompiled_charsmap?": orNull(text) },
  Sequence: { normalizers: listOf(later(() => normalizer)) },
  Replace: replacing,
  NFC: {},
  NFD: {},
  NFKC: {},
  NFKD: {},
  Strip: { strip_left: flag, strip_right: flag },
  StripAccents: {},
  Lowercase: {},
  Prepend: { prepend: text },
});

const preTokenizer: Shape = typed({
  BertPreTokenizer: {},
  Sequence: { pretokenizers: listOf(later(() => preTokenizer)) },
  Whitespace: {},
  WhitespaceSplit: {},
  Metaspace: spaceMarking,
  ByteLevel: byteLevel,
  Split: { pattern, behavior, invert: flag },
  Punctuation: { "behavior?": behavior },
  Digits: { individual_digits: flag },
  Replace: replacing,
  FixedLength: { length: whole(1) },
});

const decoder: Shape = typed({
  ByteLevel: byteLevel,
  WordPiece: { "prefix?": text, "cleanup?": flag },
  Metaspace: spaceMarking,
  BPEDecoder: { "suffix?": text },
  CTC: { "pad_token?": text, "word_delimiter_token?": text, "cleanup?": flag },
  Sequence: { decoders: listOf(later(() => decoder)) },
  Replace: replacing,
  Fuse: {},
  Strip: { content: text, start: whole(), stop: whole() },
  ByteFallback: {},
});

/** @param sequences names of the sequences that a template may hold: only pairs have a second one */
const template = (...sequences: readonly string[]): Shape => {
  const kinds: Fields = {
    SpecialToken: fieldsOf({ id: text, type_id: whole() }),
    Sequence: fieldsOf({ id: oneOf(...sequences), type_id: whole() }),
  };
  return listOf((value, position) => {
    const [key, ...more] = isObject(value) ? Object.keys(value) : [];
    const shape = key !== undefined && Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    if (more.length > 0 || key === undefined || shape === undefined) {
      return refuseAt(position, value, "an object of one SpecialToken or Sequence");
    }
    fieldsOf({ [key]: shape })(value, position);
  });
};

const tokenWithId: Shape = (value, position) => {
  listOf(() => undefined)(value, position);
  const [token, id, ...more] = value as unknown[];
  if (typeof token !== "string" || more.length > 0) refuseAt(position, value, "a token and its id");
  whole()(id, position);
};

const postProcessor: Shape = typed({
  TemplateProcessing: {
    single: template("A"),
    pair: template("A", "B"),
    special_tokens: mapOf(fieldsOf({ id: text, ids: listOf(whole()), tokens: listOf(text) })),
  },
  ByteLevel: byteLevel,
  BertProcessing: { sep: tokenWithId, cls: tokenWithId },
  RobertaProcessing: { sep: tokenWithId, cls: tokenWithId, "trim_offsets?": flag, "add_prefix_space?": flag },
  Sequence: { processors: listOf(later(() => postProcessor)) },
});

const vocabulary: Shape = (value, position) => {
  if (isObject(value) && Object.keys(value).length === 0) refuseAt(position, value, "ids of at least one token");
  mapOf(whole())(value, position);
};

/** The library infers the form of all merges from the first. */
const merges: Shape = (value, position) => {
  if (!Array.isArray(value)) refuseAt(position, value, "a list");
  const list = value as unknown[];
  for (const [index, merge] of list.entries()) {
    const parts: unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    if (typeof merge === typeof list[0] && parts.length === 2 && parts.every((part) => typeof part === "string")) continue;
    refuseAt(at(position, index), merge, "two tokens, in the form of the first merge");
  }
};

const piece: Shape = (value, position) => {
  const [token, score, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof token !== "string" || more.length > 0) refuseAt(position, value, "a token and its score");
  number(score, position);
};

const pieces: Shape = (value, position) => {
  if (Array.isArray(value) && value.length === 0) refuseAt(position, value, "a list of tokens and scores");
  listOf(piece)(value, position);
};

const models = {
  BPE: {
    vocab: vocabulary,
    merges,
    "dropout?": orNull(number),
    "unk_token?": orNull(text),
    "continuing_subword_prefix?": orNull(text),
    "continuing_subword_suffix?": orNull(text),
    "end_of_word_suffix?": orNull(text),
    "fuse_unk?": flag,
    "byte_fallback?": flag,
    "ignore_merges?": flag,
  },
  Unigram: { vocab: pieces, "unk_id?": orNull(whole()), "byte_fallback?": flag, "fuse_unk?": flag },
} satisfies Readonly<Record<string, Fields>>;

/** Old files name no type; the library then infers it from the vocabulary and the keys that are there. */
const model: Shape = (value, position) => {
  if (!isObject(value) || value["type"] !== undefined) return typed(models)(value, position);
  const isUnigram = Array.isArray(value["vocab"]);
  const isBpe = ["continuing_subword_prefix", "unk_token", "merges"].every((key) => Object.hasOwn(value, key));
  if (!isUnigram && !isBpe) refuseAt(at(position, "type"), undefined, "BPE or Unigram");
  fieldsOf(isUnigram ? models.Unigram : models.BPE)(value, position);
};

const addedToken = fieldsOf({
  id: whole(),
  content: text,
  "single_word?": flag,
  "lstrip?": flag,
  "rstrip?": flag,
  "normalized?": flag,
  "special?": flag,
});

const tokenizer = fieldsOf({
  added_tokens: listOf(addedToken),
  normalizer: orNull(normalizer),
  pre_tokenizer: orNull(preTokenizer),
  post_processor: orNull(postProcessor),
  decoder: orNull(decoder),
  model,
});

const config = fieldsOf({
  "additional_special_tokens?": orNull(listOf(() => undefined)),
  "remove_space?": flag,
  "do_lowercase_and_remove_accent?": flag,
});

const startOf = (file: string): JsonPosition => ({ file, path: "", depth: 0 });

/**
 * Refuses a tokenizer.json whose parts do not have the types that the library relies on.
 *
 * @param file for messages
 * @throws {BadDataError} with the path of the key, what is there and what is expected
 */
export function requireTokenizerShape(json: JsonObject, file: string): void {
  tokenizer(json, startOf(file));
  requireVocabulary(json, file);
}

/** The same for the few keys of a tokenizer_config.json that change tokens. @throws {BadDataError} */
export const requireTokenizerConfig = (json: JsonObject, file: string): void => config(json, startOf(file));
