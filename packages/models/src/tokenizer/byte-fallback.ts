import type { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";

/** A part of the library's tokenizer; parts are functions with properties. */
const propertiesOf = (part: unknown): Readonly<Record<string, unknown>> =>
  typeof part === "function" ? (part as unknown as Readonly<Record<string, unknown>>) : {};

/** The token of a byte: "<0x0A>". */
const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** Lets decoders keep U+FEFF, which the library takes for a mark of the text's encoding. */
function keepMarks(decoder: unknown): void {
  const { text_decoder: own, decoders } = propertiesOf(decoder);
  if (own instanceof TextDecoder)
    Object.assign(decoder as object, { text_decoder: new TextDecoder("utf-8", { ignoreBOM: true }) });
  if (Array.isArray(decoders)) for (const inner of decoders) keepMarks(inner);
}

/**
 * Completes the library's byte fallback: it has none for Unigram, where a text without a token becomes those of its bytes, as
 * in mT5's.
 */
export function completeByteFallback({ model, decoder }: HubTokenizer): void {
  keepMarks(decoder);
  const { type, byte_fallback: falls }: { readonly type?: string; readonly byte_fallback?: boolean } = model.config;
  if (type !== "Unigram" || falls !== true) return;
  const { encode, tokens_to_ids: ids } = model;
  const bytesOf = (token: string): readonly string[] => {
    const bytes = Array.from(Buffer.from(token), byteToken);
    return bytes.every((byte) => ids.has(byte)) ? bytes : [token];
  };
  model.encode = (words: string[]) =>
    encode.call(model, words).flatMap((token: string) => (ids.has(token) ? [token] : bytesOf(token)));
}
