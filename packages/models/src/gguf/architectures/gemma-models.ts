import { attentionLayers, gatedConfig, gatedSizes, requireWholeRotary } from "./gated-models.ts";
import { haveBiases } from "./gguf-architecture.ts";
import type { GgufArchitecture, GgufContents } from "./gguf-architecture.ts";
import { tensorForms } from "./tensor-forms.ts";

/** Blocks of the largest models of each generation, which scale queries by the hidden size in place of a head's. */
export const largestGemma = { gemma2: 46, gemma3: 62 } as const;

/** Keys that both generations have. As in llama.cpp, the scale of queries follows from the number of blocks: files do not name it. */
function gemmaConfig(contents: GgufContents, blocksOfLargest: number): Record<string, unknown> {
  const { metadata } = contents;
  requireWholeRotary(contents);
  const { hidden, heads, headSize } = gatedSizes(contents);
  const { hidden_act: _, ...config } = gatedConfig(contents);
  return {
    ...config,
    head_dim: headSize,
    hidden_activation: "gelu_pytorch_tanh",
    attention_bias: haveBiases(contents, ...attentionLayers),
    query_pre_attn_scalar: metadata.count("block_count") === blocksOfLargest ? Math.floor(hidden / heads) : headSize,
    final_logit_softcapping: metadata.findNumber("final_logit_softcapping") || null,
  };
}

export const gemma2: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  return {
    config: {
      model_type: "gemma2",
      architectures: ["Gemma2ForCausalLM"],
      ...gemmaConfig(contents, largestGemma.gemma2),
      attn_logit_softcapping: metadata.findNumber("attn_logit_softcapping") || null,
      sliding_window: metadata.findCount("attention.sliding_window") ?? 4096,
    },
    ...tensorForms.gemma2(),
  };
};

/** Which blocks of Gemma 3 see a window only: by default five of six. */
function slidingBlocks({ metadata }: GgufContents, blocks: number): readonly boolean[] {
  const key = "attention.sliding_window_pattern";
  const pattern = metadata.find(key) ?? 6;
  if (typeof pattern === "object") {
    if (pattern.length < blocks) metadata.broken(key, `a list of ${blocks} values`);
    return pattern.slice(0, blocks).map((value) => (typeof value === "boolean" ? value : value !== 0));
  }
  const period = metadata.findCount(key) ?? 6;
  return Array.from({ length: blocks }, (_, block) => period > 0 && (block + 1) % period !== 0);
}

/** The text model; global blocks alone have scaled positions. */
export const gemma3: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const { rope_parameters: global, ...config } = gemmaConfig(contents, largestGemma.gemma3);
  const window = metadata.findCount("attention.sliding_window") ?? 0;
  const blocks = metadata.count("block_count");
  const sliding = slidingBlocks(contents, blocks);
  const localBase = metadata.findNumber("rope.freq_base_swa") ?? 10_000;
  return {
    config: {
      model_type: "gemma3_text",
      architectures: ["Gemma3ForCausalLM"],
      ...config,
      attn_logit_softcapping: null,
      sliding_window: window === 0 ? 4096 : window,
      layer_types: sliding.map((local) => (local && window > 0 ? "sliding_attention" : "full_attention")),
      rope_parameters: { full_attention: global, sliding_attention: { rope_type: "default", rope_theta: localBase } },
    },
    ...tensorForms.gemma3(),
  };
};
