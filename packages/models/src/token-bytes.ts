import type { JsonObject } from "./json-file.ts";

/** UTF-8 bytes that a token of the vocabulary stands for. */
export type TokenBytes = (token: string) => number;

/** What SentencePiece writes for a space. */
const spaceMark = "▁";

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

/**
 * How many bytes the tokens of a tokenizer.json stand for, by its decoder.
 *
 * @returns undefined where it is neither byte-level nor of SentencePiece's kind
 */
export function findTokenBytes(json: JsonObject): TokenBytes | undefined {
  const parts = partsOf(json["decoder"]);
  if (parts.some(({ type }) => type === "ByteLevel")) return byteLevel;
  const marksSpaces = parts.some(
    ({ type, pattern }) => type === "Metaspace" || (type === "Replace" && asObject(pattern)["String"] === spaceMark),
  );
  return marksSpaces ? sentencePiece : undefined;
}
