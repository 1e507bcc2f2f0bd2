import type { JsonObject } from "../folder/json-file.ts";
import type { ByteLevelWay } from "../gguf/tokenizer/pre-tokenizers.ts";
import type { TokenizerBody } from "./sentencepiece/pieces.ts";

/** What a tokenizer.json says of byte-level BPE. */
export const byteLevelBody = (
  vocab: JsonObject,
  merges: readonly (readonly [left: string, right: string])[],
  { normalizer, preTokenizer, ignoreMerges }: Pick<ByteLevelWay, "normalizer" | "preTokenizer" | "ignoreMerges">,
): TokenizerBody => ({
  normalizer,
  preTokenizer,
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: ignoreMerges,
    vocab,
    merges,
  },
});
