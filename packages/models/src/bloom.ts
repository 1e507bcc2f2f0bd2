import { integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { alibiSlopes } from "./alibi.ts";
import type { Architecture, ExpectedTensor, Layout, StepGraphShape, StepGraphValues, WeightInput } from "./architecture.ts";
import { causalAttention } from "./causal-attention.ts";
import type { ConfigReader } from "./config.ts";
import { BadDataError } from "@mbs/contracts";

interface BloomShape {
  readonly hidden: number;
  readonly heads: number;
  readonly epsilon: number;
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

function norm(graph: GraphBuilder, states: string, weight: WeightInput, role: string, { hidden, epsilon }: BloomShape): string {
  const inputs = [states, weight(`${role}.weight`, [hidden]), weight(`${role}.bias`, [hidden])];
  return graph.node("LayerNormalization", inputs, { attributes: { axis: -1, epsilon: { float: epsilon } } });
}

function linear(graph: GraphBuilder, input: string, weight: WeightInput, role: string, hidden: number): string {
  const [rows = 0, columns = 0] = linearShapes(hidden).get(role) ?? [];
  const inputs = [input, weight(`${role}.weight`, [rows, columns]), weight(`${role}.bias`, [rows])];
  return graph.node("Gemm", inputs, { attributes: { transB: 1 }, name: role });
}

/** [batch · length, heads · 3 · headSize], each head's query, key and value side by side → context. */
function attention(graph: GraphBuilder, qkv: string, { hidden, heads }: BloomShape, { batch, length }: StepGraphShape): string {
  const headSize = hidden / heads;
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const split = graph.node("Reshape", [qkv, integers(batch, length, heads, 3, headSize)]);
  const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
  const [query = "", key = "", value = ""] = graph
    .nodes("Split", [byPart], 3, { attributes: { axis: 0, num_outputs: 3 } })
    .map((part) => graph.node("Reshape", [part, integers(batch, heads, length, headSize)]));
  return causalAttention(graph, query, key, value, { batch, length, heads, headSize, slopes: alibiSlopes(heads) });
}

function buildStep(
  graph: GraphBuilder,
  states: string,
  weight: WeightInput,
  bloom: BloomShape,
  shape: StepGraphShape,
): StepGraphValues {
  const { hidden, residualAfterNorm } = bloom;
  const sites = new Map<string, string>();
  let awaited = shape.states ? Infinity : shape.sites.length;
  /** Notes a site's input; true when nothing after it is wanted. */
  const reached = (name: string, value: string): boolean => {
    if (shape.sites.includes(name)) {
      sites.set(name, value);
      awaited--;
    }
    return awaited === 0;
  };
  const finished = { sites, states: undefined };

  const normed = norm(graph, states, weight, "norm1", bloom);
  if (reached("attention-qkv", normed)) return finished;
  const context = attention(graph, linear(graph, normed, weight, "qkv", hidden), bloom, shape);
  if (reached("attention-output", context)) return finished;
  const attended = linear(graph, context, weight, "output", hidden);
  const middle = graph.node("Add", [attended, residualAfterNorm ? normed : states]);
  const normedMiddle = norm(graph, middle, weight, "norm2", bloom);
  if (reached("mlp-up", normedMiddle)) return finished;
  const up = linear(graph, normedMiddle, weight, "up", hidden);
  const activated = graph.node("Gelu", [up], { attributes: { approximate: "tanh" } });
  if (reached("mlp-down", activated)) return finished;
  const down = linear(graph, activated, weight, "down", hidden);
  return { sites, states: graph.node("Add", [down, residualAfterNorm ? normedMiddle : middle]) };
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
    epsilon: config.number("layer_norm_epsilon", 1e-5),
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
    buildEmbed: (graph, rows, weight) => norm(graph, rows, weight, "norm", bloom),
    buildStep: (graph, states, weight, shape) => buildStep(graph, states, weight, bloom, shape),
    buildHeadInput: (graph, states, weight) => norm(graph, states, weight, "norm", bloom),
  };
}

/** @see https://arxiv.org/abs/2211.05100 */
export const bloom: Architecture = { modelType: "bloom", layout };
