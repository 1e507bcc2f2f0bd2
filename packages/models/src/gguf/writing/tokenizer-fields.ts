import { BadDataError, FailedPreconditionError, isObject } from "@mbs/contracts";
import type { GgufField } from "@mbs/gguf";
import type { JsonObject } from "../../folder/json-file.ts";
import { spaceMark } from "../../tokenizer/token-bytes.ts";
import { mergesOfScores } from "../../tokenizer/sentencepiece/merges-of-scores.ts";
import { tokenType } from "../../tokenizer/sentencepiece/pieces.ts";
import { pairOf } from "../../tokenizer/tokenizer-vocabulary.ts";
import { findByteLevelName, preTokenizerNames } from "../tokenizer/pre-tokenizers.ts";
import { tokenizerKey } from "../tokenizer/tokenizer-metadata.ts";

/** What a model's files say of its tokenizer. */
export interface TokenizerFiles {
  /** Path of the model, for messages. */
  readonly path: string;
  /** tokenizer.json */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json; empty where there is none. */
  readonly config: JsonObject;
  /** The chat template; undefined where there is none. */
  readonly chatTemplate: string | undefined;
  /** Ids that config.json names: `bos_token_id` and others. */
  readonly settings: JsonObject;
  /** Rows of the embedding. */
  readonly rows: number;
}

const objects = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
const part = (value: unknown): JsonObject => (isObject(value) ? value : {});

/** The parts of a sequence of `type`, or of what stands alone. */
const partsOf = (value: unknown, list: string): readonly JsonObject[] => {
  const own = part(value);
  return own["type"] === "Sequence" ? objects(own[list]) : value === null || value === undefined ? [] : [own];
};

const refuse = (path: string, what: string, remedy: string): never => {
  throw new FailedPreconditionError(`${path}: tokenizer.json ${what}, which GGUF files cannot say; ${remedy}`, { path });
};
const otherFormat = "take another format, such as dense, which holds every model";

interface Token {
  readonly text: string;
  readonly type: number;
  readonly score: number;
}

/** Tokens by id: those of the vocabulary, then the added ones, which count. */
class TokenTable {
  readonly #tokens: (Token | undefined)[];
  readonly #ids = new Map<string, number>();
  readonly #rows: number;

  constructor(rows: number) {
    this.#rows = rows;
    this.#tokens = Array.from({ length: rows });
  }

  /** Tokens beyond the embedding's rows are left out: no text of the model has them. */
  put(id: number, token: Token): void {
    if (id >= this.#rows) return;
    this.#tokens[id] = token;
    this.#ids.set(token.text, id);
  }

  get(id: number): Token | undefined {
    return this.#tokens[id];
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text);
  }

  /** All rows, those that belong to no token included. */
  list(): readonly Token[] {
    return Array.from(this.#tokens, (token, id) => token ?? { text: `[PAD${id}]`, type: tokenType.unused, score: 0 });
  }
}

const byteToken = /^<0x[0-9A-F]{2}>$/;

function putAdded(table: TokenTable, tokenizer: JsonObject, unknown: string | undefined, marksSpaces: boolean): void {
  for (const { id, content, special } of objects(tokenizer["added_tokens"])) {
    if (typeof id !== "number" || typeof content !== "string") continue;
    const type = special !== true ? tokenType.userDefined : content === unknown ? tokenType.unknown : tokenType.control;
    // llama.cpp looks for them in texts whose spaces are not marked
    const text = marksSpaces && special !== true ? content.replaceAll(spaceMark, " ") : content;
    table.put(id, { text, type, score: 0 });
  }
}

interface Kind {
  readonly name: string;
  readonly pre: string;
  readonly table: TokenTable;
  readonly scored: boolean;
  readonly unknown: number | undefined;
  readonly fields: ReadonlyMap<string, GgufField>;
}

const pairsOf = (merges: unknown): readonly (readonly [string, string])[] =>
  (Array.isArray(merges) ? (merges as readonly (string | readonly [string, string])[]) : []).map(pairOf);

function byteLevel({ tokenizer, rows }: TokenizerFiles, model: JsonObject, pre: string): Kind {
  const { vocab, merges } = model;
  const table = new TokenTable(rows);
  for (const [text, id] of Object.entries(part(vocab))) {
    if (typeof id === "number") table.put(id, { text, type: tokenType.normal, score: 0 });
  }
  putAdded(table, tokenizer, undefined, false);
  const value = pairsOf(merges).map(([left, right]) => `${left} ${right}`);
  return {
    name: "gpt2",
    pre,
    table,
    scored: false,
    unknown: undefined,
    fields: new Map([[tokenizerKey("merges"), { type: "array", of: "string", value }]]),
  };
}

/** Whether a space is put before texts. */
function prefixesSpace({ tokenizer }: TokenizerFiles): boolean {
  const normalizers = partsOf(tokenizer["normalizer"], "normalizers");
  if (normalizers.some(({ type, prepend }) => type === "Prepend" && prepend === spaceMark)) return true;
  const metaspace = partsOf(tokenizer["pre_tokenizer"], "pretokenizers").find(({ type }) => type === "Metaspace");
  if (metaspace === undefined) return false;
  return (metaspace["prepend_scheme"] ?? (metaspace["add_prefix_space"] === false ? "never" : "always")) !== "never";
}

/**
 * The scores with which SentencePiece's way of merging, the best piece first, is that of a list of merges. Pieces whose merges
 * are mixed in the list have one score: the leftmost is merged first.
 */
function scoresOf(pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, number> {
  const last = new Map(pairs.map(([left, right], index) => [left + right, index]));
  const scores = new Map<string, number>();
  let score = 0;
  let end = -1;
  for (const [index, [left, right]] of pairs.entries()) {
    if (index > end) score -= 1;
    end = Math.max(end, last.get(left + right) ?? index);
    scores.set(left + right, score);
  }
  return scores;
}

/** @throws {FailedPreconditionError} where llama.cpp, which has scores and no merges, would merge what the list does not */
function requireAllMerges(
  path: string,
  pieces: ReadonlyMap<string, number>,
  pairs: readonly (readonly [string, string])[],
): void {
  const given = new Set(pairs.map(([left, right]) => `${left} ${right}`));
  const all = mergesOfScores(pieces, (fault) => refuse(path, fault, otherFormat));
  const missing = all.filter(([left, right]) => !given.has(`${left} ${right}`)).length;
  if (missing > 0) refuse(path, `lacks ${missing} of the merges that make its tokens of two others`, otherFormat);
}

function sentencePiece(files: TokenizerFiles, model: JsonObject): Kind {
  const { path, tokenizer, rows } = files;
  const { vocab, merges, byte_fallback: hasBytes, unk_token: unknown } = model;
  const pairs = pairsOf(merges);
  const scores = scoresOf(pairs);
  const table = new TokenTable(rows);
  const pieces = new Map<string, number>();
  const unk = typeof unknown === "string" ? unknown : undefined;
  const added = new Set(objects(tokenizer["added_tokens"]).map(({ content }) => content));
  for (const [text, id] of Object.entries(part(vocab))) {
    if (typeof id !== "number") continue;
    const isByte = hasBytes === true && byteToken.test(text);
    // tokens that nothing is merged to: single characters
    const score = scores.get(text) ?? -scores.size - 1 - id;
    table.put(id, { text, type: isByte ? tokenType.byte : tokenType.normal, score });
    if (!isByte && !added.has(text)) pieces.set(text, score);
  }
  requireAllMerges(path, pieces, pairs);
  putAdded(table, tokenizer, unk, true);
  return {
    name: "llama",
    pre: "default",
    table,
    scored: true,
    unknown: unk === undefined ? undefined : table.idOf(unk),
    fields: new Map([[tokenizerKey("add_space_prefix"), { type: "bool", value: prefixesSpace(files) }]]),
  };
}

function unigram(files: TokenizerFiles, model: JsonObject): Kind {
  const { tokenizer, rows } = files;
  const { vocab, unk_id: unknown, byte_fallback: hasBytes } = model;
  const table = new TokenTable(rows);
  for (const [id, entry] of (Array.isArray(vocab) ? vocab : []).entries()) {
    const [text, score] = entry as readonly [string, number];
    const isByte = hasBytes === true && byteToken.test(text);
    const type = isByte ? tokenType.byte : id === unknown ? tokenType.unknown : tokenType.normal;
    table.put(id, { text, type, score });
  }
  const unk = typeof unknown === "number" ? unknown : undefined;
  putAdded(table, tokenizer, unk === undefined ? undefined : table.get(unk)?.text, true);
  const normalizers = partsOf(tokenizer["normalizer"], "normalizers");
  // then no space is left but one between two words
  const splits = partsOf(tokenizer["pre_tokenizer"], "pretokenizers").some(({ type }) => type === "WhitespaceSplit");
  const charsmap = normalizers.find(({ type }) => type === "Precompiled")?.["precompiled_charsmap"];
  const fields = new Map<string, GgufField>([
    [tokenizerKey("add_space_prefix"), { type: "bool", value: prefixesSpace(files) }],
    [
      tokenizerKey("remove_extra_whitespaces"),
      { type: "bool", value: normalizers.some(({ type }) => type === "Replace") || splits },
    ],
  ]);
  if (typeof charsmap === "string") {
    const value = [...Buffer.from(charsmap, "base64")];
    fields.set(tokenizerKey("precompiled_charsmap"), { type: "array", of: "u8", value });
  }
  return { name: "t5", pre: "default", table, scored: true, unknown: unk, fields };
}

/** Which way of taking texts apart a tokenizer.json describes, as llama.cpp calls it. */
type Way = { readonly name: "t5" | "llama" } | { readonly name: "gpt2"; readonly pre: string };

/**
 * Looks at how texts are taken apart, not at the tokens.
 *
 * @throws {FailedPreconditionError} where llama.cpp has no such way
 */
export function findWay({ path, tokenizer }: Pick<TokenizerFiles, "path" | "tokenizer">): Way {
  const model = part(tokenizer["model"]);
  const type = model["type"] ?? (Array.isArray(model["vocab"]) ? "Unigram" : "BPE");
  if (type === "Unigram") return { name: "t5" };
  if (type !== "BPE") return refuse(path, `has a model of type ${JSON.stringify(type)}`, otherFormat);
  const { pre_tokenizer: splits, normalizer } = tokenizer;
  if (partsOf(splits, "pretokenizers").some(({ type: own }) => own === "ByteLevel")) {
    const pre = findByteLevelName(splits, normalizer, model["ignore_merges"] === true);
    const known = `known: ${preTokenizerNames.join(", ")}; ${otherFormat}`;
    return pre === undefined
      ? refuse(path, "splits texts in a way that llama.cpp has no name for", known)
      : { name: "gpt2", pre };
  }
  const changes = partsOf(normalizer, "normalizers").find(({ type: own }) => own !== "Prepend" && own !== "Replace");
  if (changes !== undefined) refuse(path, `changes texts by ${String(changes["type"])} before it takes them apart`, otherFormat);
  return { name: "llama" };
}

function readKind(files: TokenizerFiles): Kind {
  const way = findWay(files);
  const model = part(files.tokenizer["model"]);
  if (way.name === "t5") return unigram(files, model);
  return way.name === "gpt2" ? byteLevel(files, model, way.pre) : sentencePiece(files, model);
}

function special(entry: JsonObject | undefined): string | undefined {
  const { id } = part(entry?.["SpecialToken"]);
  return typeof id === "string" ? id : undefined;
}

/** The tokens that the post-processor puts around a text. */
function tokensAround(tokenizer: JsonObject): { readonly first: string | undefined; readonly last: string | undefined } {
  const template = partsOf(tokenizer["post_processor"], "processors").find(({ type }) => type === "TemplateProcessing");
  const single = objects(template?.["single"]);
  return { first: special(single[0]), last: single.length > 1 ? special(single.at(-1)) : undefined };
}

/** The special tokens that are named, and whether they are put around texts. */
function specialFields({ tokenizer, config, settings }: TokenizerFiles, kind: Kind): Map<string, GgufField> {
  const { first, last } = tokensAround(tokenizer);
  const fields = new Map<string, GgufField>();
  const named = (key: string): number | undefined => {
    const value = config[`${key}_token`];
    const text = typeof value === "string" ? value : part(value)["content"];
    const id = typeof text === "string" ? kind.table.idOf(text) : undefined;
    const other = settings[`${key}_token_id`];
    return id ?? (typeof other === "number" && kind.table.get(other) !== undefined ? other : undefined);
  };
  const bos = (first === undefined ? undefined : kind.table.idOf(first)) ?? named("bos");
  const eos = (last === undefined ? undefined : kind.table.idOf(last)) ?? named("eos");
  const ids = { bos, eos, unknown: kind.unknown ?? named("unk"), padding: named("pad") };
  for (const [key, id] of Object.entries(ids)) {
    if (id !== undefined) fields.set(tokenizerKey(`${key}_token_id`), { type: "u32", value: id });
  }
  fields.set(tokenizerKey("add_bos_token"), { type: "bool", value: first !== undefined });
  fields.set(tokenizerKey("add_eos_token"), { type: "bool", value: last !== undefined });
  return fields;
}

/**
 * The metadata of a tokenizer: the inverse of `tokenizerFromGguf`.
 *
 * @throws {FailedPreconditionError} where it does what llama.cpp's tokenizers do not
 * @throws {BadDataError} where two rows have one token
 */
export function tokenizerFields(files: TokenizerFiles): ReadonlyMap<string, GgufField> {
  const kind = readKind(files);
  const tokens = kind.table.list();
  if (new Set(tokens.map(({ text }) => text)).size !== tokens.length) {
    throw new BadDataError(`${files.path}: two tokens of tokenizer.json have one text; download the model again`, {
      path: files.path,
    });
  }
  const { chatTemplate: template } = files;
  return new Map<string, GgufField>([
    [tokenizerKey("model"), { type: "string", value: kind.name }],
    [tokenizerKey("pre"), { type: "string", value: kind.pre }],
    [tokenizerKey("tokens"), { type: "array", of: "string", value: tokens.map(({ text }) => text) }],
    ...(kind.scored
      ? [[tokenizerKey("scores"), { type: "array", of: "f32", value: tokens.map(({ score }) => score) }] as const]
      : []),
    [tokenizerKey("token_type"), { type: "array", of: "i32", value: tokens.map(({ type }) => type) }],
    ...kind.fields,
    ...specialFields(files, kind),
    ...(template === undefined ? [] : [["tokenizer.chat_template", { type: "string", value: template }] as const]),
  ]);
}
