import { isObject } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";

/**
 * Every token of a tokenizer.json with its id, added tokens among them.
 *
 * @param json one that `makeTokenizer` has taken
 */
export function tokenIds(json: JsonObject): ReadonlyMap<string, number> {
  const { vocab } = json["model"] as {
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  };
  const added = json["added_tokens"] as readonly { readonly id: number; readonly content: string }[];
  const listed = isObject(vocab)
    ? Object.entries(vocab)
    : [...vocab.entries()].map(([id, [token]]): [string, number] => [token, id]);
  return new Map([...listed, ...added.map(({ id, content }): [string, number] => [content, id])]);
}
