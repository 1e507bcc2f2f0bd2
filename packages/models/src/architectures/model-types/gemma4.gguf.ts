import { at, isObject } from "@mbs/contracts";
import { hasTensor, vocabularyOf } from "../../gguf/form/gguf-form.ts";
import type { GgufContents, GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, bound, count, number, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";
import { within } from "../../gguf/gguf-names.ts";
import { gatedParts, gatedTensors, withoutBiases } from "../families/gated.gguf.ts";
import { layerTypesOf, putSliding, slidingBlocks, slidingOfFile } from "../families/windows.gguf.ts";

/** Every how many blocks one sees the whole text, where config.json does not say it. Files name each block. */
const usualPeriod = 6;

/** Whether each block of a model sees a window only; the last one does not. */
const localBlocks = (model: ModelSettings): readonly boolean[] =>
  slidingBlocks(model, usualPeriod).map((isLocal, block, { length }) => isLocal && block < length - 1);

/** A number for each block, as local and global ones have it. @returns undefined of a kind that no block has */
function byKind(
  contents: GgufContents,
  name: string,
): { readonly local?: number | undefined; readonly global?: number | undefined } {
  const { metadata } = contents;
  const found = metadata.find(name);
  if (typeof found !== "object") return { local: metadata.count(name), global: metadata.count(name) };
  const sliding = slidingOfFile(contents, usualPeriod);
  const of = (isLocal: boolean): number | undefined => {
    const own = [...new Set(sliding.flatMap((local, block) => (local === isLocal ? [found[block]] : [])))];
    const [value] = own;
    if (value === undefined) return undefined;
    return own.length === 1 && typeof value === "number" ? value : metadata.refuse(name, "blocks of a kind must be alike");
  };
  return { local: of(true), global: of(false) };
}

/** The first block that sees the whole text. */
const firstGlobal = (contents: GgufContents): number => slidingOfFile(contents, usualPeriod).indexOf(false);

/** Heads of keys, and whether the keys of global blocks are their values too: then no layer makes values. */
const keyHeads: MetadataField = {
  read: (contents) => {
    const { local, global } = byKind(contents, "attention.head_count_kv");
    const keysAreValues = !hasTensor(contents, `blk.${firstGlobal(contents)}.attn_v.weight`);
    if (!keysAreValues && local !== undefined && global !== local) {
      contents.metadata.refuse(
        "attention.head_count_kv",
        "kinds of blocks differ only where no layer makes values in global ones",
      );
    }
    return {
      num_key_value_heads: local ?? global,
      num_global_key_value_heads: keysAreValues ? global : null,
      attention_k_eq_v: keysAreValues,
    };
  },
  write: (model) => {
    const heads = model.number("num_key_value_heads");
    const { kvHeads } = globalSizes(model);
    const blocks = localBlocks(model).map((isLocal) => (isLocal ? heads : kvHeads));
    if (kvHeads === heads && model.find("num_global_key_value_heads") === undefined)
      model.counts({ "attention.head_count_kv": heads });
    else model.put("attention.head_count_kv", { type: "array", of: "i32", value: blocks });
  },
};

/** Sizes of attention in global blocks: `per_layer_config` of any of them, or the keys that say it of all. */
function globalSizes(model: ModelSettings): { readonly headSize: number; readonly kvHeads: number } {
  const perBlock = model.find("per_layer_config");
  const [local, heads] = [model.number("head_dim"), model.number("num_key_value_heads")];
  if (!isObject(perBlock)) {
    const own = model.find("attention_k_eq_v") === true ? model.findNumber("num_global_key_value_heads") : undefined;
    return { headSize: model.number("global_head_dim"), kvHeads: own ?? heads };
  }
  const found = perBlock[localBlocks(model).indexOf(false)];
  const { head_dim: headSize = local, num_key_value_heads: kvHeads = heads } = isObject(found) ? found : {};
  return { headSize: Number(headSize), kvHeads: Number(kvHeads) };
}

/** Heads of local blocks and of global ones; queries, keys and values have as many elements. */
const headSizes: MetadataField = {
  read: ({ metadata }) => {
    const size = (name: string): number => {
      const [keys, values] = [metadata.count(`attention.key_length${name}`), metadata.findCount(`attention.value_length${name}`)];
      if (values !== undefined && values !== keys) {
        metadata.refuse(`attention.value_length${name}`, `keys have ${keys} elements, and values must have as many`);
      }
      return keys;
    };
    return { head_dim: size("_swa"), global_head_dim: size("") };
  },
  write: (model) => {
    const [local, { headSize: global }] = [model.number("head_dim"), globalSizes(model)];
    model.counts({
      "attention.key_length": global,
      "attention.value_length": global,
      "attention.key_length_swa": local,
      "attention.value_length_swa": local,
    });
  },
};

/** What stands in a file for a pair that does not turn. */
const unturned = 1e30;

/** Global blocks turn a share of each head, by factors of its pairs; local ones all of it. */
const rotaries: MetadataField = {
  read: ({ metadata, read }) => {
    for (const kind of ["", "_swa"]) {
      const [size, turned] = [metadata.count(`attention.key_length${kind}`), metadata.findCount(`rope.dimension_count${kind}`)];
      if (turned !== undefined && turned !== size)
        metadata.refuse(`rope.dimension_count${kind}`, `all ${size} elements of a head must turn`);
    }
    const factors = read("rope_freqs.weight");
    const half = metadata.count("attention.key_length") / 2;
    if (factors.length !== half)
      metadata.broken("attention.key_length", `twice the ${factors.length} values of rope_freqs.weight`);
    const pairs = factors.filter((factor) => factor === 1).length;
    if (!factors.every((factor, pair) => (pair < pairs ? factor === 1 : factor >= unturned))) {
      metadata.refuse(
        "rope.dimension_count",
        "rope_freqs.weight must be 1 for the first pairs, and 1e30 for those that do not turn",
      );
    }
    return {
      rope_parameters: {
        full_attention: {
          rope_type: "proportional",
          partial_rotary_factor: pairs / factors.length,
          rope_theta: metadata.findNumber("rope.freq_base") ?? 10_000,
        },
        sliding_attention: { rope_type: "default", rope_theta: metadata.findNumber("rope.freq_base_swa") ?? 10_000 },
      },
    };
  },
  write: (model) => {
    const sections = model.section("rope_parameters");
    const section = (kind: string, usual: object): Record<string, unknown> => {
      const own = Object.keys(sections).length === 0 ? usual : sections[kind];
      return isObject(own) ? own : { rope_theta: 10_000 };
    };
    const full = section("full_attention", { rope_type: "proportional", partial_rotary_factor: 0.25, rope_theta: 1_000_000 });
    const local = section("sliding_attention", { rope_theta: 10_000 });
    if ((local["rope_type"] ?? "default") !== "default")
      model.refuse("rope_parameters", "positions of blocks with a window are scaled");
    if ((full["factor"] ?? 1) !== 1) model.refuse("rope_parameters", "positions of global blocks are scaled");
    const { headSize } = globalSizes(model);
    const share = full["rope_type"] === "proportional" ? Number(full["partial_rotary_factor"] ?? 1) : 1;
    const turned = Math.floor((share * headSize) / 2);
    model.numbers({ "rope.freq_base": Number(full["rope_theta"]), "rope.freq_base_swa": Number(local["rope_theta"]) });
    model.counts({ "rope.dimension_count": headSize, "rope.dimension_count_swa": model.number("head_dim") });
    model.vectors.set(
      "rope_freqs.weight",
      Float32Array.from({ length: headSize / 2 }, (_, pair) => (pair < turned ? 1 : unturned)),
    );
  },
};

const windows: MetadataField = {
  read: (contents) => ({
    sliding_window: contents.metadata.count("attention.sliding_window"),
    layer_types: layerTypesOf(slidingOfFile(contents, usualPeriod)),
  }),
  write: (model) => {
    model.counts({ "attention.sliding_window": model.number("sliding_window") });
    putSliding(model, localBlocks(model));
  },
};

/** Blocks at the end that read keys and values of earlier ones. llama.cpp takes those of the last two that make some. */
const sharedKeys: MetadataField = {
  read: ({ metadata }) => ({ num_kv_shared_layers: metadata.findCount("attention.shared_kv_layers") ?? 0 }),
  write: (model) => {
    const [shared, sliding] = [model.number("num_kv_shared_layers"), localBlocks(model)];
    const makers = sliding.length - shared;
    if (shared > 0 && (makers < 2 || at(sliding, makers - 1) || !at(sliding, makers - 2))) {
      model.refuse("num_kv_shared_layers", "the last blocks with keys of their own are not a local one and then a global one");
    }
    model.counts({ "attention.shared_kv_layers": shared });
  },
};

/** Width of MLPs: twice as wide where keys are shared, in some models. */
const widths: MetadataField = {
  read: ({ metadata }) => {
    const name = "feed_forward_length";
    const found = metadata.find(name);
    if (typeof found !== "object") return { intermediate_size: metadata.count(name), use_double_wide_mlp: false };
    const makers = metadata.count("block_count") - (metadata.findCount("attention.shared_kv_layers") ?? 0);
    const [inner] = found;
    if (typeof inner !== "number" || inner < 1) return metadata.broken(name, "a list of whole numbers, at least 1");
    const last = found[makers] ?? inner;
    const isDouble = last === 2 * inner;
    if (!found.every((width, block) => width === (block >= makers && isDouble ? last : inner))) {
      metadata.refuse(name, "blocks that share keys must be alike, and the others too");
    }
    return { intermediate_size: inner, use_double_wide_mlp: isDouble };
  },
  write: (model) => {
    const [inner, blocks] = [model.number("intermediate_size"), model.number("num_hidden_layers")];
    if (model.find("use_double_wide_mlp") !== true) return model.counts({ feed_forward_length: inner });
    const makers = blocks - model.number("num_kv_shared_layers");
    const value = Array.from({ length: blocks }, (_, block) => (block < makers ? inner : 2 * inner));
    return model.put("feed_forward_length", { type: "array", of: "i32", value });
  },
};

const perLayer: MetadataField = {
  read: (contents) => ({
    hidden_size_per_layer_input: contents.metadata.findCount("embedding_length_per_layer_input") ?? 0,
    vocab_size_per_layer_input: vocabularyOf(contents),
  }),
  write: (model) => model.counts({ embedding_length_per_layer_input: model.number("hidden_size_per_layer_input") }),
};

/** Experts beside the MLP of every block, in some models. */
const experts: MetadataField = {
  read: (contents) => {
    if (!hasTensor(contents, "blk.0.ffn_gate_inp.weight")) return { enable_moe_block: false };
    const { metadata } = contents;
    return {
      enable_moe_block: true,
      num_experts: metadata.count("expert_count"),
      top_k_experts: metadata.count("expert_used_count"),
      moe_intermediate_size: metadata.count("expert_feed_forward_length"),
    };
  },
  write: (model) => {
    if (model.find("enable_moe_block") !== true) return;
    model.counts({
      expert_count: model.number("num_experts"),
      expert_used_count: model.number("top_k_experts"),
      expert_feed_forward_length: model.number("moe_intermediate_size"),
    });
  },
};

/** The text model. */
export const gemma4: GgufForm = {
  className: "Gemma4ForCausalLM",
  prefix: "model.",
  tensors: new Map([
    ...gatedTensors(gatedParts.outerNorms, gatedParts.attention, gatedParts.headNorms, gatedParts.mlp),
    ["per_layer_token_embd", "embed_tokens_per_layer"],
    ["per_layer_model_proj", "per_layer_model_projection"],
    ["per_layer_proj_norm", "per_layer_projection_norm"],
    ...within("blk.{block}.", "layers.{block}.", [
      ["inp_gate", "per_layer_input_gate"],
      ["proj", "per_layer_projection"],
      ["post_norm", "post_per_layer_input_norm"],
      ["layer_output_scale", "layer_scalar{bare}"],
      ["ffn_gate_inp", "router.proj"],
      ["ffn_gate_inp.scale{bare}", "router.scale{bare}"],
      ["ffn_down_exps.scale{bare}", "router.per_expert_scale{bare}"],
      ["pre_ffw_norm_2", "pre_feedforward_layernorm_2"],
      ["post_ffw_norm_1", "post_feedforward_layernorm_1"],
      ["post_ffw_norm_2", "post_feedforward_layernorm_2"],
      ["ffn_gate_up_exps", "experts.{expert}.{gate_proj|up_proj}"],
      ["ffn_down_exps", "experts.{expert}.down_proj"],
    ]),
  ]),
  fields: [
    vocabulary(),
    count("embedding_length", "hidden_size"),
    widths,
    count("block_count", "num_hidden_layers"),
    count("attention.head_count", "num_attention_heads"),
    keyHeads,
    headSizes,
    activation("hidden_activation", "gelu_pytorch_tanh"),
    count("context_length", "max_position_embeddings"),
    number("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    rotaries,
    tied,
    withoutBiases("attention_bias"),
    bound("final_logit_softcapping", "final_logit_softcapping", 0),
    windows,
    sharedKeys,
    perLayer,
    experts,
  ],
};
