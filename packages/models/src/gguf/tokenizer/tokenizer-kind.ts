import type { JsonObject } from "../../folder/json-file.ts";
import { tokenType } from "../../tokenizer/sentencepiece/pieces.ts";
import type { TokenizerBody } from "../../tokenizer/sentencepiece/pieces.ts";
import type { GgufMetadata, GgufVocabulary } from "./tokenizer-metadata.ts";

/** What one kind of tokenizer says. */
export interface KindParts extends TokenizerBody {
  /** The vocabulary, with the spelling of a tokenizer.json. */
  readonly vocabulary: GgufVocabulary;
  /** Whether the first and last tokens are put around a text where the file does not say: as llama.cpp does. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /** Ids where the file does not name them: as llama.cpp does. */
  readonly ids: { readonly bos?: number; readonly eos?: number; readonly unk?: number; readonly pad?: number };
}

/** Reads one kind of tokenizer. @param architecture `general.architecture` */
export type TokenizerKind = (
  vocabulary: GgufVocabulary,
  metadata: GgufMetadata,
  file: string,
  architecture: string | undefined,
) => KindParts;

/** Names that conversions give to rows of the embedding that belong to no token. */
const placeholder = /^\[PAD\d+\]$/;

/** Whether a row of the embedding belongs to no token. */
export const isPlaceholder = ({ tokens, types }: GgufVocabulary, id: number): boolean =>
  tokens[id] === "" || (types[id] === tokenType.unused && placeholder.test(tokens[id] ?? ""));

/** Tokens with their ids, as `model.vocab` of BPE, without the rows that belong to none. */
export const idsOf = (vocabulary: GgufVocabulary): JsonObject =>
  Object.fromEntries(
    [...vocabulary.tokens.entries()].flatMap(([id, token]) => (isPlaceholder(vocabulary, id) ? [] : [[token, id]])),
  );

/** The id of the only token of a type, undefined where there is none or several. */
export function findType({ tokens, types }: GgufVocabulary, type: number): number | undefined {
  const ids = [...tokens.keys()].filter((id) => types[id] === type);
  return ids.length === 1 ? ids[0] : undefined;
}
