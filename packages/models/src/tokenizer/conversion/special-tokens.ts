import { isObject } from "@mbs/contracts";
import type { JsonObject } from "../../folder/json-file.ts";
import { at, fieldsOf, flag, listOf, mapOf, orNull, refuseAt, text, whole } from "../json-shape.ts";
import type { JsonPosition, Shape } from "../json-shape.ts";
import { addedToken } from "../whole-tokenizer.ts";
import type { AddedToken, NamedToken } from "../whole-tokenizer.ts";
import { tokenKeys } from "./tokenizer-classes.ts";
import type { TokenizerClass, TokenKey } from "./tokenizer-classes.ts";

/** The files of a model folder that name special tokens; empty where they are absent. */
export interface TokenFiles {
  readonly folder: string;
  /** tokenizer_config.json */
  readonly config: JsonObject;
  /** special_tokens_map.json */
  readonly map: JsonObject;
  /** added_tokens.json: text → id. */
  readonly added: JsonObject;
}

/** Ids of a tokenizer's own vocabulary and of what was added to it: id → text. */
export type TokenTexts = ReadonlyMap<number, string>;

/** What the files say of special tokens. */
export interface SpecialTokens {
  /** The vocabulary, with the texts that `added_tokens_decoder` gives to its ids. */
  readonly texts: TokenTexts;
  /** By id. */
  readonly added: readonly AddedToken[];
  readonly named: ReadonlyMap<TokenKey, NamedToken>;
}

const flags = { "single_word?": flag, "lstrip?": flag, "rstrip?": flag, "normalized?": flag, "special?": flag };

const tokenOrText: Shape = (value, position) => {
  if (typeof value !== "string") fieldsOf({ content: text, ...flags })(value, position);
};

const special = fieldsOf({
  ...Object.fromEntries(tokenKeys.map((key) => [`${key}?`, orNull(tokenOrText)])),
  "additional_special_tokens?": orNull(listOf(tokenOrText)),
});

const decoder: Shape = (value, position) => {
  mapOf(fieldsOf({ content: text, ...flags }))(value, position);
  for (const id of Object.keys(value as JsonObject)) whole()(/^\d+$/.test(id) ? Number(id) : id, at(position, id));
};

const startOf = (folder: string, file: string): JsonPosition => ({ file: `${folder}/${file}`, path: "", depth: 0 });

/** @throws {BadDataError} with the path of a key that is of another type than transformers'. */
function requireTokenFiles({ folder, config, map, added }: TokenFiles): void {
  const configAt = startOf(folder, "tokenizer_config.json");
  special(config, configAt);
  fieldsOf({ "added_tokens_decoder?": decoder, "add_bos_token?": orNull(flag), "add_eos_token?": orNull(flag) })(
    config,
    configAt,
  );
  special(map, startOf(folder, "special_tokens_map.json"));
  mapOf(whole())(added, startOf(folder, "added_tokens.json"));
}

/** How a token is found, as far as a file says it. */
const waysOf = (token: unknown): Partial<AddedToken> =>
  isObject(token)
    ? Object.fromEntries(
        ["single_word", "lstrip", "rstrip", "normalized", "special"].flatMap((key) =>
          typeof token[key] === "boolean" ? [[key, token[key]]] : [],
        ),
      )
    : {};

const textOf = (token: unknown): string => (isObject(token) ? String(token["content"]) : String(token));

/** Tokens with ids that the files state, by id. */
function statedTokens({ config, map, added }: TokenFiles): Map<number, AddedToken> {
  const listed = config["added_tokens_decoder"];
  if (isObject(listed)) {
    const tokens = Object.entries(listed).map(([id, token]): [number, AddedToken] => {
      const ways = waysOf(token);
      return [Number(id), { ...addedToken(Number(id), textOf(token), false), normalized: ways.special !== true, ...ways }];
    });
    return new Map(tokens);
  }
  const names = { ...config, ...map };
  const extra = names["additional_special_tokens"];
  const specials = new Set([...tokenKeys.map((key) => names[key]), ...(Array.isArray(extra) ? extra : [])].map(textOf));
  return new Map(
    Object.entries(added).map(([content, id]) => {
      const isSpecial = specials.has(content);
      return [Number(id), { ...addedToken(Number(id), content, isSpecial), normalized: !isSpecial }];
    }),
  );
}

/**
 * Special tokens as transformers reads them of a folder without tokenizer.json: those with ids that `added_tokens_decoder` or
 * added_tokens.json state; then those that are named, by tokenizer_config.json or (where that states no ids)
 * special_tokens_map.json, else by the class, which get the next ids where no token is called so.
 *
 * @param texts the tokenizer's own tokens
 * @param own those of them that are found in a text before anything else is done with it
 * @throws {BadDataError} where a file is malformed, or gives two ids to one text
 */
export function findSpecialTokens(
  files: TokenFiles,
  { names: defaults }: TokenizerClass,
  texts: TokenTexts,
  own: readonly AddedToken[],
): SpecialTokens {
  requireTokenFiles(files);
  const stated = statedTokens(files);
  const all = new Map(texts);
  for (const [id, { content }] of stated) all.set(id, content);
  const ids = new Map<string, number>();
  for (const [id, content] of all) {
    const other = ids.get(content);
    if (other !== undefined)
      refuseAt(startOf(files.folder, "tokenizer_config.json"), content, `a token of one id: it has ${other} and ${id}`);
    ids.set(content, id);
  }
  const added = new Map(own.map((token) => [token.id, { ...token, content: all.get(token.id) ?? token.content }]));
  for (const [id, token] of stated) added.set(id, { ...token, special: token.special || added.get(id)?.special === true });
  const settings = isObject(files.config["added_tokens_decoder"]) ? files.config : { ...files.config, ...files.map };
  let next = 0;
  for (const id of all.keys()) next = Math.max(next, id + 1);
  const addSpecial = (token: unknown): NamedToken => {
    const content = textOf(token);
    const id = ids.get(content) ?? next++;
    ids.set(content, id);
    const known = added.get(id) ?? addedToken(id, content, true);
    added.set(id, { ...known, ...(stated.has(id) ? {} : waysOf(token)), special: true });
    return { id, content };
  };
  const named = new Map<TokenKey, NamedToken>();
  for (const key of tokenKeys) {
    const given = settings[key];
    const usual = defaults[key];
    if (given !== undefined && given !== null) named.set(key, addSpecial(given));
    else if (given === undefined && usual !== undefined && ids.has(usual)) named.set(key, addSpecial(usual));
  }
  const more = settings["additional_special_tokens"];
  for (const token of Array.isArray(more) ? more : []) addSpecial(token);
  return {
    texts: new Map([...texts.keys()].map((id) => [id, all.get(id) ?? ""])),
    added: [...added.values()].sort((a, b) => a.id - b.id),
    named,
  };
}
