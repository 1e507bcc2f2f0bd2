import { tokenType } from "../../tokenizer/sentencepiece/pieces.ts";
import { unigramBody } from "../../tokenizer/sentencepiece/unigram-body.ts";
import { findType, isPlaceholder } from "./tokenizer-kind.ts";
import type { TokenizerKind } from "./tokenizer-kind.ts";
import { findFlag, findId, findNumbers, refuseKey, tokenizerKey } from "./tokenizer-metadata.ts";
import type { GgufMetadata, GgufVocabulary } from "./tokenizer-metadata.ts";

/**
 * T5's checkpoints have more rows than tokens, and its tokenizer adds its sentinels in the first of them, the last sentinel
 * first (transformers, T5Tokenizer: `extra_ids` is 100). Conversions from SentencePiece's model leave them out.
 */
const t5Sentinels = 100;

function withSentinels(vocabulary: GgufVocabulary): GgufVocabulary {
  const tokens = [...vocabulary.tokens];
  const types = Array.from(vocabulary.types);
  const first = tokens.findIndex((_, id) => isPlaceholder(vocabulary, id));
  const isFree = first >= 0 && first + t5Sentinels <= tokens.length && !tokens.some((token) => token.includes("<extra_id_"));
  if (!isFree) return vocabulary;
  for (let index = 0; index < t5Sentinels; index++) {
    tokens[first + index] = `<extra_id_${t5Sentinels - 1 - index}>`;
    types[first + index] = tokenType.control;
  }
  return { ...vocabulary, tokens, types };
}

/** The kind "t5": Unigram of SentencePiece, as T5 and XGLM have it. */
export const unigram: TokenizerKind = (read, metadata, file, architecture) => {
  const vocabulary = architecture === "t5" || architecture === "t5encoder" ? withSentinels(read) : read;
  const { tokens, scores, types } = vocabulary;
  if (scores === undefined) return refuseKey(file, tokenizerKey("scores"), "is missing, which Unigram needs");
  const unknown = findId(metadata, tokenizerKey("unknown_token_id"), tokens.length, file);
  const unk = unknown ?? findType(vocabulary, tokenType.unknown) ?? 2;
  if (unk >= tokens.length)
    return refuseKey(file, tokenizerKey("unknown_token_id"), "is missing, and no token is the unknown one");
  const lowest = tokens.reduce(
    (least, _, id) => (types[id] === tokenType.normal ? Math.min(least, scores[id] ?? Number.NaN) : least),
    0,
  );
  const last = tokens.findLastIndex((_, id) => !isPlaceholder(vocabulary, id));
  const vocab = tokens.slice(0, last + 1).map((token, id): [string, number] => {
    // the score of tokens that stand for no text counts for nothing but the penalty of unknown characters
    if (isPlaceholder(vocabulary, id)) return [token === "" ? `[EMPTY_${id}]` : token, lowest];
    return [token, types[id] === tokenType.normal || types[id] === tokenType.unused ? (scores[id] ?? Number.NaN) : 0];
  });
  const charsmap = findCharsmap(metadata, file);
  const prefixed = findFlag(metadata, tokenizerKey("add_space_prefix"), file) ?? true;
  const trims = findFlag(metadata, tokenizerKey("remove_extra_whitespaces"), file) ?? false;
  const hasBytes = tokens.some((_, id) => types[id] === tokenType.byte);
  return {
    vocabulary,
    ...unigramBody({ vocab, unknown: unk, hasBytes }, { charsmap, trims, prefix: prefixed ? "always" : "never" }),
    addsBos: false,
    addsEos: true,
    ids: { eos: 1, unk, pad: 0 },
  };
};

/** SentencePiece's compiled table of characters, as base64. */
function findCharsmap(metadata: GgufMetadata, file: string): string | undefined {
  const key = tokenizerKey("precompiled_charsmap");
  const values = findNumbers(metadata, key, file);
  if (values === undefined || values.length === 0) return undefined;
  // int8 or uint8, as the writer had it
  const bytes = Buffer.from(Array.from(values, (value) => value & 0xff));
  const trie = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (trie < 0 || trie % 4 !== 0 || trie + 4 >= bytes.length)
    refuseKey(file, key, `has ${bytes.length} bytes, which its own length of ${trie} does not fit`);
  return bytes.toString("base64");
}
