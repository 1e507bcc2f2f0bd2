import type { GgufContents, MetadataField } from "./gguf-form.ts";
import { hasTensor, haveBiases, sideOf, vocabularyOf } from "./gguf-form.ts";
import type { ModelSettings } from "./model-settings.ts";

/* The rows of a type's table: a name of the metadata, after the architecture's, beside a key of config.json. */

/** A whole number, at least 1, that every file has. */
export const count = (name: string, key: string): MetadataField => ({
  read: ({ metadata }) => ({ [key]: metadata.count(name) }),
  write: (model) => model.counts({ [name]: model.number(key) }),
});

/** A number that every file has. */
export const number = (name: string, key: string): MetadataField => ({
  read: ({ metadata }) => ({ [key]: metadata.number(name) }),
  write: (model) => model.numbers({ [name]: model.number(key) }),
  float: key,
});

/** A factor, which files may leave out. As in llama.cpp, 0 stands for none. @param none what config.json then has */
export const factor = (name: string, key: string, none: (contents: GgufContents) => number = () => 1): MetadataField => ({
  read: (contents) => ({ [key]: contents.metadata.findNumber(name) || none(contents) }),
  write: (model) => model.numbers({ [name]: model.number(key) }),
  float: key,
});

/** A bound, null in config.json where there is none. @param none what files then have; undefined for nothing */
export const bound = (name: string, key: string, none?: 0): MetadataField => ({
  read: ({ metadata }) => ({ [key]: metadata.findNumber(name) || null }),
  write: (model) => model.numbers({ [name]: model.findNumber(key) ?? none }),
  float: key,
});

/** What config.json says of every model, because files of the architecture do not: they are written of such models alone. */
export const always = (settings: Readonly<Record<string, unknown>>, write?: (model: ModelSettings) => void): MetadataField => ({
  read: () => settings,
  ...(write && { write }),
});

/** The one activation that llama.cpp has for the architecture. @param names by which config.json calls it, the first is read */
export const activation = (key: string, ...names: readonly [string, ...string[]]): MetadataField =>
  always({ [key]: names[0] }, (model) => {
    const name = model.find(key);
    if (typeof name !== "string" || !names.includes(name)) model.refuse(key, `the activation is ${JSON.stringify(name)}`);
  });

/** A flag that is true where layers of a block have biases. @param layers "attn_q" */
export const biases = (key: string, ...layers: readonly string[]): MetadataField => ({
  read: (contents) => ({ [key]: haveBiases(contents, layers) }),
});

/** A size that a side of a tensor tells. @param names of metadata that may say it too */
export const side = (key: string, tensor: string, at: number, ...names: readonly string[]): MetadataField => ({
  read: (contents) => {
    for (const name of names) contents.metadata.find(name);
    return { [key]: sideOf(contents, tensor, at) };
  },
  write: (model) => model.counts(Object.fromEntries(names.map((name) => [name, model.number(key)]))),
});

/** Metadata that files may have and that say nothing more: without this they would be named as not read. */
export const redundant = (...names: readonly string[]): MetadataField => ({
  read: ({ metadata }) => {
    for (const name of names) metadata.find(name);
    return {};
  },
});

/** Rows of the embedding. @param isWritten whether the converter writes them; the tokens of a file are as many */
export const vocabulary = (isWritten = false): MetadataField => ({
  read: (contents) => {
    contents.metadata.find("vocab_size");
    return { vocab_size: vocabularyOf(contents) };
  },
  ...(isWritten && { write: (model: ModelSettings) => model.counts({ vocab_size: model.number("vocab_size") }) }),
});

/** The embedding is the head of a file that has none. */
export const tied: MetadataField = {
  read: (contents) => ({ tie_word_embeddings: !hasTensor(contents, "output.weight") }),
};

/** llama.cpp takes no head besides the embedding. */
export const onlyTied: MetadataField = always({ tie_word_embeddings: true }, (model) => {
  if (model.find("tie_word_embeddings") !== true) model.refuse("tie_word_embeddings", "the head is a matrix of its own");
});

/** llama.cpp asks for a head besides the embedding. */
export const neverTied: MetadataField = always({ tie_word_embeddings: false }, (model) => {
  if (model.find("tie_word_embeddings") === true) model.refuse("tie_word_embeddings", "the head is the embedding");
});

/**
 * Heads of a type in which each has keys of its own.
 *
 * @param isKvWritten whether the converter writes their number of the keys too
 */
export const equalHeads = (key: string, isKvWritten = false): MetadataField => ({
  read: ({ metadata }) => {
    const heads = metadata.count("attention.head_count");
    const kvHeads = metadata.findCount("attention.head_count_kv");
    if (kvHeads !== undefined && kvHeads !== heads)
      metadata.refuse("attention.head_count_kv", `heads of this type have keys of their own: ${heads}`);
    return { [key]: heads };
  },
  write: (model) => {
    const heads = model.number(key);
    model.counts({ "attention.head_count": heads, ...(isKvWritten && { "attention.head_count_kv": heads }) });
  },
});

/** Metadata of sizes in the order in which the converter writes them. */
export const sizeOrder: readonly string[] = [
  "expert_count",
  "expert_used_count",
  "expert_feed_forward_length",
  "expert_shared_feed_forward_length",
  "context_length",
  "embedding_length",
  "block_count",
  "feed_forward_length",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.layer_norm_epsilon",
  "attention.layer_norm_rms_epsilon",
  "attention.key_length",
  "attention.value_length",
  "vocab_size",
];

/** Metadata of rotary positions, in order. */
export const rotaryOrder: readonly string[] = [
  "rope.freq_base",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scaling.yarn_attn_factor",
  "rope.scaling.yarn_beta_fast",
  "rope.scaling.yarn_beta_slow",
  "rope.scaling.original_context_length",
];

/** The order of the metadata in a file. Others follow, in the order of their fields. */
export const metadataOrder: readonly string[] = [
  ...sizeOrder,
  "rope.dimension_count",
  "embedding_scale",
  "attention.scale",
  "residual_scale",
  "logit_scale",
  "attention.sliding_window",
  "attn_logit_softcapping",
  "final_logit_softcapping",
  ...rotaryOrder,
];
