import { join } from "node:path";
import { BadDataError, FailedPreconditionError, isObject } from "@mbs/contracts";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { isMissing, readJsonFile } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { completeByteFallback } from "./byte-fallback.ts";
import { useCharacterTables } from "./character-table.ts";
import { limitPatterns } from "./pattern-limit.ts";
import { findTokenKind, tokenBytes } from "./token-bytes.ts";
import { requireTokenizerConfig, requireTokenizerShape } from "./tokenizer-shape.ts";

/** A token that stands for no text. */
export interface SpecialToken {
  readonly id: number;
  /** As texts would spell it: "<s>". */
  readonly text: string;
}

/** The tokens around a text. */
export interface TextEnds {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Text to token ids and back, as the model folder's tokenizer.json says. */
export interface Tokenizer {
  /**
   * Ids without special tokens.
   *
   * @param from where the text is from, for messages: "hi", "arc_hi document 3"
   * @throws {BadDataError} where a part of the text has no token, or a pattern of the tokenizer takes too long for it
   */
  encode(text: string, from?: string): Int32Array;
  /** The text of the ids, special tokens left out. Ids that end within a character give U+FFFD there. */
  decode(ids: ArrayLike<number>): string;
  /** The token that the tokenizer's own post-processor puts first; undefined where it adds none. */
  readonly bos: number | undefined;
  /** All that it puts around a text. */
  readonly ends: TextEnds;
  /**
   * What stands before a text that has nothing before it, where a program asks for a token there: `bos_token` of
   * tokenizer_config.json, else `eos_token`, else `bos`; undefined where it names none of them. Most tokenizers of GPT's kind
   * name a beginning and do not add it to texts.
   */
  readonly prefix: SpecialToken | undefined;
  /** `eos_token` of tokenizer_config.json: what ends a generated text. */
  readonly eos: SpecialToken | undefined;
  /** The tokens that replace spans cut out of a text, "<extra_id_0>" first; none in most tokenizers. */
  readonly sentinels: readonly number[];
  /** Language → the token that says a text is in it, of tokenizers of translation models: "eng_Latn", "en" of "__en__". */
  readonly languages: ReadonlyMap<string, number>;
  /**
   * UTF-8 bytes that the tokens stand for, partial characters counted by their bytes; special tokens have none. The space
   * that SentencePiece puts before a text counts as one.
   */
  byteLength(ids: ArrayLike<number>): number;
}

const configLimit = 10_000_000;
/** Largest tokenizer.json that is read, in bytes. */
export const tokenizerLimit = 200_000_000;

async function readTokenizerConfig(folder: string): Promise<JsonObject> {
  const path = join(folder, "tokenizer_config.json");
  try {
    const { value } = await readJsonFile(path, configLimit);
    requireTokenizerConfig(value, path);
    return value;
  } catch (error) {
    // it holds special tokens and clean-up options, neither of which is used
    if (error instanceof BadDataError && isMissing(error.cause)) return {};
    throw error;
  }
}

function findEnds(hub: HubTokenizer): TextEnds {
  const text = "a";
  const plain: readonly number[] = hub.encode(text, { add_special_tokens: false }).ids;
  const processed: readonly number[] = hub.encode(text).ids;
  const start = processed.findIndex((_, index) => plain.every((token, offset) => processed[index + offset] === token));
  return start < 0
    ? { before: [], after: [] }
    : { before: processed.slice(0, start), after: processed.slice(start + plain.length) };
}

/** A token that tokenizer_config.json names, by its text or as an object with it. */
function namedToken(hub: HubTokenizer, named: unknown): SpecialToken | undefined {
  const text = isObject(named) ? named["content"] : named;
  const id = typeof text === "string" ? hub.token_to_id(text) : undefined;
  return typeof text === "string" && id !== undefined ? { id, text } : undefined;
}

/** T5 adds its sentinels as tokens of their own, mT5 has them in its vocabulary, with a space before. */
function findSentinels(hub: HubTokenizer): number[] {
  const sentinels: number[] = [];
  for (;;) {
    const token = `<extra_id_${sentinels.length}>`;
    const id = hub.token_to_id(token) ?? hub.token_to_id(`▁${token}`);
    if (id === undefined) return sentinels;
    sentinels.push(id);
  }
}

/** "eng_Latn" as NLLB spells it, "en_XX" as mBART does, "__en__" as M2M-100 does. */
const languageToken = /^(?:([a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}_[A-Z]{2})|__([a-z]{2,3})__)$/;

const findLanguages = (hub: HubTokenizer): ReadonlyMap<string, number> =>
  new Map(
    [...hub.get_added_tokens_decoder()].flatMap(([id, { content }]) => {
      const [, plain, m2m] = languageToken.exec(content) ?? [];
      const name = plain ?? m2m;
      return name === undefined ? [] : [[name, id] as const];
    }),
  );

/**
 * A pre-tokenizer with its digits as a pattern: the library's "Digits" knows 0 to 9 alone, the reference every number of
 * Unicode (`char::is_numeric`), and Arabic's and Devanagari's digits are split in other places.
 */
function withAllDigits(preTokenizer: unknown): unknown {
  if (!isObject(preTokenizer)) return preTokenizer;
  const { type, individual_digits: single, pretokenizers: parts } = preTokenizer;
  if (type === "Sequence" && Array.isArray(parts)) return { ...preTokenizer, pretokenizers: parts.map(withAllDigits) };
  if (type !== "Digits") return preTokenizer;
  return { type: "Split", pattern: { Regex: single === true ? "\\p{N}" : "\\p{N}+" }, behavior: "Isolated", invert: false };
}

/** @throws {BadDataError} when it has a part that the library cannot read, or the library refuses it */
export function makeHubTokenizer(file: string, json: JsonObject, config: JsonObject): HubTokenizer {
  requireTokenizerShape(json, file);
  let hub: HubTokenizer;
  try {
    hub = new HubTokenizer({ ...json, pre_tokenizer: withAllDigits(json["pre_tokenizer"]) }, config);
  } catch (cause) {
    throw new BadDataError(
      `${file} cannot be used (${String(cause)}); take it from the model's source again`,
      { file },
      { cause },
    );
  }
  useCharacterTables(hub, file);
  completeByteFallback(hub);
  limitPatterns(hub, file);
  return hub;
}

/**
 * Makes the tokenizer of a model folder.
 *
 * @param json the parsed tokenizer.json
 * @throws {FailedPreconditionError} when it is neither byte-level BPE nor of SentencePiece's kind
 * @throws {BadDataError} when it cannot be built
 */
export const loadTokenizer = async (folder: string, json: JsonObject): Promise<Tokenizer> =>
  makeTokenizer(join(folder, "tokenizer.json"), json, await readTokenizerConfig(folder));

/** Tokenizers that are still in use, or not collected yet, by what they are made of: one of a large vocabulary takes seconds. */
const alive = new Map<string, WeakRef<Tokenizer>>();

/**
 * The tokenizer of a model folder, which all that open the folder in one process share.
 *
 * @param address of tokenizer.json
 * @param parse gives the parsed file where it is needed
 * @throws as {@link loadTokenizer}
 */
export async function sharedTokenizer(folder: string, address: string, parse: () => JsonObject): Promise<Tokenizer> {
  const config = await readTokenizerConfig(folder);
  const key = JSON.stringify([folder, address, config]);
  const known = alive.get(key)?.deref();
  if (known !== undefined) return known;
  const made = makeTokenizer(join(folder, "tokenizer.json"), parse(), config);
  alive.set(key, new WeakRef(made));
  return made;
}

/**
 * Makes a tokenizer.
 *
 * @param file for messages
 * @param json the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json
 * @throws {FailedPreconditionError} when it is neither byte-level BPE nor of SentencePiece's kind
 * @throws {BadDataError} when it cannot be built
 */
export function makeTokenizer(file: string, json: JsonObject, config: JsonObject): Tokenizer {
  const hub = makeHubTokenizer(file, json, config);
  const kind = findTokenKind(json);
  if (kind === undefined) {
    const message = `${file} is not supported; supported: byte-level BPE, and BPE or Unigram with "▁" for spaces`;
    throw new FailedPreconditionError(message, { file });
  }
  const bytesOf = tokenBytes[kind];
  const ends = findEnds(hub);
  const [bos] = ends.before;
  const eos = namedToken(hub, config["eos_token"]);
  const bosText = bos === undefined ? undefined : hub.id_to_token(bos);
  const added = hub.get_added_tokens_decoder();
  const lengths = new Map<number, number>();
  const lengthOf = (id: number): number => {
    const extra = added.get(id);
    if (extra?.special === true) return 0;
    // the decoder of SentencePiece's kinds reads space marks in added tokens too: Gemma's runs of spaces are such
    if (extra !== undefined) return kind === "sentencepiece" ? bytesOf(extra.content) : Buffer.byteLength(extra.content);
    const token = hub.id_to_token(id);
    if (token === undefined) throw new BadDataError(`${file} has no token ${id}; is it another model's?`, { file, token: id });
    return bytesOf(token);
  };
  const encode = (text: string): Int32Array => {
    const { ids } = hub.encode(text, { add_special_tokens: false });
    if (ids.every(Number.isInteger)) return Int32Array.from(ids);
    throw new BadDataError(`${file} has no token for a part of a text, and none for unknown parts; is it the model's own?`, {
      file,
    });
  };
  return {
    encode(text, from) {
      try {
        return encode(text);
      } catch (error) {
        if (from === undefined || !(error instanceof BadDataError)) throw error;
        throw new BadDataError(`${from}: ${error.message}`, { ...error.facts, text: from }, { cause: error });
      }
    },
    decode: (ids) =>
      ids.length === 0 ? "" : hub.decode(Array.from(ids), { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    bos,
    ends,
    prefix: namedToken(hub, config["bos_token"]) ?? eos ?? namedToken(hub, bosText),
    eos,
    sentinels: findSentinels(hub),
    languages: findLanguages(hub),
    byteLength(ids) {
      let sum = 0;
      for (const id of Array.from(ids)) {
        const length = lengths.get(id) ?? lengthOf(id);
        lengths.set(id, length);
        sum += length;
      }
      return sum;
    },
  };
}
