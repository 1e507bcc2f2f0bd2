/** Text to token ids and back, as the model folder's tokenizer.json says. */
export interface Tokenizer {
  /** Ids without special tokens. */
  encode(text: string): Int32Array;
  decode(ids: ArrayLike<number>): string;
  /** The token that the tokenizer's own post-processor puts first; undefined where it adds none. */
  readonly bos: number | undefined;
  /** UTF-8 bytes that the tokens stand for, partial characters counted by their bytes; special tokens have none. */
  byteLength(ids: ArrayLike<number>): number;
}
