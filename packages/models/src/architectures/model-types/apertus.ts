import { blockCount, choice, count, derivedCount, flag, nullable, only, positive, section } from "../../config/config-keys.ts";
import type { Key } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import { xielu } from "../../graph/activations.ts";
import { defineArchitecture } from "../architecture.ts";
import type { BlockActivation } from "../families/decoder-blocks.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import { gatedKeys, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Positions where the configuration says nothing of them, or null. */
const usualPositions: JsonObject = {
  rope_type: "llama3",
  rope_theta: 12_000_000,
  factor: 8,
  original_max_position_embeddings: 8192,
  low_freq_factor: 1,
  high_freq_factor: 4,
};
const positions: Key<JsonObject> = {
  fallback: usualPositions,
  read: (value, fault) => (value === null ? usualPositions : section.read(value, fault)),
};

const shapes = { alpha_p: [1], alpha_n: [1], beta: [], eps: [] } as const;

/** xIELU with numbers of its own in each block: two that were learned, and two that are the same in all. */
const learnedXielu: BlockActivation = {
  tensors: Object.entries(shapes).map(([name, shape]) => ({ role: `xielu-${name}`, name: `mlp.act_fn.${name}`, shape })),
  apply: (rows, value) => {
    const number = (name: keyof typeof shapes): string => rows.weight(`xielu-${name}`, shapes[name]);
    const numbers = { alphaP: number("alpha_p"), alphaN: number("alpha_n"), beta: number("beta"), epsilon: number("eps") };
    return xielu(rows.graph, value, numbers);
  },
};

/** A Llama whose MLP has no gate, but an activation that is learned. @see arXiv:2509.14233 */
export const apertus = defineArchitecture({
  modelType: "apertus",
  keys: {
    ...gatedKeys,
    head_dim: derivedCount,
    hidden_act: choice(["xielu"], "xielu"),
    attention_dropout: dropout,
    vocab_size: count(131_072),
    intermediate_size: count(14_336),
    num_hidden_layers: blockCount(32),
    max_position_embeddings: count(65_536),
    rms_norm_eps: positive(1e-5),
    rope_theta: nullable(positive(12_000_000), 12_000_000),
    rope_parameters: positions,
    attention_bias: flag(false),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 3 },
    // of configurations on the Hub; transformers has it this way alone
    mlp_bias: only(false),
    post_norm: only(false),
    qk_norm: only(true),
  },
  layout(config) {
    const { attention_bias: attention } = config.values;
    requireFull(config);
    return gatedDecoder({
      ...readGated(config, { activation: learnedXielu }),
      gated: false,
      norms: { beforeAttention: "attention_layernorm", beforeMlp: "feedforward_layernorm" },
      headNorms: usualHeadNorms,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
});
