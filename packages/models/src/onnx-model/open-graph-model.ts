import { createHash } from "node:crypto";
import { InternalError } from "@mbs/contracts";
import type { WeightDtype } from "@mbs/numbers";
import { nodeText, readGraphFile, withFlagsOff } from "@mbs/onnx";
import type { ByteSource, GraphFile } from "@mbs/onnx";
import type { Block } from "../architectures/layout.ts";
import { createCheckpoint } from "../checkpoint/checkpoint.ts";
import type { ReadOptions } from "../checkpoint/checkpoint.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { createWeightReader } from "../checkpoint/weight-reader.ts";
import { count, nullable } from "../config/config-keys.ts";
import { readConfig } from "../config/config.ts";
import { readTrimming } from "../config/trimming-record.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { modelAddress } from "../folder/model-address.ts";
import type { AddressOptions } from "../folder/model-address.ts";
import { readDescription } from "../folder/model-description.ts";
import type { GraphModel } from "../folder/model.ts";
import { openFile } from "../folder/open-file.ts";
import type { OpenFile } from "../folder/open-file.ts";
import { enclosedPassages, plainPassages } from "../forward/passages.ts";
import { hiddenStream } from "../forward/streams.ts";
import { checkInputs } from "./graph-feeds.ts";
import { createGraphForward, graphRounds } from "./graph-forward.ts";
import { outlineGraph } from "./graph-outline.ts";
import type { GraphOutline } from "./graph-outline.ts";
import { openGraphTensors } from "./graph-tensors.ts";

const byteSource = (file: OpenFile): ByteSource => ({
  path: file.path,
  size: file.size,
  read(offset, length) {
    const bytes = new Uint8Array(length);
    file.readInto(offset, bytes);
    return bytes;
  },
});

const pieceBytes = 4 * 1024 * 1024;

/** Hash of a model's file without the values of its tensors, which the address counts by themselves. */
function hashGraph({ source, tensors }: GraphFile): Uint8Array {
  const hash = createHash("sha256");
  const values = [...tensors.values()].flatMap(({ inline }) => inline ?? []).sort((a, b) => a.offset - b.offset);
  let at = 0;
  for (const { offset, length } of [...values, { offset: source.size, length: 0 }]) {
    for (; at < offset; at = Math.min(offset, at + pieceBytes)) hash.update(source.read(at, Math.min(pieceBytes, offset - at)));
    at = offset + length;
  }
  return hash.digest();
}

const blocksOf = ({ blocks }: GraphOutline): Block[] =>
  blocks.map(({ name, sites }) => ({
    name,
    stream: hiddenStream,
    reads: [],
    sites: sites.map((site) => ({
      name: site.name,
      width: site.width,
      weights: site.weights.map(({ tensor, rows, transposed }) => ({ tensor, rows, ...(transposed && { transposed }) })),
    })),
  }));

function notesOf({ byName, blocks, unreached, quantised }: GraphOutline): string[] {
  return [
    ...(byName
      ? []
      : [`the names show no blocks: the graph was cut into ${blocks.length} blocks, wherever all data flows through one value`]),
    ...unreached.map(({ tensor, reason }) => `weight ${tensor} stays as it is: it ${reason}`),
    ...quantised.map((node) => `${nodeText(node)} has a weight that is quantised already, which stays as it is`),
  ];
}

/** That of a weight; float32, in which the engine computes, where all weights are quantised. */
function dtypeOf(checkpoint: Checkpoint, tensor: string | undefined): WeightDtype {
  if (tensor === undefined) return "f32";
  const { dtype } = checkpoint.info(tensor);
  if (dtype === undefined) throw new InternalError(`weight ${tensor} is no F32, F16 or BF16`, { tensor });
  return dtype;
}

const size = nullable(count(0));

/** Names that architectures have for sizes; the first that is there counts. */
const hiddenKeys = { hidden_size: size, n_embed: size, n_embd: size, d_model: size };
const headKeys = { num_attention_heads: size, n_head: size, num_heads: size, attention_heads: size };
const contextKeys = { seq_length: size, max_position_embeddings: size, n_positions: size, n_ctx: size, max_seq_len: size };
const vocabularyKeys = { vocab_size: size };

/** Sizes that the graph does not tell, from config.json. */
function readSizes(json: JsonObject, file: string) {
  const { values, broken } = readConfig(
    json,
    { ...hiddenKeys, ...headKeys, ...contextKeys, ...vocabularyKeys },
    { file, unknown: [] },
  );
  const first = (keys: object): number | undefined =>
    Object.entries(values).find(([key, value]) => Object.hasOwn(keys, key) && value !== null)?.[1] ?? undefined;
  const wanted = "a whole number, at least 1";
  return {
    hidden: () => first(hiddenKeys) ?? broken("hidden_size", wanted),
    vocabulary: () => first(vocabularyKeys) ?? broken("vocab_size", wanted),
    // only a cache whose batch and heads are one dimension depends on it
    heads: first(headKeys) ?? 1,
    context: first(contextKeys),
  };
}

/** Weights of sites, the embedding, and vectors, which are norms and biases; other matrices may be masks. */
const readTensors = (checkpoint: Checkpoint, matrices: readonly (string | undefined)[]): ReadonlySet<string> =>
  new Set(
    checkpoint
      .list()
      .flatMap(({ name, dtype, shape }) =>
        dtype !== undefined && (shape.length === 1 || matrices.includes(name)) ? [name] : [],
      ),
  );

/**
 * Opens a model folder whose weights are an ONNX decoder's or encoder's.
 *
 * @param graphPath of the model's file
 * @throws {BadDataError} where a file is broken, or names values at a location that is not allowed
 * @throws {FailedPreconditionError} for a graph that is no decoder or encoder of tokens, or with an unknown input
 */
export async function openGraphModel(
  folder: string,
  graphPath: string,
  options: ReadOptions & AddressOptions,
): Promise<GraphModel> {
  const file = openFile(graphPath);
  let close = (): void => file.close();
  try {
    const graph = withFlagsOff(readGraphFile(byteSource(file)));
    const { files, fileOffsets, shared } = openGraphTensors(folder, graph, file);
    const checkpoint = createCheckpoint(files, options);
    close = () => checkpoint.close();
    const weightFiles = files.map(({ path }) => path);
    const { config: json, configFile, parts, ...description } = await readDescription(folder);
    const sizes = readSizes(json, configFile);
    const outline = outlineGraph(graph, shared);
    checkInputs(graph, outline.tokens);
    const blocks = blocksOf(outline);
    const weights = blocks.flatMap(({ sites }) =>
      sites.flatMap((site) => site.weights.map((weight) => ({ ...weight, width: site.width }))),
    );
    const hiddenSize = outline.embedding?.width ?? sizes.hidden();
    const vocabularySize = outline.embedding?.vocabulary ?? sizes.vocabulary();
    const shape = { hiddenSize, vocabularySize, heads: sizes.heads, contextLength: sizes.context };
    const { model_type: modelType } = json;
    return {
      ...description,
      kind: "graph",
      path: folder,
      weightFiles,
      address: await modelAddress(folder, weightFiles, checkpoint, new Map([...parts, ["graph", hashGraph(graph)]]), options),
      architecture: typeof modelType === "string" ? modelType : "onnx",
      dtype: dtypeOf(checkpoint, weights[0]?.tensor ?? outline.embedding?.tensor),
      hiddenSize,
      stateWidth: hiddenSize,
      vocabularySize,
      trimming: readTrimming(json, configFile, vocabularySize),
      contextLength: sizes.context,
      // a graph does not say whether it ends where its configuration does
      positionLimit: undefined,
      blocks,
      stacks: outline.isEncoder ? "encoder" : "decoder",
      streams: [hiddenStream],
      graph,
      outline,
      fileOffsets,
      checkpoint,
      reads: readTensors(checkpoint, [...weights.map(({ tensor }) => tensor), outline.embedding?.tensor]),
      readWeight: createWeightReader(
        checkpoint,
        weights.map(({ tensor, rows, width, transposed = false }) => ({
          name: tensor,
          shape: [rows, width],
          required: true,
          transposed,
        })),
      ),
      notes: notesOf(outline),
      passages: async () => (outline.isEncoder ? enclosedPassages((await description.tokenizer()).ends) : plainPassages),
      siteRounds: (block) => graphRounds(graph, outline, block),
      forward: (given) => Promise.resolve(createGraphForward(graph, outline, checkpoint, shape, given)),
      close: () => Promise.resolve(checkpoint.close()),
    };
  } catch (error) {
    close();
    throw error;
  }
}
