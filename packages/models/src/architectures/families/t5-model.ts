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
import { rmsNorm } from "../../graph/norms.ts";
import { scaled } from "../../graph/scaling.ts";
import type { ExpectedTensor, Layout, SourceTarget } from "../layout.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { describeT5Block, t5Block } from "./t5-block.ts";
import type { T5Block, T5Stack } from "./t5-block.ts";

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

function readSourceTarget(config: T5Config): SourceTarget {
  const { vocab_size: vocabulary, decoder_start_token_id, eos_token_id } = config.values;
  const token = (key: string, id: unknown): number =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabulary
      ? id
      : config.broken(key, `a token below vocab_size ${vocabulary}`);
  return {
    start: token("decoder_start_token_id", decoder_start_token_id),
    end: token("eos_token_id", eos_token_id ?? 1),
  };
}

const distancesOf = (stack: string): string => `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`;

/** Blocks, tensors and roles of one stack. */
function describeStack(name: string, stack: T5Stack) {
  const { block, blocks } = stack;
  const description = describeT5Block(stack);
  const described = describeBlocks(
    `${name}.block.`,
    Array.from({ length: blocks }, () => description),
  );
  const tensors: ExpectedTensor[] = [
    ...described.tensors,
    { name: distancesOf(name), shape: [block.buckets, block.heads], required: true },
    { name: `${name}.final_layer_norm.weight`, shape: [block.hidden], required: true },
  ];
  const shared = [
    ["distances.weight", distancesOf(name)],
    ["final-norm.weight", `${name}.final_layer_norm.weight`],
  ] as const;
  return { ...described, tensors, blockRoles: (index: number) => new Map([...described.blockRoles(index), ...shared]) };
}

/** The layout of T5 and mT5: the blocks of an encoder, then those of a decoder that reads it, over one embedding. */
export function t5Model(config: T5Config, variant: T5Variant): Layout {
  const { values } = config;
  const { vocab_size: vocabulary, num_layers: blocks } = values;
  const block = readBlock(config);
  const { hidden, epsilon } = block;
  const encoder: T5Stack = { block, blocks, isDecoder: false };
  const decoder: T5Stack = { block, blocks: values.num_decoder_layers ?? blocks, isDecoder: true };
  const [encoding, decoding] = [describeStack("encoder", encoder), describeStack("decoder", decoder)];
  const matrix = (name: string, required: boolean): ExpectedTensor => ({ name, shape: [vocabulary, hidden], required });
  const copy = (stack: string): ExpectedTensor => ({
    ...matrix(`${stack}.embed_tokens.weight`, false),
    copyOf: "shared.weight",
  });
  return {
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: values.n_positions ?? variant.contextLength,
    sourceTarget: readSourceTarget(config),
    blocks: [...encoding.blocks, ...decoding.blocks],
    tensors: [
      matrix("shared.weight", true),
      ...encoding.tensors,
      ...decoding.tensors,
      // Whatever the configuration says of ties, transformers takes a head that the checkpoint has.
      matrix("lm_head.weight", values.tie_word_embeddings === false),
      copy("encoder"),
      copy("decoder"),
    ],
    unread: ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"],
    prefixes: [],
    embedding: "shared.weight",
    head: "lm_head.weight",
    bases: {
      stream: { reason: "it is an encoder-decoder, whose streams share one embedding" },
      values: { reason: "it is an encoder-decoder" },
    },
    embedRoles: new Map(),
    headRoles: new Map([["norm.weight", "decoder.final_layer_norm.weight"]]),
    blockRoles: (index) => (index < blocks ? encoding.blockRoles(index) : decoding.blockRoles(index - blocks)),
    blockKind: (index) => (index >= blocks ? "decoder" : index === blocks - 1 ? "last-encoder" : "encoder"),
    buildEmbed: (_, rows) => rows,
    buildBlock: (sequence, states, index) => t5Block(sequence, states, index < blocks ? encoder : decoder, index === blocks - 1),
    buildHeadInput: (rows, states) =>
      scaled(rows.graph, rmsNorm(rows, states, "norm", { size: hidden, epsilon }), variant.scaledHead ? hidden ** -0.5 : 1),
  };
}
