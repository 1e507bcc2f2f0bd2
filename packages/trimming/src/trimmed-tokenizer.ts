import { isObject } from "@mbs/contracts";
import { pairOf } from "@mbs/models";
import type { JsonObject } from "@mbs/models";
import { renumbered } from "./renumbered-json.ts";
import type { NewId } from "./renumbered-json.ts";
import type { Merges, Pieces } from "./tokenizer-parts.ts";

/** Ids of tokens that a post-processor puts around texts. */
export function processorIds(processor: unknown): number[] {
  if (!isObject(processor)) return [];
  const { sep, cls, processors, special_tokens: special } = processor;
  const inner: readonly unknown[] = Array.isArray(processors) ? processors : [];
  const tokens = isObject(special) ? Object.values(special) : [];
  const stated = tokens.flatMap((token): unknown => (isObject(token) ? token["ids"] : []));
  const ids = [sep, cls].flat().concat(stated);
  return [...ids.filter((id): id is number => typeof id === "number"), ...inner.flatMap(processorIds)];
}

/** A post-processor whose tokens have new ids. */
function trimmedProcessor(processor: unknown, newId: NewId): unknown {
  const where = "tokenizer.json: post_processor";
  if (!isObject(processor)) return processor;
  const { sep, cls, processors, special_tokens: special } = processor;
  const withIds = (token: unknown): unknown =>
    isObject(token) ? { ...token, ids: renumbered(token["ids"], newId, where) } : token;
  return {
    ...processor,
    ...(sep !== undefined && { sep: renumbered(sep, newId, where) }),
    ...(cls !== undefined && { cls: renumbered(cls, newId, where) }),
    ...(isObject(special) && {
      special_tokens: Object.fromEntries(Object.entries(special).map(([name, token]) => [name, withIds(token)])),
    }),
    ...(Array.isArray(processors) && { processors: processors.map((inner) => trimmedProcessor(inner, newId)) }),
  };
}

/** Vocabulary, merges and the unknown token of a tokenizer's model. */
function trimmedModel(model: JsonObject, newId: NewId): JsonObject {
  const { vocab, unk_id: unknown } = model;
  if (!isObject(vocab)) {
    const pieces = (vocab as Pieces).filter((_, id) => newId(id) !== undefined);
    return { ...model, vocab: pieces, ...(typeof unknown === "number" && { unk_id: newId(unknown) }) };
  }
  const entries = Object.entries(vocab as Readonly<Record<string, number>>).flatMap(([token, id]) => {
    const own = newId(id);
    return own === undefined ? [] : [[token, own] as const];
  });
  const tokens = new Set(entries.map(([token]) => token));
  const isKept = (merge: Merges[number]): boolean => {
    const [left, right] = pairOf(merge);
    return tokens.has(left) && tokens.has(right) && tokens.has(`${left}${right}`);
  };
  // Object.fromEntries defines own properties, so that a token such as "__proto__" stays one
  return { ...model, vocab: Object.fromEntries(entries), merges: (model["merges"] as Merges).filter(isKept) };
}

/**
 * A tokenizer.json with some of its tokens under new ids: vocabulary, merges, added tokens, what is put around texts, padding.
 * How it normalises, splits and decodes stays.
 *
 * @param json one that `makeTokenizer` has taken
 * @param newId ascending; added tokens have one, and those of the post-processor
 * @throws {BadDataError} where the post-processor or the padding names a token that is not there
 */
export function trimmedTokenizer(json: JsonObject, newId: NewId): JsonObject {
  const { padding } = json;
  const added = json["added_tokens"] as readonly { readonly id: number }[];
  return {
    ...json,
    ...(isObject(padding) && {
      padding: { ...padding, pad_id: renumbered(padding["pad_id"], newId, "tokenizer.json: padding") },
    }),
    added_tokens: added.map((token) => ({ ...token, id: renumbered(token.id, newId, "tokenizer.json: added_tokens") })),
    post_processor: trimmedProcessor(json["post_processor"], newId),
    model: trimmedModel(json["model"] as JsonObject, newId),
  };
}
