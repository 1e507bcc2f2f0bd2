import { FailedPreconditionError, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { editedConfig, hasFile, isInTransformersJs, jsonFile, requireFiniteWeights } from "@mbs/models";
import type { ArchitectureModel, Model, OutputFile } from "@mbs/models";
import { elementTypeNumbers } from "@mbs/onnx";
import type { Format, FormattedModel } from "../format.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { quantisedParts } from "../layers/quantised-layer.ts";
import { buildDecoderGraph } from "./decoder-graph.ts";
import { checkGraph, rewriteGraph } from "./rewritten-graph.ts";
import type { AccuracyLevel } from "./weights/quantised-linear.ts";
import { planGrid, plannedWeightBytes } from "./weights/quantised-weight.ts";
import { plannedTableBytes, planTable, refuseTwoRoundings, storedTableBytes } from "./weights/token-table.ts";
import { WeightFiles } from "./weights/weight-files.ts";
import { storedBytes } from "./weights/weight-store.ts";

/** A sentence for the user where transformers.js will not load the folder. */
export const transformersJsWarning = (modelType: string): string | undefined =>
  isInTransformersJs(modelType)
    ? undefined
    : `transformers.js has no class for model_type ${modelType}: the ONNX file is for other programs`;

/** The weights that config.json names for transformers.js. */
interface HubHints {
  /** Name of the model file's kind there: "q4" for model_q4.onnx, "fp32" for model.onnx. */
  readonly dtype: "q4" | "fp32";
  readonly file: string;
  /** How many files of weights it has. */
  readonly weightFiles: number;
  /** Of the cache of keys and values; absent in an encoder, which has none. */
  readonly cacheType: string | undefined;
}

/**
 * The files around an ONNX model that transformers.js reads before it and that the source has not as they must be:
 * config.json with hints on the weight files, and a tokenizer_config.json where there is none.
 *
 * @param model the one that was compressed
 */
async function hubFiles(model: Model, { dtype, file, weightFiles, cacheType }: HubHints): Promise<OutputFile[]> {
  const hints = {
    dtype,
    ...(cacheType !== undefined && { kv_cache_dtype: cacheType }),
    use_external_data_format: { [file]: weightFiles },
  };
  const tokenizer = "tokenizer_config.json";
  return [
    // how the source's weights were packed says nothing of those written here
    await editedConfig(model, { quantization_config: undefined, "transformers.js_config": hints }),
    ...((await hasFile(model.files, tokenizer)) ? [] : [jsonFile(tokenizer, { tokenizer_class: "PreTrainedTokenizerFast" })]),
  ];
}

const options = {
  threeBit: {
    kind: "choice",
    choices: ["planes", "nibbles"],
    default: "planes",
    description: "3-bit codes as planes of 2 and 1 bits (small on disk) or in 4 bits (fast to load)",
  },
  accuracyLevel: {
    kind: "choice",
    choices: ["0", "1", "4"],
    default: "0",
    description: "how MatMulNBits multiplies: 0 and 1 in float32, 4 with activations rounded to 8 bits (fast)",
  },
  embeddings: {
    kind: "choice",
    choices: ["f32", "f16", "int8", "int4"],
    optional: true,
    description: "how embedding and head are stored; default: as in the source",
  },
} as const satisfies OptionTable;

const folder = "onnx";

interface ModelFile {
  readonly file: string;
  /** What transformers.js calls it. */
  readonly dtype: "q4" | "fp32";
}

const modelFile = (layers: ScratchLayers): ModelFile => {
  const quantised = [...layers.summaries.keys()].some((tensor) => layers.has(tensor, "codes"));
  return quantised ? { file: "model_q4.onnx", dtype: "q4" } : { file: "model.onnx", dtype: "fp32" };
};

/** @throws {UsageError} for an ONNX model's own tables, which are not rewritten */
function refuseEmbeddings(embeddings: string | undefined): void {
  if (embeddings === undefined) return;
  throw new UsageError("--embeddings is for models of safetensors: those of an ONNX model stay as they are; leave it out");
}

/** What a model has that no exported decoder has; undefined for nothing. */
function unexported(layout: ArchitectureModel["layout"]): string | undefined {
  const { carried = [], tokenInput, keepsState, blocks } = layout;
  if (keepsState === true) return "blocks with linear attention";
  if (carried.length > 0) return `${carried.join(" and ")} beside its language model`;
  if (tokenInput !== undefined) return tokenInput.table;
  // transformers.js takes the length of the texts before from the keys
  const attending = blocks.filter(({ sites }) => sites.some(({ name }) => name.startsWith("attention-qkv")));
  if (attending.length === 0) return "no block that attends to tokens";
  const shapes = new Set(
    attending.map(({ sites }) => JSON.stringify(sites.map(({ weights }) => weights.map(({ rows }) => rows)))),
  );
  return shapes.size > 1 ? "blocks of different sizes" : undefined;
}

/**
 * @throws {FailedPreconditionError} for a language model beside others, for which transformers.js looks too; for one whose blocks
 *   read tokens one after the other, or a table by the token; for one without keys; and for one whose keys would be of different
 *   shapes: programs make their caches of config.json
 */
function refuseUnexported({ path, layout }: ArchitectureModel): void {
  const found = unexported(layout);
  if (found === undefined) return;
  throw new FailedPreconditionError(
    `${path} has ${found}, which --format onnx does not export; take --format gguf, gptq, compressed-tensors or dense`,
    { model: path },
  );
}

/** A graph, what it reads, and the files around it. */
async function formatted(
  model: Model,
  { file, dtype }: ModelFile,
  weights: WeightFiles,
  graph: {
    readonly content: OutputFile["content"];
    readonly compressedBytes: number;
    readonly bytes: number;
    readonly tables?: ReadonlyMap<string, number>;
  },
  cacheType: string | undefined,
): Promise<FormattedModel> {
  return {
    files: [
      { path: `${folder}/${file}`, content: graph.content },
      ...weights.names.map((name) => ({ path: `${folder}/${name}`, content: () => weights.write(name) })),
      ...(await hubFiles(model, { dtype, file, weightFiles: weights.names.length, cacheType })),
    ],
    compressedBytes: graph.compressedBytes,
    bytes: graph.bytes,
    ...(graph.tables && { tables: graph.tables }),
  };
}

/** A decoder with its cache, or an encoder, as ONNX Runtime runs it, in the folder that transformers.js expects. */
export const onnxFormat: Format = {
  name: "onnx",
  withoutLayers: true,
  stacks: ["decoder", "encoder"],
  holds: () => [{ kind: "groups", bits: [2, 3, 4, 8], zeroPoints: "any" }],
  options,
  parts: quantisedParts,
  checkPlan(model, { grids, embeddings }, raw) {
    const chosen = parseOptions(options, raw, "assemble --format onnx");
    if (model.kind === "graph") {
      refuseEmbeddings(chosen.embeddings);
      checkGraph(
        model,
        grids.map(({ grid }) => grid.bits),
        chosen,
      );
    }
    if (model.kind === "architecture") refuseUnexported(model);
    for (const grid of grids) planGrid(grid);
    for (const grid of embeddings) planTable(grid);
    if (embeddings.length > 0) refuseTwoRoundings(chosen.embeddings);
  },
  plannedBytes(model, { grids, embeddings }, raw) {
    const { threeBit, embeddings: storage } = parseOptions(options, raw, "assemble --format onnx");
    const coded = [
      ...grids.map((layer) => ({ ...layer, bytes: plannedWeightBytes(layer, threeBit) })),
      ...embeddings.map((grid) => ({ ...grid, bytes: plannedTableBytes(grid) })),
    ];
    const bytesOf = new Map(coded.map(({ tensor, bytes }) => [tensor, bytes]));
    const tables = new Set([model.layout.embedding, model.layout.head]);
    const others = model.checkpoint
      .list()
      .filter(({ name }) => !bytesOf.has(name))
      .map((info) => (tables.has(info.name) ? storedTableBytes(info, storage) : storedBytes(info)));
    return Promise.resolve([...bytesOf.values(), ...others].reduce((sum, bytes) => sum + bytes, 0));
  },
  plan(model, layers, raw, { warn }) {
    refuseUnexported(model);
    const warning = transformersJsWarning(model.architecture);
    if (warning !== undefined) warn(warning);
    const { threeBit, accuracyLevel, embeddings } = parseOptions(options, raw, "assemble --format onnx");
    const name = modelFile(layers);
    const weights = new WeightFiles(name.file);
    const accuracy = Number(accuracyLevel) as AccuracyLevel;
    const cacheType = model.stacks === "encoder" ? undefined : "float32";
    const graph = buildDecoderGraph(model, layers, weights, { threeBit, accuracyLevel: accuracy, embeddings });
    return formatted(model, name, weights, { ...graph, content: () => [graph.model], bytes: weights.bytes }, cacheType);
  },
  async planGraph(model, layers, raw) {
    const { threeBit, accuracyLevel, embeddings } = parseOptions(options, raw, "assemble --format onnx");
    refuseEmbeddings(embeddings);
    const name = modelFile(layers);
    const weights = new WeightFiles(name.file);
    const graph = rewriteGraph(model, layers, weights, { threeBit, accuracyLevel: Number(accuracyLevel) as AccuracyLevel });
    await requireFiniteWeights(model, graph.inline);
    const inlineBytes = graph.inline.reduce((sum, tensor) => sum + model.checkpoint.info(tensor).bytes, 0);
    const past = model.graph.inputs.find((input) => input.name.startsWith("past"));
    const ofPast = past?.type === elementTypeNumbers.float16 ? "float16" : "float32";
    const cacheType = model.stacks === "encoder" ? undefined : ofPast;
    return formatted(model, name, weights, { ...graph, bytes: weights.bytes + inlineBytes }, cacheType);
  },
};
