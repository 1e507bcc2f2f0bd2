import { readActivation } from "./activations.ts";
import type { ActivationName } from "./activations.ts";
import type { ConfigReader } from "./config.ts";
import type { BlockKind, GatedDecoder } from "./gated-decoder.ts";
import type { Rotary } from "./rotary.ts";
import { readRotary } from "./rope-scaling.ts";
import type { RopeOptions } from "./rope-scaling.ts";

/** Layers that see a part of the text and layers that see all of it, as `layer_types` names them. */
const layerTypes = ["sliding_attention", "full_attention"] as const;

/** Whether each block sees a window only; `fallback` where the configuration has no `layer_types`. */
export function readSliding(config: ConfigReader, blocks: number, fallback: (index: number) => boolean): readonly boolean[] {
  const types = config.optionalTexts("layer_types");
  if (types === undefined) return Array.from({ length: blocks }, (_, index) => fallback(index));
  const known = types.every((type) => layerTypes.some((name) => name === type));
  if (!known || types.length !== blocks) {
    config.refuse("layer_types", `it takes ${blocks} entries of ${layerTypes.join(", ")}`);
  }
  return types.map((type) => type === "sliding_attention");
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
  /** Elements of a head; the configuration's `head_dim`, else hidden size / heads, where not given. */
  readonly headSize?: number;
  /** Key and default of the activation; "hidden_act" and "silu" where not given. */
  readonly activation?: { readonly key: string; readonly fallback: ActivationName };
  readonly rope?: Omit<RopeOptions, "headSize">;
}

/** A decoder whose blocks are alike, with what their kind is made of. */
export interface UniformDecoder extends GatedDecoder {
  readonly blocks: number;
  readonly rotary: Rotary;
}

/**
 * What the configurations of the Llama family have in common. All blocks are alike and see the whole text, without biases
 * or norms of heads; an architecture overrides what it has.
 */
export function readGated(config: ConfigReader, options: GatedOptions = {}): UniformDecoder {
  const hidden = config.count("hidden_size");
  const blocks = config.count("num_hidden_layers");
  const heads = config.count("num_attention_heads");
  const kvHeads = config.optionalCount("num_key_value_heads") ?? heads;
  const headSize = options.headSize ?? config.optionalCount("head_dim") ?? hidden / heads;
  if (!Number.isInteger(headSize)) config.broken("num_attention_heads", `a divisor of hidden_size ${hidden}`);
  if (heads % kvHeads !== 0) config.broken("num_key_value_heads", `a divisor of num_attention_heads ${heads}`);
  const rotary = readRotary(config, { headSize, ...options.rope });
  return {
    blocks,
    rotary,
    hidden,
    vocabulary: config.count("vocab_size"),
    contextLength: config.optionalCount("max_position_embeddings"),
    heads,
    kvHeads,
    headSize,
    inner: config.count("intermediate_size"),
    activation: readActivation(config, options.activation?.key ?? "hidden_act", options.activation?.fallback ?? "silu"),
    kinds: Array.from({ length: blocks }, () => ({ name: "", rotary, window: undefined })),
    norm: { epsilon: config.positive("rms_norm_eps", 1e-6), plusOne: false },
    bias: { qkv: false, output: false, mlp: false },
    fused: false,
    experts: undefined,
    headNorms: false,
    outerNorms: false,
    scale: 1 / Math.sqrt(headSize),
    softcap: undefined,
    embeddingScale: 1,
    logitSoftcap: undefined,
    tied: config.flag("tie_word_embeddings", false),
  };
}
