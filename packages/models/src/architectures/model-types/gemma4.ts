import {
  blockCount,
  choice,
  count,
  expertCount,
  flag,
  integer,
  nullable,
  only,
  optional,
  positive,
  section,
} from "../../config/config-keys.ts";
import type { Key, ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { ropeKindKeys, ropeSectionKeys } from "../../config/rope-keys.ts";
import { rotaryOf } from "../../config/rope-scaling.ts";
import { activationKey } from "../../graph/activations.ts";
import type { Rotary } from "../../graph/rotary.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, readGated, readSliding } from "../families/gated-config.ts";
import { still, usualHeadNorms } from "../families/gated-block.ts";
import type { BlockKind } from "../families/gated-block.ts";
import type { Experts } from "../families/gated-experts.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** transformers fails on this key, whatever its value. */
const absent: Key<null> = { fallback: null, read: (_, fault) => fault.refuse("leave it out") };

const keys = {
  ...gatedKeys,
  vocab_size: count(262_144),
  hidden_size: count(2304),
  intermediate_size: count(9216),
  num_hidden_layers: blockCount(30),
  num_attention_heads: count(8),
  num_key_value_heads: count(4),
  head_dim: count(256),
  hidden_activation: activationKey("gelu_pytorch_tanh"),
  max_position_embeddings: count(131_072),
  tie_word_embeddings: flag(true),
  // positions are in the sections of `rope_parameters` alone
  rope_scaling: absent,
  rope_theta: only(null),
  partial_rotary_factor: only(null),
  original_max_position_embeddings: only(null),
  attention_bias: flag(false),
  attention_chunk_size: only(null),
  sliding_window: count(512),
  final_logit_softcapping: nullable(positive(30)),
  // tokens of an image see each other where it is "vision": text alone is the same
  use_bidirectional_attention: nullable(choice(["vision"], "vision")),
  vocab_size_per_layer_input: count(262_144),
  hidden_size_per_layer_input: integer(256),
  attention_k_eq_v: flag(false),
  num_kv_shared_layers: integer(0),
  use_double_wide_mlp: flag(false),
  global_head_dim: count(512),
  num_global_key_value_heads: nullable(count(4)),
  // how transformers writes the two keys above
  per_layer_config: optional(section),
  enable_moe_block: flag(false),
  num_experts: nullable(expertCount(1)),
  top_k_experts: nullable(count(1)),
  moe_intermediate_size: nullable(count(1)),
} as const;

type Gemma4Config = Config<ValuesOf<typeof keys>>;

/** Sizes of keys and values in one kind of block. */
interface AttentionSizes {
  readonly headSize: number;
  readonly kvHeads: number;
}

/** Keys of a block in `per_layer_config`. */
const blockKeys = { head_dim: optional(count(1)), num_key_value_heads: optional(count(1)) } as const;

/** The sizes by `per_layer_config`: those of all global blocks, and of these alone. */
function sizesByBlock(config: Gemma4Config, perBlock: object, sliding: readonly boolean[]): AttentionSizes {
  const { head_dim: headSize, num_key_value_heads: kvHeads } = config.values;
  const own = new Map(
    Object.entries(perBlock).map(([block, part]) => {
      const entry = typeof part === "object" && part !== null ? part : config.broken("per_layer_config", "an object of objects");
      const { values } = config.section(`per_layer_config.${block}`, entry, blockKeys);
      return [Number(block), { headSize: values.head_dim ?? headSize, kvHeads: values.num_key_value_heads ?? kvHeads }] as const;
    }),
  );
  const usual = { headSize, kvHeads };
  const all = sliding.map((isLocal, block) => ({ isLocal, sizes: own.get(block) ?? usual }));
  const [first = usual] = all.flatMap(({ isLocal, sizes }) => (isLocal ? [] : [sizes]));
  for (const { isLocal, sizes } of all) {
    const wanted = isLocal ? usual : first;
    if (sizes.headSize !== wanted.headSize || sizes.kvHeads !== wanted.kvHeads) {
      config.refuse("per_layer_config", "sizes of its own has each kind of block, as layer_types names them, not a single block");
    }
  }
  return first;
}

function globalSizes(config: Gemma4Config, sliding: readonly boolean[]): AttentionSizes {
  const { values } = config;
  const { per_layer_config: perBlock, num_attention_heads: heads } = values;
  const sizes =
    perBlock === undefined
      ? {
          headSize: values.global_head_dim,
          kvHeads: (values.attention_k_eq_v ? values.num_global_key_value_heads : null) ?? values.num_key_value_heads,
        }
      : sizesByBlock(config, perBlock, sliding);
  if (heads % sizes.kvHeads !== 0) {
    config.broken(
      perBlock === undefined ? "num_global_key_value_heads" : "per_layer_config",
      `a divisor of num_attention_heads ${heads}`,
    );
  }
  return sizes;
}

/** Sections of `rope_parameters` where there are none. */
const usualRotaries = {
  sliding_attention: { rope_type: "default", rope_theta: 10_000 },
  full_attention: { rope_type: "proportional", partial_rotary_factor: 0.25, rope_theta: 1_000_000 },
};

/** Rotary positions of a kind of blocks; a kind that no block has needs none. */
function readRotary(config: Gemma4Config, kind: keyof typeof ropeKindKeys, headSize: number, isUsed: boolean): Rotary {
  if (!isUsed) return still;
  const key = `rope_parameters.${kind}`;
  const sections = config.section("rope_parameters", config.values.rope_parameters ?? usualRotaries, ropeKindKeys);
  const part = sections.values[kind] ?? sections.broken(kind, "an object");
  const types = { default: "default", proportional: "proportional" } as const;
  return rotaryOf(config.section(key, part, ropeSectionKeys), config, {
    headSize,
    theta: null,
    share: null,
    partial: false,
    types,
  });
}

/** Blocks that see a window only. As in transformers, the last one sees the whole text. */
function readLocal(config: Gemma4Config): readonly boolean[] {
  const sliding = readSliding(config, (index) => (index + 1) % 6 !== 0);
  return sliding.map((isLocal, block) => isLocal && block < sliding.length - 1);
}

/** Which blocks make keys and values, and where in the states those behind them read what the last one of their kind made. */
interface Sharing {
  readonly makers: number;
  /** First columns of the keys of local blocks and of global ones. */
  readonly local: number;
  readonly global: number;
  readonly end: number;
}

/** Columns of keys and values. */
const widthOf = ({ headSize, kvHeads }: AttentionSizes): number => 2 * headSize * kvHeads;

function readSharing(config: Gemma4Config, sliding: readonly boolean[], local: AttentionSizes, global: AttentionSizes): Sharing {
  const { num_kv_shared_layers: shared, hidden_size: hidden, hidden_size_per_layer_input: width } = config.values;
  const { length: blocks } = sliding;
  if (shared < 0 || shared >= blocks) config.broken("num_kv_shared_layers", `at least 0, and less than ${blocks} blocks`);
  const makers = blocks - shared;
  if (shared === 0) return { makers, local: hidden, global: hidden, end: hidden };
  if (width === 0) {
    config.refuse("num_kv_shared_layers", "transformers shares keys only where hidden_size_per_layer_input is above 0");
  }
  for (const isLocal of new Set(sliding)) {
    if (!sliding.slice(0, makers).includes(isLocal)) {
      config.broken("num_kv_shared_layers", "so few that each kind of block has one with keys of its own");
    }
  }
  const afterLocal = hidden + (sliding.includes(true) ? widthOf(local) : 0);
  return { makers, local: hidden, global: afterLocal, end: afterLocal + widthOf(global) };
}

/** Experts beside the MLP of every block. @returns undefined where there are none */
function readExperts(config: Gemma4Config): Experts | undefined {
  const { enable_moe_block: isMixture, num_experts, top_k_experts, moe_intermediate_size } = config.values;
  if (!isMixture) return undefined;
  const ofBlock = (key: string): never => config.broken(key, "a whole number, at least 1, where enable_moe_block is true");
  const count = num_experts ?? ofBlock("num_experts");
  const used = top_k_experts ?? ofBlock("top_k_experts");
  if (used > count) config.broken("top_k_experts", `at most num_experts ${count}`);
  return {
    count,
    used,
    inner: moe_intermediate_size ?? ofBlock("moe_intermediate_size"),
    normalised: true,
    whole: { woven: false },
    beside: {
      beforeNorm: "pre_feedforward_layernorm_2",
      afterNorm: "post_feedforward_layernorm_2",
      mlpNorm: "post_feedforward_layernorm_1",
      routerScale: "router.scale",
      expertScale: "router.per_expert_scale",
    },
    router: "router.proj",
    names: { prefix: "", gate: "gate_proj", up: "up_proj", down: "down_proj" },
  };
}

/** The width of what each block reads of a token by itself; 0 for none. */
function readPerLayer(config: Gemma4Config): number {
  const { hidden_size_per_layer_input: width, vocab_size_per_layer_input: rows, vocab_size: vocabulary } = config.values;
  if (width < 0) config.broken("hidden_size_per_layer_input", "at least 0");
  if (width > 0 && rows !== vocabulary) {
    config.refuse("vocab_size_per_layer_input", `it takes a row for each token: ${vocabulary}`);
  }
  return width;
}

/**
 * The text model of Gemma 4: local and global blocks, each kind with positions and sizes of heads of its own. In some models late
 * blocks attend to the keys and values of earlier ones, and each block adds what it has learned of a token; in one, blocks have
 * experts beside their MLP.
 */
export const gemma4 = defineArchitecture({
  modelType: "gemma4_text",
  keys,
  layout(config) {
    const { values } = config;
    const sliding = readLocal(config);
    const global = globalSizes(config, sliding);
    const localRotary = readRotary(config, "sliding_attention", values.head_dim, sliding.includes(true));
    const globalRotary = readRotary(config, "full_attention", global.headSize, true);
    const decoder = readGated(config, { activation: values.hidden_activation, rotary: () => globalRotary });
    const width = readPerLayer(config);
    const sharing = readSharing(config, sliding, decoder, global);
    const kinds = sliding.map((isLocal, block): BlockKind => {
      const reads = block >= sharing.makers;
      const inner = values.intermediate_size * (reads && values.use_double_wide_mlp ? 2 : 1);
      return {
        name: `${isLocal ? "local" : "global"}${reads ? " reading" : ""}`,
        ...(isLocal ? { rotary: localRotary, window: values.sliding_window } : { rotary: globalRotary, window: undefined }),
        sizes: { ...(isLocal ? {} : global), inner },
        keysAreValues: values.attention_k_eq_v && !isLocal,
        ...(values.num_kv_shared_layers > 0 && { shared: { first: isLocal ? sharing.local : sharing.global, reads } }),
      };
    });
    return gatedDecoder({
      ...decoder,
      bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: false },
      norms: {
        beforeAttention: "input_layernorm",
        afterAttention: "post_attention_layernorm",
        beforeMlp: "pre_feedforward_layernorm",
        afterMlp: "post_feedforward_layernorm",
      },
      headNorms: usualHeadNorms,
      valueNorm: true,
      scale: 1,
      embeddingScale: Math.sqrt(decoder.hidden),
      logitSoftcap: values.final_logit_softcapping ?? undefined,
      perLayer: width > 0 ? { width, column: sharing.end } : undefined,
      blockFactor: "layer_scalar",
      experts: readExperts(config),
      kinds,
    });
  },
});
