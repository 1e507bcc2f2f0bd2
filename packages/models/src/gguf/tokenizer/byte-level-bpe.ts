import { findByteLevelWay } from "./pre-tokenizers.ts";
import { idsOf } from "./tokenizer-kind.ts";
import type { TokenizerKind } from "./tokenizer-kind.ts";
import { findText, mergedPair, refuseKey, tokenizerKey } from "./tokenizer-metadata.ts";

/** The kind "gpt2": GPT-2's, Llama 3's, Qwen's, BLOOM's … */
export const byteLevelBpe: TokenizerKind = (vocabulary, metadata, file) => {
  if (vocabulary.merges === undefined) return refuseKey(file, tokenizerKey("merges"), "is missing, which byte-level BPE needs");
  const way = findByteLevelWay(findText(metadata, tokenizerKey("pre"), file), file);
  return {
    vocabulary,
    normalizer: way.normalizer,
    preTokenizer: way.preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: way.ignoreMerges,
      vocab: idsOf(vocabulary),
      merges: vocabulary.merges.map(mergedPair),
    },
    addsBos: way.addsBos,
    addsEos: false,
    ids: {},
  };
};
