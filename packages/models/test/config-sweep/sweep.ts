import { createHash } from "node:crypto";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { GraphBuilder } from "@mbs/onnx";
import { createForward } from "../../src/forward/forward.ts";
import type { TensorFile } from "../../src/checkpoint/checkpoint.ts";
import type { JsonObject } from "../../src/folder/json-file.ts";
import type { SourceTarget } from "../../src/architectures/layout.ts";
import { readArchitecture } from "../../src/architectures/read-architecture.ts";
import type { ReadArchitecture } from "../../src/architectures/read-architecture.ts";
import { createRowGraph } from "../../src/graph/sequence-graph.ts";
import type { RowGraph } from "../../src/graph/sequence-graph.ts";
import { createStackedSequence } from "../../src/graph/stacked-sequence.ts";
import { runBlocks } from "../../src/forward/run-blocks.ts";
import { encoderStream, hiddenStream } from "../../src/forward/streams.ts";
import { createWeightReader } from "../../src/checkpoint/weight-reader.ts";
import type { Edit, SweepBase } from "./bases.ts";
import { tokenOf } from "./weights.ts";

/** What our reader makes of a configuration: a model, or the line that refuses it. */
export async function readCase(file: TensorFile, config: JsonObject): Promise<ReadArchitecture | string> {
  try {
    return await readArchitecture([file], config, { folder: "model", file: "config.json" }, { allowNonfinite: false });
  } catch (error) {
    if (error instanceof BadDataError || error instanceof FailedPreconditionError) return error.message;
    throw error;
  }
}

const lengthOf = ({ length = 24 }: SweepBase): number => length;

/**
 * A hash of all that a perplexity depends on: the graphs for the base's text, and which tensor each of their weights is.
 * Models of one hash have one perplexity.
 */
export function fingerprint({ layout }: ReadArchitecture, base: SweepBase): string {
  const hash = createHash("sha256");
  const add = (name: string, build: (graph: GraphBuilder, weight: RowGraph["weight"]) => string): void => {
    const graph = new GraphBuilder(name);
    graph.output(
      "made",
      build(graph, (role, shape) => graph.input(role, "float32", shape)),
      "float32",
    );
    hash.update(graph.build());
  };
  const { hiddenSize, stateWidth = hiddenSize, vocabularySize, blocks } = layout;
  const length = lengthOf(base);
  for (const stream of new Set(blocks.map((block) => block.stream))) {
    add("embed", (graph, weight) => {
      const positions = graph.input("positions", "int64", ["T"]);
      const rows = graph.input("rows", "float32", ["T", hiddenSize]);
      const tokens = graph.input("tokens", "int64", ["T"]);
      const embed = { ...createRowGraph(graph, weight), stream, positions: () => positions, tokens: () => tokens };
      return layout.buildEmbed(embed, rows);
    });
  }
  const kinds = new Set<string>();
  for (const [index, { stream }] of blocks.entries()) {
    const kind = layout.blockKind(index);
    hash.update(JSON.stringify([kind, ...layout.blockRoles(index)]));
    if (kinds.has(kind)) continue;
    kinds.add(kind);
    add(kind, (graph, weight) => {
      const source = base.source ?? 0;
      const states = graph.input("encoder", "float32", [source, hiddenSize]);
      const others = new Map([[encoderStream, { states, length: source }]]);
      const own = stream === encoderStream ? source : length;
      const input = graph.input("input", "float32", [own, stateWidth]);
      return layout.buildBlock(createStackedSequence(graph, weight, { batch: 1, length: own, others }), input, index).states;
    });
  }
  add("head", (graph, weight) => {
    const rows = createRowGraph(graph, weight);
    const normed = layout.buildHeadInput(rows, graph.input("states", "float32", ["T", stateWidth]));
    const products = graph.node("Gemm", [normed, weight("head", [vocabularySize, hiddenSize])], { attributes: { transB: 1 } });
    return layout.buildLogits?.(rows, products) ?? products;
  });
  const { embedding, head, embedRoles, headRoles, sourceTarget } = layout;
  hash.update(JSON.stringify([embedding, head, ...embedRoles, ...headRoles, sourceTarget && startOf(sourceTarget, base)]));
  return hash.digest("hex");
}

/** What the decoder reads first, as transformers takes it of labels: its start, or the last token of the text. */
const startOf = (sourceTarget: SourceTarget, base: SweepBase): number =>
  "start" in sourceTarget ? sourceTarget.start : tokenOf(lengthOf(base) - 1);

const perplexity = (losses: readonly number[]): number => Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);

/** Losses of each token by its own state and the embedding as a head: one number of all states of an encoder, which has no head. */
async function encoderLosses({ layout, checkpoint }: ReadArchitecture, states: Matrix, tokens: Int32Array): Promise<number[]> {
  const { columns } = states;
  const embedding = await checkpoint.readF32(layout.embedding);
  const product = (row: number, token: number): number => {
    let sum = 0;
    for (let column = 0; column < columns; column++)
      sum += at(states.values, row * columns + column) * at(embedding, token * columns + column);
    return sum;
  };
  return Array.from(tokens, (token, row) => {
    const logits = Array.from({ length: layout.vocabularySize }, (_, other) => product(row, other));
    return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - at(logits, token);
  });
}

/** Perplexity of the base's text, as transformers has it in the golden file. */
export async function perplexityOf(read: ReadArchitecture, base: SweepBase): Promise<number> {
  const { layout, checkpoint } = read;
  const forward = createForward(layout, checkpoint, createWeightReader(checkpoint, layout.tensors), { threads: 1 });
  const length = lengthOf(base);
  const text = Array.from({ length }, (_, index) => tokenOf(index));
  const tokens = Int32Array.from(layout.sourceTarget === undefined ? text : [startOf(layout.sourceTarget, base), ...text]);
  const source = Int32Array.from({ length: base.source ?? 0 }, (_, index) => tokenOf(index + length));
  const inputs = layout.sourceTarget === undefined ? tokens : tokens.subarray(0, -1);
  const streams = new Map([...(base.source === undefined ? [] : [[encoderStream, source] as const]), [hiddenStream, inputs]]);
  const states = await runBlocks({ blocks: layout.blocks }, forward, streams);
  const losses =
    layout.encoder === undefined ? [...(await forward.score(states, tokens))] : await encoderLosses(read, states, tokens);
  await forward.close();
  return perplexity(losses);
}

/**
 * How far a perplexity may be from that of transformers, relative: both compute in float32, in other orders. The largest
 * found is in results.json; a key that is not followed moves the perplexity by 1e-4 and more.
 */
export const agreement = 1e-5;

/** The results of a base and all its edits. */
export interface SweepResult {
  readonly type: string;
  /** Edits, the base itself among them. */
  readonly cases: number;
  /** Read here and there, with the same perplexity. */
  readonly agree: number;
  /** Different models among them, each of which ran. */
  readonly models: number;
  /** Refused here, and there too, or loaded there with weights at random. */
  readonly refused: number;
  /** Refused here alone. */
  readonly refusedHere: readonly Edit[];
  /** Largest relative distance of perplexities. */
  readonly difference: number;
}

export interface SweepResults {
  readonly transformers: string;
  readonly bases: Readonly<Record<string, SweepResult>>;
}
