import type { JsonObject } from "../folder/json-file.ts";

/** UTF-8 bytes that a token of the vocabulary stands for. */
export type TokenBytes = (token: string) => number;

/** What SentencePiece writes for a space. */
export const spaceMark = "▁";

const asObject = (value: unknown): JsonObject => (typeof value === "object" && value !== null ? (value as JsonObject) : {});

/** A decoder's parts, one by one. */
function partsOf(decoder: unknown): JsonObject[] {
  const { decoders } = asObject(decoder);
  return Array.isArray(decoders) ? decoders.flatMap(partsOf) : [asObject(decoder)];
}

/** Byte-level BPE writes every byte as one character. */
const byteLevel: TokenBytes = (token) => token.length;

const sentencePiece: TokenBytes = (token) =>
  /^<0x[0-9A-F]{2}>$/.test(token) ? 1 : Buffer.byteLength(token.replaceAll(spaceMark, " "));

/** How the tokens of a tokenizer.json are written. */
export type TokenKind = "byte-level" | "sentencepiece";

/**
 * How the tokens of a tokenizer.json are written, by its decoder.
 *
 * @returns undefined where it is neither byte-level nor of SentencePiece's kind
 */
export function findTokenKind(json: JsonObject): TokenKind | undefined {
  const parts = partsOf(json["decoder"]);
  if (parts.some(({ type }) => type === "ByteLevel")) return "byte-level";
  const marksSpaces = parts.some(
    ({ type, pattern }) => type === "Metaspace" || (type === "Replace" && asObject(pattern)["String"] === spaceMark),
  );
  return marksSpaces ? "sentencepiece" : undefined;
}

/** How many bytes a token of either kind stands for. */
export const tokenBytes: Readonly<Record<TokenKind, TokenBytes>> = { "byte-level": byteLevel, sentencepiece: sentencePiece };
