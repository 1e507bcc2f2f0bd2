import { BadDataError } from "@mbs/contracts";
import { tokenType } from "../../tokenizer/sentencepiece/pieces.ts";

/** Key–value metadata of a GGUF file: arrays as lists or typed arrays, u64 as bigint or number. */
export type GgufMetadata = ReadonlyMap<string, unknown>;

/** The vocabulary of a GGUF file, checked: every list is as long as `tokens`. */
export interface GgufVocabulary {
  /** By id. No two are equal; "" is allowed, as some files have it. */
  readonly tokens: readonly string[];
  /** By id; undefined where the file has none, as byte-level BPE has none. */
  readonly scores: ArrayLike<number> | undefined;
  /** By id, one of `tokenType`; other numbers are kept, llama.cpp takes them for tokens without attributes. */
  readonly types: ArrayLike<number>;
  /** "left right", in the order of training; undefined where the file has none. */
  readonly merges: readonly string[] | undefined;
}

/** What is read of more tokens or merges than this is no model's. */
const mostTokens = 4_000_000;
const mostMerges = 16_000_000;

export const tokenizerKey = (name: string): string => `tokenizer.ggml.${name}`;

/** Names the file and the key. */
export function refuseKey(file: string, key: string, fault: string): never {
  throw new BadDataError(`${file}: ${key} ${fault}; take the file from its source again`, { file, key });
}

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : Array.isArray(value) ? "a list" : String(value).slice(0, 60);

/** A text, undefined where the key is absent. @throws {BadDataError} where it is no text */
export function findText(metadata: GgufMetadata, key: string, file: string): string | undefined {
  const value = metadata.get(key);
  if (value === undefined || typeof value === "string") return value;
  return refuseKey(file, key, `is ${shown(value)}, not a string`);
}

/** True or false, undefined where the key is absent. @throws {BadDataError} where it is neither */
export function findFlag(metadata: GgufMetadata, key: string, file: string): boolean | undefined {
  const value = metadata.get(key);
  if (value === undefined || typeof value === "boolean") return value;
  return refuseKey(file, key, `is ${shown(value)}, not true or false`);
}

/** A token's id, undefined where the key is absent. @throws {BadDataError} where no token has it */
export function findId(metadata: GgufMetadata, key: string, tokens: number, file: string): number | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  const id = typeof value === "bigint" ? Number(value) : value;
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < tokens) return id;
  return refuseKey(file, key, `is ${shown(value)}, not the id of one of ${tokens} tokens`);
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  if (ArrayBuffer.isView(value))
    return !(value instanceof DataView) && !("getBigInt64" in value) && typeof at(value) !== "bigint";
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

const at = (view: ArrayBufferView): unknown => (view as unknown as ArrayLike<unknown>)[0];

/** A list of numbers, undefined where the key is absent. @throws {BadDataError} where it is none */
export function findNumbers(metadata: GgufMetadata, key: string, file: string): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (value === undefined || isNumbers(value)) return value;
  return refuseKey(file, key, `is ${shown(value)}, not a list of numbers`);
}

function findTexts(metadata: GgufMetadata, key: string, most: number, file: string): readonly string[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) return refuseKey(file, key, `is ${shown(value)}, not a list of strings`);
  if (value.length > most) refuseKey(file, key, `has ${value.length} items, more than the ${most} that are read`);
  const wrong = value.findIndex((item) => typeof item !== "string");
  if (wrong >= 0) refuseKey(file, `${key}[${wrong}]`, `is ${shown(value[wrong])}, not a string`);
  return value as string[];
}

function requireLength(values: ArrayLike<unknown>, tokens: readonly string[], key: string, file: string): void {
  if (values.length !== tokens.length)
    refuseKey(file, key, `has ${values.length} items, where ${tokenizerKey("tokens")} has ${tokens.length}`);
}

/**
 * The vocabulary of a GGUF file's metadata.
 *
 * @throws {BadDataError} when it has no tokens, too many, or lists that contradict each other
 */
export function readVocabulary(metadata: GgufMetadata, file: string): GgufVocabulary {
  const key = tokenizerKey("tokens");
  const tokens = findTexts(metadata, key, mostTokens, file);
  if (tokens === undefined || tokens.length === 0) return refuseKey(file, key, "is missing or empty, so texts have no tokens");
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const other = ids.get(token);
    if (other !== undefined && token !== "")
      refuseKey(file, `${key}[${id}]`, `is ${shown(token)}, which is also the token ${other}`);
    ids.set(token, id);
  }
  const scores = findNumbers(metadata, tokenizerKey("scores"), file);
  if (scores !== undefined) {
    requireLength(scores, tokens, tokenizerKey("scores"), file);
    const wrong = Array.prototype.findIndex.call(scores, (score) => !Number.isFinite(score));
    if (wrong >= 0) refuseKey(file, `${tokenizerKey("scores")}[${wrong}]`, `is ${shown(scores[wrong])}, not a number`);
  }
  const types = findNumbers(metadata, tokenizerKey("token_type"), file);
  if (types !== undefined) requireLength(types, tokens, tokenizerKey("token_type"), file);
  const merges = findTexts(metadata, tokenizerKey("merges"), mostMerges, file);
  if (merges !== undefined) requireMerges(merges, ids, file);
  return { tokens, scores, types: types ?? new Uint8Array(tokens.length).fill(tokenType.normal), merges };
}

/** A merge is split at its first space, not counting one that the left token begins with (as llama.cpp does). */
export function mergedPair(merge: string): readonly [left: string, right: string] {
  const space = merge.indexOf(" ", 1);
  return space < 0 ? [merge, ""] : [merge.slice(0, space), merge.slice(space + 1)];
}

function requireMerges(merges: readonly string[], ids: ReadonlyMap<string, number>, file: string): void {
  for (const [index, merge] of merges.entries()) {
    const [left, right] = mergedPair(merge);
    const key = `${tokenizerKey("merges")}[${index}]`;
    if (left === "" || right === "") refuseKey(file, key, `is ${shown(merge)}, not two tokens with a space between`);
    const missing = [left, right, left + right].find((token) => !ids.has(token));
    if (missing !== undefined)
      refuseKey(
        file,
        key,
        `is ${shown(merge)}, which needs the token ${shown(missing)}, and ${tokenizerKey("tokens")} does not have it`,
      );
  }
}
