import type { JsonObject } from "../folder/json-file.ts";
import type { TokenizerBody } from "./sentencepiece/pieces.ts";

/** A token with its id. */
export interface NamedToken {
  readonly id: number;
  readonly content: string;
}

/** A token that is found in a text before anything else is done with it. */
export interface AddedToken extends NamedToken {
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** An added token that takes nothing but its own text. */
export const addedToken = (id: number, content: string, special: boolean): AddedToken => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

/** Puts the first and the last token around a text, where there are such. */
function template(first: NamedToken | undefined, last: NamedToken | undefined): JsonObject | null {
  const around = new Map([first, last].flatMap((token) => (token === undefined ? [] : [[token.content, token.id]])));
  if (around.size === 0) return null;
  const put = (token: NamedToken | undefined, type: number): JsonObject[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token.content, type_id: type } }];
  const text = (id: string, type: number): JsonObject[] => [
    ...put(first, type),
    { Sequence: { id, type_id: type } },
    ...put(last, type),
  ];
  return {
    type: "TemplateProcessing",
    single: text("A", 0),
    pair: [...text("A", 0), ...text("B", 1)],
    special_tokens: Object.fromEntries([...around].map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }])),
  };
}

/**
 * A whole tokenizer.json.
 *
 * @param first put before every text
 * @param last put after every text
 */
export const wholeTokenizer = (
  { normalizer, preTokenizer, decoder, model }: TokenizerBody,
  added: readonly AddedToken[],
  first: NamedToken | undefined,
  last: NamedToken | undefined,
): JsonObject => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: added,
  normalizer,
  pre_tokenizer: preTokenizer,
  post_processor: template(first, last),
  decoder,
  model,
});
