import { blockCount, count, flag, only } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { blockLinear } from "./decoder-blocks.ts";
import type { AttentionLinears } from "./source-target-block.ts";
import type { Stack } from "./source-target-model.ts";

/* What translation models of BART's kind have in common: M2M-100 and mBART. */

/** Keys of their classes, with the defaults that both have. */
export const bartKeys = {
  max_position_embeddings: count(1024),
  d_model: count(1024),
  encoder_layers: blockCount(12),
  encoder_attention_heads: count(16),
  encoder_ffn_dim: count(4096),
  decoder_layers: blockCount(12),
  decoder_attention_heads: count(16),
  decoder_ffn_dim: count(4096),
  activation_function: activationKey("gelu"),
  scale_embedding: flag(false),
  is_encoder_decoder: only(true),
  tie_word_embeddings: flag(true),
  // not read by the forward pass
  dropout: { ...dropout, fallback: 0.1 },
  attention_dropout: dropout,
  activation_dropout: dropout,
  encoder_layerdrop: dropout,
  decoder_layerdrop: dropout,
  init_std: initializer,
} as const;

/** Names by which their classes take other keys. */
export const bartAliases = {
  num_attention_heads: "encoder_attention_heads",
  hidden_size: "d_model",
  num_hidden_layers: "encoder_layers",
} as const;

export type BartConfig = Config<ValuesOf<typeof bartKeys>>;

/** Layer norms of their blocks and of their ends. */
export const bartNorm = { kind: "layer", epsilon: 1e-5 } as const;

/** @param role what their roles begin with */
function attentionLinears(hidden: number, role: string, name: string): AttentionLinears {
  const linear = (part: string) => blockLinear(`${role}${part}`, `${name}.${part}_proj`, hidden, hidden, true);
  return { query: linear("q"), key: linear("k"), value: linear("v"), output: linear("out") };
}

/** The blocks of the encoder or of the decoder. */
export function bartStack({ values, broken }: BartConfig, key: "encoder" | "decoder", embed: Stack["embed"] = []): Stack {
  const { d_model: hidden } = values;
  const heads = values[`${key}_attention_heads`];
  const inner = values[`${key}_ffn_dim`];
  if (hidden % heads !== 0) broken("d_model", `a multiple of ${key}_attention_heads ${heads}`);
  return {
    prefix: `${key}.layers.`,
    blocks: values[`${key}_layers`],
    block: {
      hidden,
      heads,
      headSize: hidden / heads,
      scale: (hidden / heads) ** -0.5,
      norm: bartNorm,
      normNames: ["self_attn_layer_norm", ...(key === "decoder" ? ["encoder_attn_layer_norm"] : []), "final_layer_norm"],
      self: attentionLinears(hidden, "", "self_attn"),
      cross: key === "decoder" ? attentionLinears(hidden, "cross-", "encoder_attn") : undefined,
      up: [blockLinear("up", "fc1", inner, hidden, true)],
      down: blockLinear("down", "fc2", hidden, inner, true),
      activation: activations[values.activation_function],
    },
    finalNorm: `${key}.layer_norm`,
    embed,
  };
}

/** The factor on embedded tokens. */
export const bartScale = ({ values }: BartConfig): number => (values.scale_embedding ? Math.sqrt(values.d_model) : 1);
