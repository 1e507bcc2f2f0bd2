import type { Architecture } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockKinds, readGated, readSliding } from "./gated-config.ts";
import type { GatedOptions, UniformDecoder } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** What Gemma 2 and 3 have in common, but for their kinds of blocks. */
export function readGemma(config: ConfigReader, rope: NonNullable<GatedOptions["rope"]>): UniformDecoder {
  config.requireOnly("use_bidirectional_attention", false);
  const decoder = readGated(config, {
    headSize: config.optionalCount("head_dim") ?? 256,
    activation: { key: "hidden_activation", fallback: "gelu_pytorch_tanh" },
    rope,
  });
  const attention = config.flag("attention_bias", false);
  return {
    ...decoder,
    norm: { ...decoder.norm, plusOne: true },
    bias: { qkv: attention, output: attention, mlp: false },
    outerNorms: true,
    scale: 1 / Math.sqrt(config.positive("query_pre_attn_scalar", 256)),
    embeddingScale: Math.sqrt(decoder.hidden),
    logitSoftcap: config.optionalNumber("final_logit_softcapping"),
    tied: config.flag("tie_word_embeddings", true),
  };
}

/** @see arXiv:2408.00118 */
export const gemma2: Architecture = {
  modelType: "gemma2",
  layout(config) {
    const decoder = readGemma(config, {});
    const window = config.optionalCount("sliding_window");
    const { blocks, rotary } = decoder;
    const sliding = readSliding(config, blocks, (index) => index % 2 === 0);
    return gatedDecoder({
      ...decoder,
      softcap: config.optionalNumber("attn_logit_softcapping"),
      kinds: blockKinds(sliding, { rotary, window }, { rotary, window: undefined }),
    });
  },
};
