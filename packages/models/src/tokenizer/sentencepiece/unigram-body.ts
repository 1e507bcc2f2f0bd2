import { spaceMark } from "../token-bytes.ts";
import { pieceDecoder } from "./bpe-body.ts";
import { cleaningNormalizers } from "./pieces.ts";
import type { PieceRules, TokenizerBody } from "./pieces.ts";

/** Unigram of SentencePiece. */
export interface UnigramPieces {
  /** Tokens with their scores, by id. */
  readonly vocab: readonly (readonly [token: string, score: number])[];
  readonly unknown: number;
  readonly hasBytes: boolean;
}

/** What a tokenizer.json says of Unigram of SentencePiece. */
export function unigramBody({ vocab, unknown, hasBytes }: UnigramPieces, rules: PieceRules): TokenizerBody {
  const normalizers = cleaningNormalizers(rules);
  const metaspace = { type: "Metaspace", replacement: spaceMark, prepend_scheme: rules.prefix, split: true };
  return {
    normalizer: normalizers.length === 0 ? null : { type: "Sequence", normalizers },
    preTokenizer: metaspace,
    decoder: hasBytes ? pieceDecoder(rules.prefix !== "never") : metaspace,
    model: { type: "Unigram", unk_id: unknown, vocab, byte_fallback: hasBytes },
  };
}
