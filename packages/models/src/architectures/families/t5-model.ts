import {
  anything,
  blockCount,
  count,
  flag,
  integer,
  nullable,
  only,
  optional,
  positive,
  text,
} from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import type { ActivationName } from "../../graph/activations.ts";
import { scaled } from "../../graph/scaling.ts";
import type { Layout } from "../layout.ts";
import { sourceTargetModel, sourceTargetTokens } from "./source-target-model.ts";
import type { Stack } from "./source-target-model.ts";
import { distanceTable, t5Block } from "./t5-block.ts";
import type { T5Block } from "./t5-block.ts";

/** Keys that T5 and mT5 have in common, with the defaults of T5. */
export const t5Keys = {
  ...commonKeys,
  vocab_size: count(32_128),
  d_model: count(512),
  d_kv: count(64),
  d_ff: count(2048),
  num_layers: blockCount(6),
  num_decoder_layers: nullable(blockCount(0)),
  num_heads: count(8),
  relative_attention_num_buckets: count(32),
  relative_attention_max_distance: count(128),
  layer_norm_epsilon: positive(1e-6),
  feed_forward_proj: text("relu"),
  /** These two override what `feed_forward_proj` says. */
  dense_act_fn: optional(activationKey("relu")),
  is_gated_act: optional(flag(false)),
  is_encoder_decoder: only(true),
  /** A head that the checkpoint has counts, whatever this says. */
  tie_word_embeddings: anything,
  decoder_start_token_id: nullable(integer(0)),
  pad_token_id: integer(0),
  /** Tokens of the texts of training, which the class does not know. */
  n_positions: nullable(count(0)),
  // not read by the forward pass
  is_decoder: flag(false),
  dropout_rate: dropout,
  classifier_dropout: dropout,
  initializer_factor: positive(1),
} as const;

/** Whether the head of a T5 or an umT5 reads scaled states: any value counts by its truth, as in Python. */
export function hasScaledHead(
  config: Config<{ readonly scale_decoder_outputs: unknown; readonly tie_word_embeddings: unknown }>,
) {
  const { scale_decoder_outputs: scaled, tie_word_embeddings: tied } = config.values;
  return config.has("scale_decoder_outputs") ? Boolean(scaled) : tied !== false;
}

type T5Config = Config<ValuesOf<typeof t5Keys>>;

export const t5Aliases = {
  hidden_size: "d_model",
  num_attention_heads: "num_heads",
  num_hidden_layers: "num_layers",
  head_dim: "d_kv",
} as const;

/** What differs between the model types of the family. */
export interface T5Variant {
  /** Tokens of the texts that the models were trained on, which the configuration may say. */
  readonly contextLength: number;
  /** Whether the head reads states divided by √hidden. */
  readonly scaledHead: boolean;
  /** Whether each block has biases by distance of its own; otherwise those of a stack share the first one's. */
  readonly ownDistances?: true;
}

const isActivation = (name: string): name is ActivationName => Object.hasOwn(activations, name);

/** The MLP by `feed_forward_proj`, "gated-" and an activation; "gated-gelu" names the approximation by a tanh. */
function readFeedForward(config: T5Config): Pick<T5Block, "gated" | "activation"> {
  const { feed_forward_proj: name, dense_act_fn, is_gated_act: gated = name.startsWith("gated-") } = config.values;
  const named = name === "gated-gelu" ? "gelu_new" : name.replace(/^gated-/, "");
  if (!isActivation(named)) {
    return config.refuse("feed_forward_proj", `supported: ${Object.keys(activations).join(", ")}, each also as gated-`);
  }
  return { gated, activation: activations[dense_act_fn ?? named] };
}

function readBlock(config: T5Config): T5Block {
  const { values } = config;
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: farthest } = values;
  if (buckets < 4) config.broken("relative_attention_num_buckets", "at least 4");
  if (farthest <= buckets / 2) {
    config.broken("relative_attention_max_distance", `above half of relative_attention_num_buckets ${buckets}`);
  }
  return {
    hidden: values.d_model,
    heads: values.num_heads,
    headSize: values.d_kv,
    inner: values.d_ff,
    ...readFeedForward(config),
    epsilon: values.layer_norm_epsilon,
    buckets,
    farthest,
  };
}

/** The layout of T5 and mT5. */
export function t5Model(config: T5Config, variant: T5Variant): Layout {
  const { values } = config;
  const block = readBlock(config);
  const distances = distanceTable(block);
  const owns = variant.ownDistances === true;
  const stack = (name: string, blocks: number): Stack => ({
    prefix: `${name}.block.`,
    blocks,
    block: { ...t5Block(block, name === "decoder"), others: owns ? [distances] : [] },
    finalNorm: `${name}.final_layer_norm`,
    shared: owns ? [] : [{ ...distances, name: `${name}.block.0.${distances.name}`, required: true }],
  });
  return sourceTargetModel({
    vocabulary: values.vocab_size,
    contextLength: values.n_positions ?? variant.contextLength,
    sourceTarget: sourceTargetTokens(config, 1),
    encoder: stack("encoder", values.num_layers),
    decoder: stack("decoder", values.num_decoder_layers ?? values.num_layers),
    prefixes: [],
    needsHead: values.tie_word_embeddings === false,
    unread: ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"],
    buildEmbed: (_, rows) => rows,
    toHead: ({ graph }, normed) => scaled(graph, normed, variant.scaledHead ? block.hidden ** -0.5 : 1),
  });
}
