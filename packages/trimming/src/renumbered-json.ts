import { BadDataError, isObject } from "@mbs/contracts";
import { editedJson } from "@mbs/models";
import type { JsonObject } from "@mbs/models";

/** Keys of configurations whose values are ids of tokens: "bos_token_id", "image_token_index". */
const isIdKey = (key: string): boolean => /(?:^|_)token_(?:ids?|index)$/.test(key);

/** Keys with lists of tokens that are not to be generated: those that are gone need not be named. */
const suppressed: ReadonlySet<string> = new Set(["bad_words_ids", "suppress_tokens", "begin_suppress_tokens"]);

/** A text file of a model with what it holds. */
export interface ReadJson {
  /** For messages. */
  readonly file: string;
  readonly text: string;
  readonly json: JsonObject;
}

/** The new id of a token; undefined of one that goes. */
export type NewId = (id: number) => number | undefined;

/**
 * Ids in a value with their new ids, in lists too; what is no id of a token (-1, null) stays.
 *
 * @param where file and key of the value, for the message
 * @throws {BadDataError} for an id without a new one, which would stand for another token
 */
export function renumbered(value: unknown, newId: NewId, where: string): unknown {
  if (Array.isArray(value)) return value.map((one) => renumbered(one, newId, where));
  if (typeof value !== "number" || value < 0) return value;
  const own = newId(value);
  if (own !== undefined) return own;
  throw new BadDataError(
    `${where} names token ${value}, which has no row in the embedding and is not in tokenizer.json; correct the id, or remove it`,
    { token: value },
  );
}

/** Tokens with new ids, by their texts; those that neither the model nor tokenizer.json has are left out. */
export const renumberedTokens = (json: JsonObject, newId: NewId): JsonObject =>
  Object.fromEntries(
    Object.entries(json).flatMap(([token, id]) => {
      const own = typeof id === "number" ? newId(id) : undefined;
      return own === undefined ? [] : [[token, own]];
    }),
  );

/** The same by their ids, as in `added_tokens_decoder`. */
const renumberedKeys = (json: JsonObject, newId: NewId): JsonObject =>
  Object.fromEntries(
    Object.entries(json).flatMap(([id, token]) => {
      const own = newId(Number(id));
      return own === undefined ? [] : [[String(own), token]];
    }),
  );

/** A section of a configuration, empty where there is none of that name; the whole where none is named. */
export function sectionOf(json: JsonObject, section: string | undefined): JsonObject {
  const found = section === undefined ? json : json[section];
  return isObject(found) ? found : {};
}

const idsIn = (value: unknown): number[] => [value].flat().filter((id): id is number => Number.isInteger(id));

/** Ids of tokens that a configuration names: one, or a list of them, at each of its keys of ids; and those of `added_tokens_decoder`. */
export const namedIds = (json: JsonObject): number[] =>
  Object.entries(json).flatMap(([key, value]) => {
    if (key === "added_tokens_decoder" && isObject(value)) return idsIn(Object.keys(value).map(Number));
    return isIdKey(key) ? idsIn(value) : [];
  });

/** Ids of the tokens of added_tokens.json. */
export const addedIds = (json: JsonObject): number[] => idsIn(Object.values(json));

/** Tokens that a tokenizer's configuration names by their texts: "bos_token", each as it is or as an object with it. */
export const namedTexts = (json: JsonObject): string[] =>
  Object.entries(json)
    .filter(([key]) => /_tokens?$/.test(key))
    .flatMap(([, value]) => [value].flat())
    .map((token) => (isObject(token) ? token["content"] : token))
    .filter((token) => typeof token === "string");

/** Whether all tokens of a word, or the one, are still there. */
const isLeft = (word: unknown, newId: NewId): boolean => idsIn(word).every((id) => newId(id) !== undefined);

/**
 * A configuration with new ids of tokens at the keys of its top level, or of one of its sections; everything else stays as it was
 * written.
 *
 * @param read config.json, generation_config.json or another
 * @param newId of tokens of the source; ids that are none of them (-1) stay
 * @param more other keys that are set
 * @throws {BadDataError} where a key names a token that is not there
 */
export function renumberedJson(
  { file, text, json: whole }: ReadJson,
  newId: NewId,
  more: JsonObject = {},
  section?: string,
): string {
  const json = sectionOf(whole, section);
  const { added_tokens_decoder: added } = json;
  const changes = Object.entries(json).flatMap(([key, value]) => {
    if (isIdKey(key)) return [[key, renumbered(value, newId, `${file}: ${key}`)] as const];
    if (!suppressed.has(key) || !Array.isArray(value)) return [];
    const left = value.filter((word) => isLeft(word, newId));
    return [[key, renumbered(left, newId, `${file}: ${key}`)] as const];
  });
  // only what changes is written again
  const isChanged = ([key, value]: readonly [string, unknown]): boolean => JSON.stringify(value) !== JSON.stringify(json[key]);
  const edits = {
    ...Object.fromEntries(changes.filter(isChanged)),
    ...(isObject(added) && { added_tokens_decoder: renumberedKeys(added, newId) }),
    ...more,
  };
  return editedJson(text, edits, section);
}
