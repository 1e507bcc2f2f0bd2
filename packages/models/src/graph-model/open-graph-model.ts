import { createHash } from "node:crypto";
import { nodeText, readGraphFile, withFlagsOff } from "@mbs/onnx";
import type { ByteSource, GraphFile } from "@mbs/onnx";
import { createCheckpoint } from "../checkpoint.ts";
import { readConfig } from "../config.ts";
import { modelAddress } from "../model-address.ts";
import { readDescription } from "../model-description.ts";
import type { GraphModel, Step } from "../model.ts";
import { openFile } from "../open-file.ts";
import type { OpenFile } from "../open-file.ts";
import { plainPassages } from "../passages.ts";
import { hiddenStream } from "../streams.ts";
import { createWeightReader } from "../weight-reader.ts";
import { checkInputs } from "./graph-feeds.ts";
import { createGraphForward } from "./graph-forward.ts";
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

/** Hash of a model's file without the values of its tensors, which have their own place in the address. */
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

const stepsOf = ({ steps }: GraphOutline): Step[] =>
  steps.map(({ name, sites }) => ({
    name,
    stream: hiddenStream,
    reads: [],
    sites: sites.map((site) => ({
      name: site.name,
      width: site.width,
      weights: site.weights.map(({ tensor, rows, transposed }) => ({ tensor, rows, ...(transposed && { transposed }) })),
    })),
  }));

function notesOf({ byName, steps, unreached, quantised }: GraphOutline): string[] {
  return [
    ...(byName
      ? []
      : [`no name speaks of blocks: the graph was cut into ${steps.length} steps wherever everything flows through one value`]),
    ...unreached.map(({ tensor, reason }) => `weight ${tensor} stays as it is: it ${reason}`),
    ...quantised.map((node) => `${nodeText(node)} has a weight that is quantised already: it stays as it is`),
  ];
}

/** Names that architectures have for the length of the longest text. */
const contextKeys = ["seq_length", "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"] as const;

/**
 * Opens a model folder whose weights are an ONNX decoder's.
 *
 * @param graphPath of the model's file
 * @throws {BadDataError} where a file is broken, or names values in a place that is not allowed
 * @throws {FailedPreconditionError} for a graph that is no decoder of tokens, or reads what is not known
 */
export async function openGraphModel(
  folder: string,
  graphPath: string,
  options: { readonly allowNonfinite: boolean },
): Promise<GraphModel> {
  const file = openFile(graphPath);
  let close = (): void => file.close();
  try {
    const graph = withFlagsOff(readGraphFile(byteSource(file)));
    const { files, places, shared } = openGraphTensors(folder, graph, file);
    const checkpoint = createCheckpoint(files, options);
    close = () => checkpoint.close();
    const { config: json, configFile, parts, ...description } = await readDescription(folder);
    const config = readConfig(json, configFile);
    const outline = outlineGraph(graph, shared);
    checkInputs(graph, outline.tokens);
    const steps = stepsOf(outline);
    const weights = steps.flatMap(({ sites }) =>
      sites.flatMap((site) => site.weights.map((weight) => ({ ...weight, width: site.width }))),
    );
    const hiddenSize = outline.embedding?.width ?? config.count("hidden_size", "n_embed", "n_embd", "d_model");
    const vocabularySize = outline.embedding?.vocabulary ?? config.count("vocab_size");
    const heads = config.optionalCount("num_attention_heads", "n_head", "num_heads", "attention_heads") ?? 1;
    const contextLength = config.optionalCount(...contextKeys);
    const shape = { hiddenSize, vocabularySize, heads, contextLength };
    const { model_type: modelType } = json;
    return {
      ...description,
      kind: "graph",
      folder,
      address: await modelAddress(folder, checkpoint, new Map([...parts, ["graph", hashGraph(graph)]])),
      architecture: typeof modelType === "string" ? modelType : "onnx",
      dtype: checkpoint.info(weights[0]?.tensor ?? outline.embedding?.tensor ?? "").dtype ?? "f32",
      hiddenSize,
      vocabularySize,
      contextLength,
      // a graph does not say whether it ends where its configuration does
      positionLimit: undefined,
      steps,
      streams: [hiddenStream],
      graph,
      outline,
      places,
      checkpoint,
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
      passages: () => Promise.resolve(plainPassages),
      forward: ({ threads }) => Promise.resolve(createGraphForward(graph, outline, checkpoint, shape, threads)),
      close: () => Promise.resolve(checkpoint.close()),
    };
  } catch (error) {
    close();
    throw error;
  }
}
