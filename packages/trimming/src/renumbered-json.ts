import { isObject } from "@mbs/contracts";
import { editedJson } from "@mbs/models";
import type { JsonObject } from "@mbs/models";

/** Keys of configurations whose values are ids of tokens: "bos_token_id", "image_token_index". */
const isIdKey = (key: string): boolean => /(?:^|_)token_(?:ids?|index)$/.test(key);

/** Keys with lists of tokens that are not to be generated: those that are gone need not be named. */
const suppressed: ReadonlySet<string> = new Set(["bad_words_ids", "suppress_tokens", "begin_suppress_tokens"]);

/** The new id of a token; undefined of one that goes. */
export type NewId = (id: number) => number | undefined;

/** Ids in a value with their new ids, in lists too; what is no id of a token (-1, null) stays. */
export function renumbered(value: unknown, newId: NewId): unknown {
  if (Array.isArray(value)) return value.map((one) => renumbered(one, newId));
  return typeof value === "number" ? (newId(value) ?? value) : value;
}

const idsIn = (value: unknown): number[] => [value].flat().filter((id): id is number => Number.isInteger(id));

/** Ids of tokens that a configuration names: one, or a list of them, at each of its keys of ids. */
export const namedIds = (json: JsonObject): number[] =>
  Object.entries(json).flatMap(([key, value]) => (isIdKey(key) ? idsIn(value) : []));

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
 * A configuration with new ids of tokens at the keys of its top level; everything else stays as it was written.
 *
 * @param text of config.json, generation_config.json or tokenizer_config.json
 * @param json the same, parsed
 * @param newId of tokens of the source; ids that are none of them (-1) stay
 * @param more other keys that are set
 */
export function renumberedJson(text: string, json: JsonObject, newId: NewId, more: JsonObject = {}): string {
  const { added_tokens_decoder: added } = json;
  const changes = Object.entries(json).flatMap(([key, value]) => {
    if (isIdKey(key)) return [[key, renumbered(value, newId)] as const];
    if (!suppressed.has(key) || !Array.isArray(value)) return [];
    const left = value.filter((word) => isLeft(word, newId));
    return [[key, renumbered(left, newId)] as const];
  });
  // only what changes is written again
  const isChanged = ([key, value]: readonly [string, unknown]): boolean => JSON.stringify(value) !== JSON.stringify(json[key]);
  return editedJson(text, {
    ...Object.fromEntries(changes.filter(isChanged)),
    ...(isObject(added) && {
      added_tokens_decoder: Object.fromEntries(
        Object.entries(added).map(([id, token]) => [String(newId(Number(id)) ?? id), token]),
      ),
    }),
    ...more,
  });
}
