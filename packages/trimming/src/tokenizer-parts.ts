import { FailedPreconditionError, isObject } from "@mbs/contracts";
import type { JsonObject } from "@mbs/models";
import { findTokenKind, tokenIds } from "@mbs/models";

/** Merges of a tokenizer.json, in either of their forms. */
export type Merges = readonly (string | readonly [string, string])[];

/** Its pieces with their scores; the index is the id. */
export type Pieces = readonly (readonly [piece: string, score: number])[];

/** What a tokenizer.json says of its tokens, as far as the choice of tokens depends on it. */
export type TokenizerParts = CommonParts & (BpeParts | UnigramParts);

interface CommonParts {
  /** Every token with its id, added tokens among them. */
  readonly ids: ReadonlyMap<string, number>;
  /** Ids of the added tokens, special ones and others. */
  readonly added: readonly number[];
  /**
   * Ids of the tokens of bytes that a character without a token is written as: 256, or fewer where some are missing; none without
   * byte fallback.
   */
  readonly bytes: readonly number[];
}

interface BpeParts {
  readonly type: "BPE";
  readonly merges: Merges;
  /** The token of what is not in the vocabulary; undefined where there is none. */
  readonly unknown: number | undefined;
}

interface UnigramParts {
  readonly type: "Unigram";
  readonly pieces: Pieces;
  readonly unknown: number | undefined;
}

/** The token of a byte: "<0x0A>". */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** The 256 tokens of bytes. */
const byteTokens: readonly string[] = Array.from({ length: 256 }, (_, byte) => byteToken(byte));

const optionalId = (id: unknown): number | undefined => (typeof id === "number" ? id : undefined);

/**
 * The parts of a tokenizer.json that `makeTokenizer` has taken.
 *
 * @param file for messages
 * @throws {FailedPreconditionError} where it marks the beginnings or ends of words in its tokens, as WordPiece does, or is of no known kind
 */
export function readTokenizerParts(json: JsonObject, file: string): TokenizerParts {
  const model = json["model"] as JsonObject;
  const marks = ["continuing_subword_prefix", "continuing_subword_suffix", "end_of_word_suffix"].filter((key) => model[key]);
  if (findTokenKind(json) === undefined || marks.length > 0) {
    throw new FailedPreconditionError(
      `${file} cannot be trimmed${marks.length > 0 ? `: it has ${marks.join(", ")}` : ""}; byte-level BPE can be, and BPE or Unigram with "▁" for spaces`,
      { file },
    );
  }
  const ids = tokenIds(json);
  const { vocab, byte_fallback: fallback } = model;
  const common = {
    ids,
    added: (json["added_tokens"] as readonly { readonly id: number }[]).map(({ id }) => id),
    bytes: fallback === true ? byteTokens.flatMap((token) => ids.get(token) ?? []) : [],
  };
  if (isObject(vocab)) {
    const { unk_token: unknown } = model;
    return {
      ...common,
      type: "BPE",
      merges: model["merges"] as Merges,
      unknown: typeof unknown === "string" ? ids.get(unknown) : undefined,
    };
  }
  return { ...common, type: "Unigram", pieces: vocab as Pieces, unknown: optionalId(model["unk_id"]) };
}
