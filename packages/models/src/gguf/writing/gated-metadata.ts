import { largestGemma } from "../architectures/gemma-models.ts";
import type { HeadCounts } from "../architectures/tensor-forms.ts";
import type { ModelSettings } from "./model-settings.ts";
import { putRotary, rotarySection, turnedShare } from "./rotary-metadata.ts";

/* Metadata of the Llama family: the inverse of gated-models.ts and gemma-models.ts. */

/** Writes the metadata of one model type. @returns the heads, by which rows of queries and keys are ordered */
export type MetadataWriter = (model: ModelSettings) => HeadCounts;

const headSizeOf = (model: ModelSettings): number =>
  model.findNumber("head_dim") ?? model.number("hidden_size") / model.number("num_attention_heads");

/** @throws {FailedPreconditionError} where the model has another activation than llama.cpp's architecture */
export function requireActivation(model: ModelSettings, key: string, names: readonly string[]): void {
  const name = model.find(key);
  if (typeof name !== "string" || !names.includes(name)) model.refuse(key, `the activation is ${JSON.stringify(name)}`);
}

function putSizes(model: ModelSettings): HeadCounts {
  const heads = model.number("num_attention_heads");
  const kvHeads = model.findNumber("num_key_value_heads") ?? heads;
  if (model.find("hidden_act") !== undefined) requireActivation(model, "hidden_act", ["silu", "swish"]);
  else requireActivation(model, "hidden_activation", ["gelu_pytorch_tanh"]);
  model.counts({
    context_length: model.number("max_position_embeddings"),
    embedding_length: model.number("hidden_size"),
    block_count: model.number("num_hidden_layers"),
    feed_forward_length: model.number("intermediate_size"),
    "attention.head_count": heads,
    "attention.head_count_kv": kvHeads,
  });
  model.numbers({ "attention.layer_norm_rms_epsilon": model.number("rms_norm_eps") });
  return { heads, kvHeads };
}

function putHeadSize(model: ModelSettings): void {
  const size = headSizeOf(model);
  model.counts({ "attention.key_length": size, "attention.value_length": size });
}

/** Windows that files of the architecture do not hold: longer texts give other results. */
function noteWindow(model: ModelSettings, window = model.findNumber("sliding_window")): void {
  if (window === undefined || window >= model.number("max_position_embeddings")) return;
  model.notes.push(
    `GGUF files of architecture ${model.architecture} say nothing of a sliding window: texts of more than ${window} tokens give other results in llama.cpp`,
  );
}

function putLlama(model: ModelSettings): HeadCounts {
  const heads = putSizes(model);
  putHeadSize(model);
  model.counts({ vocab_size: model.number("vocab_size"), "rope.dimension_count": headSizeOf(model) });
  putRotary(model, rotarySection(model), headSizeOf(model));
  return heads;
}

export const llama: MetadataWriter = putLlama;

export const mistral: MetadataWriter = (model) => {
  noteWindow(model);
  return putLlama(model);
};

export const mixtral: MetadataWriter = (model) => {
  noteWindow(model);
  model.counts({ expert_count: model.number("num_local_experts"), expert_used_count: model.number("num_experts_per_tok") });
  return putLlama(model);
};

export const granite: MetadataWriter = (model) => {
  const heads = putSizes(model);
  model.counts({ vocab_size: model.number("vocab_size"), "rope.dimension_count": headSizeOf(model) });
  model.numbers({
    embedding_scale: model.number("embedding_multiplier"),
    "attention.scale": model.number("attention_multiplier"),
    residual_scale: model.number("residual_multiplier"),
    logit_scale: model.number("logits_scaling"),
  });
  putRotary(model, rotarySection(model), headSizeOf(model));
  return heads;
};

const qwen: MetadataWriter = (model) => {
  if (model.find("use_sliding_window") === true) noteWindow(model);
  const heads = putSizes(model);
  putHeadSize(model);
  putRotary(model, rotarySection(model), headSizeOf(model));
  return heads;
};

export const qwen2 = qwen;
export const qwen3 = qwen;

export const qwen2Moe: MetadataWriter = (model) => {
  if (model.find("norm_topk_prob") === true) model.refuse("norm_topk_prob", "shares of the chosen experts are made to sum to 1");
  model.counts({
    expert_count: model.number("num_experts"),
    expert_used_count: model.number("num_experts_per_tok"),
    expert_feed_forward_length: model.number("moe_intermediate_size"),
    expert_shared_feed_forward_length: model.number("shared_expert_intermediate_size"),
  });
  return qwen(model);
};

export const phi3: MetadataWriter = (model) => {
  const heads = putSizes(model);
  const turned = Math.floor(headSizeOf(model) * (turnedShare(model) ?? 1));
  const section = rotarySection(model);
  model.counts({
    "rope.scaling.original_context_length": model.number("original_max_position_embeddings"),
    "rope.dimension_count": turned,
    "attention.sliding_window": model.findNumber("sliding_window") ?? 0,
  });
  putRotary(model, section, turned, true);
  return heads;
};

/** llama.cpp takes the scale of queries from the number of blocks. */
function requireQueryScale(model: ModelSettings, blocksOfLargest: number): void {
  const [hidden, heads] = [model.number("hidden_size"), model.number("num_attention_heads")];
  const scale = model.number("num_hidden_layers") === blocksOfLargest ? Math.floor(hidden / heads) : headSizeOf(model);
  if (model.number("query_pre_attn_scalar") !== scale) model.refuse("query_pre_attn_scalar", `it is not ${scale}`);
}

/** Whether each block sees a window only. @param period every how many blocks one sees the whole text */
function slidingBlocks(model: ModelSettings, period: number): readonly boolean[] {
  const types = model.find("layer_types");
  if (Array.isArray(types)) return types.map((type) => type === "sliding_attention");
  return Array.from({ length: model.number("num_hidden_layers") }, (_, block) => (block + 1) % period !== 0);
}

export const gemma2: MetadataWriter = (model) => {
  const heads = putSizes(model);
  putHeadSize(model);
  requireQueryScale(model, largestGemma.gemma2);
  if (!slidingBlocks(model, 2).every((sliding, block) => sliding === (block % 2 === 0))) {
    model.refuse("layer_types", "not every second block sees the whole text");
  }
  model.counts({ "attention.sliding_window": model.number("sliding_window") });
  model.numbers({
    attn_logit_softcapping: model.findNumber("attn_logit_softcapping") ?? 0,
    final_logit_softcapping: model.findNumber("final_logit_softcapping") ?? 0,
  });
  putRotary(model, rotarySection(model), headSizeOf(model));
  return heads;
};

export const gemma3: MetadataWriter = (model) => {
  const heads = putSizes(model);
  putHeadSize(model);
  requireQueryScale(model, largestGemma.gemma3);
  const parameters = model.section("rope_parameters");
  const kinds = ["full_attention", "sliding_attention"].map((kind) => parameters[kind]);
  const [full, local] = kinds.map((part) => (typeof part === "object" && part !== null ? (part as Record<string, unknown>) : {}));
  putRotary(model, { rope_theta: model.findNumber("rope_theta"), ...full, ...model.section("rope_scaling") }, headSizeOf(model));
  const period = model.number("sliding_window_pattern");
  const sliding = slidingBlocks(model, period);
  model.numbers({ final_logit_softcapping: model.findNumber("final_logit_softcapping") });
  if (!sliding.includes(true)) return heads;
  const localBase = local?.["rope_theta"];
  model.numbers({
    "rope.freq_base_swa": typeof localBase === "number" ? localBase : model.findNumber("rope_local_base_freq"),
  });
  if (typeof local?.["rope_type"] === "string" && local["rope_type"] !== "default") {
    model.refuse("rope_parameters", "positions of blocks with a window are scaled");
  }
  model.counts({ "attention.sliding_window": model.number("sliding_window") });
  // what llama.cpp takes where the file says nothing
  if (!sliding.every((isLocal, block) => isLocal === ((block + 1) % 6 !== 0))) {
    model.put("attention.sliding_window_pattern", { type: "array", of: "bool", value: sliding });
  }
  return heads;
};
