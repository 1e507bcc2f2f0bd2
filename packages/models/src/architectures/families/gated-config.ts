import { blockCount, count, flag, nullable, positive, texts } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { commonKeys, dropout, initializer } from "../../config/harmless-keys.ts";
import { outerRopeKeys, ropeKeys } from "../../config/rope-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import type { RopeOptions } from "../../config/rope-scaling.ts";
import { activationKey } from "../../graph/activations.ts";
import type { ActivationName } from "../../graph/activations.ts";
import type { Rotary } from "../../graph/rotary.ts";
import { plainActivation } from "./decoder-blocks.ts";
import type { BlockActivation } from "./decoder-blocks.ts";
import { normsBefore, usualNames } from "./gated-block.ts";
import type { BlockKind, GatedDecoder } from "./gated-block.ts";

/** Keys of the Llama family, with the defaults of Llama; a type overrides those that differ. */
export const gatedKeys = {
  ...commonKeys,
  ...ropeKeys,
  ...outerRopeKeys,
  vocab_size: count(32_000),
  hidden_size: count(4096),
  intermediate_size: count(11_008),
  num_hidden_layers: blockCount(32),
  num_attention_heads: count(32),
  num_key_value_heads: nullable(count(0)),
  head_dim: nullable(count(0)),
  rms_norm_eps: positive(1e-6),
  tie_word_embeddings: flag(false),
  layer_types: nullable(texts),
  // not read by the forward pass
  initializer_range: initializer,
  attention_dropout: nullable(dropout),
} as const;

/** What the family reads of them: a type may have a `per_layer_config` of its own. */
export type GatedValues = Omit<ValuesOf<typeof gatedKeys>, "per_layer_config">;

/** `hidden_act` with Llama's default. */
export const hiddenAct = activationKey("silu");

/** Layers that see a part of the text and layers that see all of it, as `layer_types` names them. */
const layerTypes = ["sliding_attention", "full_attention"] as const;

/** Whether each block sees a window only; `fallback` where the configuration has no `layer_types`. */
export function readSliding(
  config: Config<Pick<GatedValues, "layer_types" | "num_hidden_layers">>,
  fallback: (index: number) => boolean,
): readonly boolean[] {
  const { layer_types: types, num_hidden_layers: blocks } = config.values;
  if (!config.has("layer_types") || types === null) return Array.from({ length: blocks }, (_, index) => fallback(index));
  const known = types.every((type) => layerTypes.some((name) => name === type));
  if (!known || types.length !== blocks) {
    config.refuse("layer_types", `it takes ${blocks} entries of ${layerTypes.join(", ")}`);
  }
  return types.map((type) => type === "sliding_attention");
}

/** @throws {FailedPreconditionError} where `layer_types` asks for blocks that see a part of the text, which the type does not have */
export function requireFull(config: Config<Pick<GatedValues, "layer_types" | "num_hidden_layers">>): void {
  if (readSliding(config, () => false).includes(true)) config.refuse("layer_types", "all layers of this type are alike");
}

/** The window of the sliding blocks. @throws {BadDataError} where there are such blocks and no window */
export function requireWindow(
  config: Config<Pick<GatedValues, "sliding_window">>,
  sliding: readonly boolean[],
): number | undefined {
  const { sliding_window: window } = config.values;
  if (window === null && sliding.includes(true)) config.broken("sliding_window", "a whole number, at least 1");
  return window ?? undefined;
}

/** Blocks of two kinds where some see a window only. */
export function blockKinds(
  sliding: readonly boolean[],
  local: Omit<BlockKind, "name">,
  global: Omit<BlockKind, "name">,
): BlockKind[] {
  return sliding.map((isLocal) => (isLocal ? { name: "local", ...local } : { name: "global", ...global }));
}

export interface GatedOptions {
  /** Of the MLP; one with tensors of its own as a whole. */
  readonly activation: ActivationName | BlockActivation;
  /** Rotary positions of a head; default those of the section that all layers share. */
  readonly rotary?: (headSize: number) => Rotary;
}

/** Base and share of rotary positions by the keys outside of the section. */
export const outerRope = ({ values }: Config<GatedValues>): Pick<RopeOptions, "theta" | "share" | "partial"> => ({
  theta: values.rope_theta,
  share: values.partial_rotary_factor,
  partial: false,
});

/** A decoder whose blocks are alike, with what their kind is made of. */
export interface UniformDecoder extends GatedDecoder {
  readonly rotary: Rotary;
}

/** The heads of queries and of keys, and their size: `head_dim`, else hidden size / heads. */
function readHeads(config: Config<GatedValues>): Pick<GatedDecoder, "heads" | "kvHeads" | "headSize"> {
  const { hidden_size: hidden, num_attention_heads: heads, num_key_value_heads, head_dim } = config.values;
  const kvHeads = num_key_value_heads ?? heads;
  const headSize = head_dim ?? hidden / heads;
  if (!Number.isInteger(headSize)) config.broken("num_attention_heads", `a divisor of hidden_size ${hidden}`);
  if (heads % kvHeads !== 0) config.broken("num_key_value_heads", `a divisor of num_attention_heads ${heads}`);
  return { heads, kvHeads, headSize };
}

/** @throws {BadDataError} where the padding token is no row of the embedding: transformers cannot make such an embedding */
function requirePadding(config: Config<Pick<GatedValues, "pad_token_id" | "vocab_size">>): void {
  const { pad_token_id: pad, vocab_size: vocabulary } = config.values;
  if (typeof pad === "number" && (pad >= vocabulary || pad < -vocabulary)) {
    config.broken("pad_token_id", `a token below vocab_size ${vocabulary}, or null`);
  }
}

/**
 * What the configurations of the Llama family have in common. All blocks are alike and see the whole text, without biases
 * or norms of heads; an architecture overrides what it has.
 */
export function readGated(config: Config<GatedValues>, options: GatedOptions): UniformDecoder {
  const { values } = config;
  const sizes = readHeads(config);
  requirePadding(config);
  const rotary = options.rotary?.(sizes.headSize) ?? readRotary(config, { ...outerRope(config), headSize: sizes.headSize });
  return {
    rotary,
    ...sizes,
    hidden: values.hidden_size,
    vocabulary: values.vocab_size,
    contextLength: values.max_position_embeddings,
    inner: values.intermediate_size,
    activation: typeof options.activation === "string" ? plainActivation(options.activation) : options.activation,
    gated: true,
    kinds: Array.from({ length: values.num_hidden_layers }, () => ({ name: "", rotary, window: undefined })),
    norm: { epsilon: values.rms_norm_eps, plusOne: false, centred: false },
    norms: normsBefore,
    names: usualNames,
    parallel: false,
    bias: { qkv: false, output: false, mlp: false },
    fused: false,
    experts: undefined,
    headNorms: undefined,
    outputGate: false,
    sinks: false,
    valueNorm: false,
    neighbours: false,
    scale: 1 / Math.sqrt(sizes.headSize),
    softcap: undefined,
    embeddingScale: 1,
    residualScale: 1,
    perLayer: undefined,
    blockFactor: undefined,
    logitScale: 1,
    logitSoftcap: undefined,
    tied: values.tie_word_embeddings,
  };
}
