import type { JsonObject } from "../../folder/json-file.ts";
import type { TokenizerBody } from "../sentencepiece/pieces.ts";
import { wholeTokenizer } from "../whole-tokenizer.ts";
import type { NamedToken } from "../whole-tokenizer.ts";
import type { SpecialTokens, TokenFiles } from "./special-tokens.ts";
import type { TokenizerClass, TokenKey } from "./tokenizer-classes.ts";

/** A tokenizer of other files in the form of tokenizer.json. */
export interface ConvertedTokenizer {
  /** tokenizer.json */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json, which names every special token. */
  readonly config: JsonObject;
}

/** Puts the parts together: what is put around a text, and the configuration with the special tokens. */
export function convertedTokenizer(
  body: TokenizerBody,
  { config }: TokenFiles,
  { addsBos, around }: Pick<TokenizerClass, "addsBos" | "around">,
  { added, named }: Pick<SpecialTokens, "added" | "named">,
): ConvertedTokenizer {
  const token = (key: TokenKey | undefined): NamedToken | undefined => (key === undefined ? undefined : named.get(key));
  const asked = (key: "bos_token" | "eos_token", usual: boolean): NamedToken | undefined =>
    (config[`add_${key}`] ?? usual) === true ? named.get(key) : undefined;
  const first = around === undefined ? asked("bos_token", addsBos === true) : token(around.first);
  const last = around === undefined ? asked("eos_token", false) : token(around.last);
  const missing = [...named].filter(([key]) => (config[key] ?? undefined) === undefined);
  return {
    tokenizer: wholeTokenizer(body, added, first, last),
    config: { ...config, ...Object.fromEntries(missing.map(([key, { content }]) => [key, content])) },
  };
}
