import { activations } from "./activations.ts";
import type { ExpectedTensor, Layout } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { rmsNorm } from "./norms.ts";
import type { SourceTarget } from "./passages.ts";
import { scaled } from "./scaling.ts";
import { describeT5Block, t5Step } from "./t5-step.ts";
import type { T5Block, T5Stack } from "./t5-step.ts";

/** By the names that config.json uses; what is called gelu is the approximation by a tanh. */
const feedForwards = {
  "gated-gelu": { gated: true, activation: activations.gelu_new },
  "gated-silu": { gated: true, activation: activations.silu },
  relu: { gated: false, activation: activations.relu },
} as const;

type FeedForward = keyof typeof feedForwards;

/** What differs between the model types of the family. */
export interface T5Variant {
  /** `feed_forward_proj` where the configuration has none. */
  readonly feedForward: FeedForward;
  /** Tokens of the texts that the models were trained on, which the configuration may say. */
  readonly contextLength: number;
  /** Whether the head reads states divided by √hidden. */
  readonly scaledHead: boolean;
}

function readBlock(config: ConfigReader, { feedForward }: T5Variant): T5Block {
  const block = {
    hidden: config.count("d_model", "hidden_size"),
    heads: config.count("num_heads", "num_attention_heads"),
    headSize: config.count("d_kv", "head_dim"),
    inner: config.count("d_ff"),
    ...feedForwards[config.choice("feed_forward_proj", Object.keys(feedForwards) as FeedForward[], feedForward)],
    epsilon: config.positive("layer_norm_epsilon", 1e-6),
    buckets: config.optionalCount("relative_attention_num_buckets") ?? 32,
    farthest: config.optionalCount("relative_attention_max_distance") ?? 128,
  };
  if (block.buckets < 4) config.broken("relative_attention_num_buckets", "at least 4");
  if (block.farthest <= block.buckets / 2) {
    config.broken("relative_attention_max_distance", `above half of relative_attention_num_buckets ${block.buckets}`);
  }
  return block;
}

function readSourceTarget(config: ConfigReader, vocabulary: number): SourceTarget {
  const token = (key: string, fallback: number): number => {
    const id = config.number(key, fallback);
    return Number.isInteger(id) && id >= 0 && id < vocabulary ? id : config.broken(key, `a token below vocab_size ${vocabulary}`);
  };
  return { start: token("decoder_start_token_id", token("pad_token_id", 0)), end: token("eos_token_id", 1) };
}

const distancesOf = (stack: string): string => `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`;

/** Steps, tensors and roles of one stack. */
function describeStack(name: string, stack: T5Stack) {
  const { block, blocks } = stack;
  const described = describeBlocks(`${name}.block.`, blocks, describeT5Block(stack));
  const tensors: ExpectedTensor[] = [
    ...described.tensors,
    { name: distancesOf(name), shape: [block.buckets, block.heads], required: true },
    { name: `${name}.final_layer_norm.weight`, shape: [block.hidden], required: true },
  ];
  const shared = [
    ["distances.weight", distancesOf(name)],
    ["final-norm.weight", `${name}.final_layer_norm.weight`],
  ] as const;
  return { ...described, tensors, stepRoles: (index: number) => new Map([...described.stepRoles(index), ...shared]) };
}

/** The layout of T5 and its kin: the blocks of an encoder, then those of a decoder that reads it, over one embedding. */
export function t5Model(config: ConfigReader, variant: T5Variant): Layout {
  config.requireOnly("is_encoder_decoder", true);
  const vocabulary = config.count("vocab_size");
  const block = readBlock(config, variant);
  const { hidden, epsilon } = block;
  const blocks = config.count("num_layers", "num_hidden_layers");
  const encoder: T5Stack = { block, blocks, isDecoder: false };
  const decoder: T5Stack = { block, blocks: config.optionalCount("num_decoder_layers") ?? blocks, isDecoder: true };
  const [encoding, decoding] = [describeStack("encoder", encoder), describeStack("decoder", decoder)];
  const matrix = (name: string, required: boolean): ExpectedTensor => ({ name, shape: [vocabulary, hidden], required });
  return {
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: config.optionalCount("n_positions") ?? variant.contextLength,
    sourceTarget: readSourceTarget(config, vocabulary),
    steps: [...encoding.steps, ...decoding.steps],
    tensors: [
      matrix("shared.weight", true),
      ...encoding.tensors,
      ...decoding.tensors,
      // Whatever the configuration says of ties, transformers takes a head that the checkpoint has.
      matrix("lm_head.weight", !config.flag("tie_word_embeddings", true)),
      matrix("encoder.embed_tokens.weight", false),
      matrix("decoder.embed_tokens.weight", false),
    ],
    unread: ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"],
    prefixes: [],
    embedding: "shared.weight",
    head: "lm_head.weight",
    embedRoles: new Map(),
    headRoles: new Map([["norm.weight", "decoder.final_layer_norm.weight"]]),
    stepRoles: (index) => (index < blocks ? encoding.stepRoles(index) : decoding.stepRoles(index - blocks)),
    stepKind: (index) => (index >= blocks ? "decoder" : index === blocks - 1 ? "last-encoder" : "encoder"),
    buildEmbed: (_, rows) => rows,
    buildStep: (sequence, states, index) => t5Step(sequence, states, index < blocks ? encoder : decoder, index === blocks - 1),
    buildHeadInput: (rows, states) =>
      scaled(rows.graph, rmsNorm(rows, states, "norm", { size: hidden, epsilon }), variant.scaledHead ? hidden ** -0.5 : 1),
  };
}
