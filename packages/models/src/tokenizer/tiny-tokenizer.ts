const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;

/** The characters of byte-level BPE: printable bytes stand for themselves, the others for U+0100 and on. */
export function byteCharacters(): string[] {
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : other++));
}

const specialTokens = ["<unk>", "<s>", "</s>", "<pad>"];

/** Number of entries of the tiny tokenizer: special tokens and bytes. */
export const tinyVocabulary = specialTokens.length + 256;

/** A tokenizer.json without merges: the special tokens 0 to 3, then one token a byte, id 4 + byte. */
export function tinyTokenizer(): object {
  const vocab = Object.fromEntries([...specialTokens, ...byteCharacters()].map((token, id) => [token, id]));
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({ id, content, ...special })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: false },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
  };
}
