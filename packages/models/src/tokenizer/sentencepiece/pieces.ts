import type { JsonObject } from "../../folder/json-file.ts";

/**
 * Kinds of pieces in a vocabulary of SentencePiece (sentencepiece_model.proto, SentencePiece.Type). GGUF files have the same
 * numbers (llama.cpp, enum llama_token_type).
 */
export const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A vocabulary of SentencePiece. Lists are by id and of one length. */
export interface Pieces {
  /** No two are equal. */
  readonly tokens: readonly string[];
  /** The higher, the earlier a piece is merged (BPE), or the likelier it is: a log probability (Unigram). */
  readonly scores: ArrayLike<number>;
  /** One of `tokenType`. */
  readonly types: ArrayLike<number>;
}

/** How texts are changed before they are taken apart: SentencePiece's NormalizerSpec, and what transformers adds to it. */
export interface PieceRules {
  /** The compiled table of characters, as base64; undefined where there is none. */
  readonly charsmap: string | undefined;
  /** Whether spaces around a text are removed, and runs of them become one. */
  readonly trims: boolean;
  /**
   * Where a space is put before: every part of a text between special tokens, the first part alone (transformers'
   * `legacy: false`), or none.
   */
  readonly prefix: "always" | "first" | "never";
}

/** The parts of a tokenizer.json that depend on its kind. */
export interface TokenizerBody {
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  readonly decoder: unknown;
  readonly model: JsonObject;
}

/** A normalizer or decoder that replaces. */
export const replacing = (pattern: JsonObject, content: string): JsonObject => ({ type: "Replace", pattern, content });

/** Normalizers that apply the table of characters and remove spaces. */
export const cleaningNormalizers = ({ charsmap, trims }: PieceRules): readonly JsonObject[] => [
  ...(charsmap === undefined ? [] : [{ type: "Precompiled", precompiled_charsmap: charsmap }]),
  ...(trims ? [replacing({ Regex: String.raw`\A +| +\z` }, ""), replacing({ Regex: " {2,}" }, " ")] : []),
];
