import { BadDataError } from "@mbs/contracts";
import { alibiSlopes } from "./alibi.ts";
import type { Architecture, ExpectedTensor, Layout, StepGraphValues } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { layerNorm } from "./norms.ts";
import type { NormShape } from "./norms.ts";
import type { SequenceGraph } from "./sequence-graph.ts";

interface BloomShape {
  readonly hidden: number;
  readonly heads: number;
  readonly norm: NormShape;
  /** Whether the residual is taken after the norm, as a few checkpoints ask. */
  readonly residualAfterNorm: boolean;
}

/** More than any model has; beyond it a configuration is broken, and its list of tensors would fill the memory. */
const mostBlocks = 10_000;

/** Role of each tensor of a block → its name after "h.N.". */
const blockRoles: ReadonlyMap<string, string> = new Map([
  ["norm1.weight", "input_layernorm.weight"],
  ["norm1.bias", "input_layernorm.bias"],
  ["qkv.weight", "self_attention.query_key_value.weight"],
  ["qkv.bias", "self_attention.query_key_value.bias"],
  ["output.weight", "self_attention.dense.weight"],
  ["output.bias", "self_attention.dense.bias"],
  ["norm2.weight", "post_attention_layernorm.weight"],
  ["norm2.bias", "post_attention_layernorm.bias"],
  ["up.weight", "mlp.dense_h_to_4h.weight"],
  ["up.bias", "mlp.dense_h_to_4h.bias"],
  ["down.weight", "mlp.dense_4h_to_h.weight"],
  ["down.bias", "mlp.dense_4h_to_h.bias"],
]);

const siteNames = ["attention-qkv", "attention-output", "mlp-up", "mlp-down"] as const;

function linearShapes(hidden: number): ReadonlyMap<string, readonly [number, number]> {
  return new Map([
    ["qkv", [3 * hidden, hidden]],
    ["output", [hidden, hidden]],
    ["up", [4 * hidden, hidden]],
    ["down", [hidden, 4 * hidden]],
  ]);
}

function blockTensors(step: string, hidden: number): ExpectedTensor[] {
  const linears = linearShapes(hidden);
  return [...blockRoles].map(([role, name]) => {
    const [part = "", kind] = role.split(".");
    const linear = linears.get(part);
    const shape = kind === "weight" ? (linear ?? [hidden]) : [linear?.[0] ?? hidden];
    return { name: `${step}.${name}`, shape, required: true };
  });
}

function buildStep(
  sequence: SequenceGraph,
  states: string,
  { hidden, heads, norm, residualAfterNorm }: BloomShape,
): StepGraphValues {
  const { graph } = sequence;
  const headSize = hidden / heads;
  const linear = (input: string, role: string): string => {
    const [rows = 0, columns = 0] = linearShapes(hidden).get(role) ?? [];
    return sequence.linear(input, { role, rows, columns, bias: true });
  };
  const normed = layerNorm(sequence, states, "norm1", norm);
  const [query = "", key = "", value = ""] = sequence.splitFusedHeads(linear(normed, "qkv"), heads, 3, headSize);
  const context = sequence.attend(query, key, value, {
    heads,
    kvHeads: heads,
    headSize,
    scale: 1 / Math.sqrt(headSize),
    slopes: alibiSlopes(heads),
  });
  const middle = graph.node("Add", [linear(context, "output"), residualAfterNorm ? normed : states]);
  const normedMiddle = layerNorm(sequence, middle, "norm2", norm);
  const activated = graph.node("Gelu", [linear(normedMiddle, "up")], { attributes: { approximate: "tanh" } });
  const values = [normed, context, normedMiddle, activated];
  return {
    sites: new Map(siteNames.map((name, site) => [name, values[site] ?? ""])),
    states: graph.node("Add", [linear(activated, "down"), residualAfterNorm ? normedMiddle : middle]),
  };
}

function layout(config: ConfigReader): Layout {
  const hidden = config.count("hidden_size", "n_embed");
  const blocks = config.count("n_layer", "num_hidden_layers");
  const heads = config.count("n_head", "num_attention_heads");
  const vocabulary = config.count("vocab_size");
  if (blocks > mostBlocks) {
    throw new BadDataError(`config.json: n_layer ${blocks} is above ${mostBlocks}; correct the configuration`, { blocks });
  }
  if (hidden % heads !== 0) {
    throw new BadDataError(`config.json: hidden_size ${hidden} is no multiple of n_head ${heads}; correct the configuration`, {
      hidden,
      heads,
    });
  }
  const tied = config.flag("tie_word_embeddings", true);
  const bloom: BloomShape = {
    hidden,
    heads,
    norm: { size: hidden, epsilon: config.number("layer_norm_epsilon", 1e-5) },
    residualAfterNorm: config.flag("apply_residual_connection_post_layernorm", false),
  };
  const linears = [...linearShapes(hidden)];
  const steps = Array.from({ length: blocks }, (_, index) => ({
    name: `h.${index}`,
    sites: linears.map(([role, [rows, width]], site) => ({
      name: siteNames[site] ?? "",
      width,
      weights: [{ tensor: `h.${index}.${blockRoles.get(`${role}.weight`) ?? ""}`, rows }],
    })),
  }));
  const vector = (name: string): ExpectedTensor => ({ name, shape: [hidden], required: true });
  return {
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: config.optionalCount("seq_length"),
    steps,
    prefixes: ["transformer."],
    embedding: "word_embeddings.weight",
    head: tied ? "word_embeddings.weight" : "lm_head.weight",
    tensors: [
      { name: "word_embeddings.weight", shape: [vocabulary, hidden], required: true },
      vector("word_embeddings_layernorm.weight"),
      vector("word_embeddings_layernorm.bias"),
      ...steps.flatMap(({ name }) => blockTensors(name, hidden)),
      vector("ln_f.weight"),
      vector("ln_f.bias"),
      // A tied checkpoint may repeat the embedding here; like transformers, the embedding is then what counts.
      { name: "lm_head.weight", shape: [vocabulary, hidden], required: !tied },
    ],
    embedRoles: new Map([
      ["norm.weight", "word_embeddings_layernorm.weight"],
      ["norm.bias", "word_embeddings_layernorm.bias"],
    ]),
    headRoles: new Map([
      ["norm.weight", "ln_f.weight"],
      ["norm.bias", "ln_f.bias"],
    ]),
    stepRoles: (index) => new Map([...blockRoles].map(([role, name]) => [role, `h.${index}.${name}`])),
    stepKind: () => "",
    buildEmbed: (embed, rows) => layerNorm(embed, rows, "norm", bloom.norm),
    buildStep: (sequence, states) => buildStep(sequence, states, bloom),
    buildHeadInput: (rows, states) => layerNorm(rows, states, "norm", bloom.norm),
  };
}

/** @see https://arxiv.org/abs/2211.05100 */
export const bloom: Architecture = { modelType: "bloom", layout };
