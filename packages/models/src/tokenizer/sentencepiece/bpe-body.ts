import type { JsonObject } from "../../folder/json-file.ts";
import { spaceMark } from "../token-bytes.ts";
import { cleaningNormalizers, replacing } from "./pieces.ts";
import type { PieceRules, TokenizerBody } from "./pieces.ts";

/** BPE of SentencePiece. */
export interface BpePieces {
  /** Every token with its id. */
  readonly ids: JsonObject;
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** The token of what has none. */
  readonly unknown: string | null;
  /** Whether a character without a token is written as its bytes. */
  readonly hasBytes: boolean;
}

/** Decoders of tokens in which marks stand for spaces, and which may be bytes. */
export const pieceDecoder = (isPrefixed: boolean): JsonObject => ({
  type: "Sequence",
  decoders: [
    replacing({ String: spaceMark }, " "),
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(isPrefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ],
});

/** What a tokenizer.json says of BPE of SentencePiece. */
export function bpeBody({ ids, merges, unknown, hasBytes }: BpePieces, rules: PieceRules): TokenizerBody {
  // "Prepend" puts a mark before nothing too, which is what trimming leaves of spaces; "Metaspace" none before a space
  const prepends = rules.prefix === "always" && !rules.trims;
  const normalizers = [
    ...cleaningNormalizers(rules),
    ...(prepends ? [{ type: "Prepend", prepend: spaceMark }] : []),
    replacing({ String: " " }, spaceMark),
  ];
  return {
    normalizer: normalizers.length === 1 ? normalizers[0] : { type: "Sequence", normalizers },
    preTokenizer:
      prepends || rules.prefix === "never"
        ? null
        : { type: "Metaspace", replacement: spaceMark, prepend_scheme: rules.prefix, split: false },
    decoder: pieceDecoder(rules.prefix !== "never"),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: hasBytes,
      ignore_merges: false,
      vocab: ids,
      merges,
    },
  };
}
