import { BadDataError, isObject } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";

/** The parts that name tokens, after their types were checked. */
interface TokenizerParts {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  readonly post_processor: PostProcessor | null;
  readonly model: {
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly unk_id?: number | null;
    readonly continuing_subword_prefix?: string | null;
  };
}

interface PostProcessor {
  readonly single?: readonly { readonly SpecialToken?: { readonly id: string } }[];
  readonly special_tokens?: Readonly<Record<string, { readonly tokens: readonly string[]; readonly ids: readonly number[] }>>;
  readonly sep?: readonly [string, number];
  readonly cls?: readonly [string, number];
  readonly processors?: readonly PostProcessor[];
}

/** The two tokens that a merge joins, in either of its forms: "a b" or ["a", "b"]. */
export function pairOf(merge: string | readonly [string, string]): readonly [left: string, right: string] {
  if (typeof merge !== "string") return merge;
  const space = merge.indexOf(" ");
  return [merge.slice(0, space), merge.slice(space + 1)];
}

/** What a post-processor puts around a text: tokens, with their ids where it states them, null where one is missing. */
function* putTokens(
  processor: PostProcessor,
  path: string,
): Generator<readonly [path: string, token: string, id?: number | null]> {
  for (const [index, { SpecialToken }] of (processor.single ?? []).entries()) {
    if (SpecialToken !== undefined) yield [`${path}.single[${index}].SpecialToken.id`, SpecialToken.id];
  }
  for (const [name, { tokens, ids }] of Object.entries(processor.special_tokens ?? {})) {
    for (const [index, token] of tokens.entries())
      yield [`${path}.special_tokens.${name}.ids[${index}]`, token, ids[index] ?? null];
  }
  for (const key of ["sep", "cls"] as const) {
    const pair = processor[key];
    if (pair !== undefined) yield [`${path}.${key}`, ...pair];
  }
  for (const [index, inner] of (processor.processors ?? []).entries()) yield* putTokens(inner, `${path}.processors[${index}]`);
}

/**
 * Refuses ids that two tokens share, and named tokens that the vocabulary does not have.
 *
 * @param json with every part of the right type
 * @throws {BadDataError} with the path of the key
 */
export function requireVocabulary(json: JsonObject, file: string): void {
  const { added_tokens: added, post_processor: processor, model } = json as unknown as TokenizerParts;
  const refuse = (path: string, fault: string): never => {
    throw new BadDataError(`${file}: ${path} ${fault}; take the file from the model's source again`, { file, path });
  };
  const ids = new Map<string, number>();
  /** Id → token; ids are whole numbers, most of them without gaps. */
  const owners: string[] = [];
  /** @param path with * for the token: to join them for every token would take longer than the check */
  const own = (path: string, token: string, id: number): void => {
    const owner = owners[id];
    if (owner !== undefined && owner !== token)
      refuse(
        path.replace("*", () => token),
        `is ${id}, which is also the id of ${JSON.stringify(owner)}`,
      );
    owners[id] = token;
    ids.set(token, id);
  };
  if (isObject(model.vocab)) for (const [token, id] of Object.entries(model.vocab)) own("model.vocab.*", token, id);
  else for (const [id, [token]] of model.vocab.entries()) own("model.vocab", token, id);
  if (!model.continuing_subword_prefix) {
    for (const [index, merge] of (model.merges ?? []).entries()) {
      const [left, right] = pairOf(merge);
      if (ids.has(left) && ids.has(right) && ids.has(left + right)) continue;
      const missing = [left, right, left + right].find((token) => !ids.has(token));
      if (missing !== undefined)
        refuse(`model.merges[${index}]`, `needs the token ${JSON.stringify(missing)}, which model.vocab does not have`);
    }
  }
  const { unk_id: unknown } = model;
  if (typeof unknown === "number" && owners[unknown] === undefined) refuse("model.unk_id", `is ${unknown}, the id of no token`);
  for (const [index, { id, content }] of added.entries()) {
    const known = ids.get(content);
    const path = `added_tokens[${index}].id`;
    if (known !== undefined && known !== id) refuse(path, `is ${id}, where ${JSON.stringify(content)} has the id ${known}`);
    own(path, content, id);
  }
  for (const [path, token, id] of processor === null ? [] : putTokens(processor, "post_processor")) {
    const known = ids.get(token);
    if (known === undefined) refuse(path, `names ${JSON.stringify(token)}, which is no token of it`);
    if (id !== undefined && id !== known)
      refuse(path, `is ${id ?? "missing"}, where ${JSON.stringify(token)} has the id ${known}`);
  }
}
