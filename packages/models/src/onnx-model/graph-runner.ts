import { at, FailedPreconditionError, InternalError, splitKept } from "@mbs/contracts";
import { floatTensor } from "@mbs/onnx";
import type { GraphFile, PlacedTensor, GraphTensor, SubgraphRequest, Tensor, TensorType } from "@mbs/onnx";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { transpose } from "../checkpoint/weight-reader.ts";
import type { ForwardOptions, GivenWeights } from "../folder/model.ts";
import { checkTokens } from "../forward/forward-checks.ts";
import type { PartValues } from "../forward/block-walk.ts";
import { WeightCache } from "../forward/block-weights.ts";
import type { RoleWeights } from "../forward/block-weights.ts";
import { readsShape } from "./data-flow.ts";
import { feedOf, tokensFeed } from "./graph-feeds.ts";
import type { TokenBatch } from "./graph-feeds.ts";
import type { GraphOutline } from "./graph-outline.ts";
import { PartRunner } from "./part-runner.ts";
import type { GraphPart } from "./part-runner.ts";

/** Sizes of the model. */
export interface GraphShape {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Attention heads. */
  readonly heads: number;
  /** Tokens of the longest text it was made for, where its configuration says so. */
  readonly contextLength: number | undefined;
}

/** What to compute of what follows given states. */
export interface PartRequest {
  /** Tells parts of the graph apart. */
  readonly key: string;
  /** Name of the states. */
  readonly states: string;
  /** The states, or values after them, by name. */
  readonly given: ReadonlyMap<string, PlacedTensor>;
  readonly batch: TokenBatch;
  readonly outputs: readonly string[];
  /** Values to use instead of the graph's, by tensor, [rows, width]. */
  readonly weights?: GivenWeights | undefined;
}

/** Runs parts of a decoder's graph. */
export interface GraphRunner {
  /** The states before the first block. */
  embed(tokens: Int32Array, batch: TokenBatch): Promise<Tensor>;
  /** States in the dimensions in which the graph has them. @param values [batch · length, hidden] */
  asStates(values: Float32Array, batch: TokenBatch): Promise<Tensor>;
  /** All values that it makes come to memory. */
  after(request: PartRequest): Promise<PartValues<Tensor>>;
  /** Memory of the weights that it keeps, in bytes. */
  heldBytes(): number;
  close(): Promise<void>;
}

/** Two texts of three tokens: enough to see which dimension of the states is which. */
const probe: TokenBatch = { batch: 2, length: 3 };

/**
 * Parts of a graph with their weights fed. Masks and positions are computed in each part from the graph's own inputs. Shapes
 * of values before the given states are computed once for each size of a batch.
 */
export function createGraphRunner(
  graph: GraphFile,
  outline: GraphOutline,
  checkpoint: Checkpoint,
  { hiddenSize, heads }: GraphShape,
  { weights: weightBytes = splitKept().weights, ...machine }: ForwardOptions,
): GraphRunner {
  const { embedding, flow, blocks } = outline;
  const parts = new PartRunner(graph, ({ name }: GraphTensor) => checkpoint.readRaw(name), machine);
  const weights = new WeightCache((tensor) => checkpoint.readF32(tensor), weightBytes);
  const tokensInput = graph.inputs.find(({ name }) => name === outline.tokens);
  if (tokensInput === undefined) throw new InternalError(`${graph.path} has no input ${outline.tokens}`);
  const { start } = at(blocks, 0);
  const embedded: ReadonlyMap<string, TensorType> = new Map(embedding && [[embedding.output, "float32"]]);
  const madeAt = new Map(graph.nodes.flatMap(({ outputs }, index) => outputs.map((name) => [name, index] as const)));
  const turned = new WeakMap<Float32Array, Float32Array>();
  const transposed = new Map(
    blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights.map((weight) => [weight.tensor, weight] as const))),
  );

  const readWeights = (key: string, { weights: tensors }: GraphPart): Promise<RoleWeights> =>
    weights.read(key, new Map(tensors.map(({ name }) => [name, name])));

  const feedsOf = (part: GraphPart, batch: TokenBatch, tokens?: Int32Array): [string, Tensor][] =>
    part.inputs.map((input) => [
      input.name,
      input.name === outline.tokens
        ? tokensFeed(tokens ?? new Int32Array(batch.batch * batch.length), batch, tokensInput)
        : feedOf(input, batch, heads),
    ]);

  /** Rows of the embedding, in the dimensions in which the graph has them. */
  const embedRows = async (tokens: Int32Array, batch: TokenBatch): Promise<[string, Tensor][]> => {
    if (embedding === undefined) return [];
    const part = await parts.get("indices", () => ({ outputs: [embedding.indices], given: new Map() }));
    const { [embedding.indices]: indices } = await part.run(
      new Map(feedsOf(part, batch, tokens)),
      await readWeights("indices", part),
    );
    if (indices?.type !== "int64" && indices?.type !== "int32")
      throw new InternalError(`${graph.path}: ${embedding.indices} is no list of tokens`);
    const rows = Int32Array.from(indices.data as ArrayLike<number | bigint>, Number);
    checkTokens(rows, embedding.vocabulary);
    const values = await checkpoint.readRowsF32(embedding.tensor, rows);
    return [[embedding.output, floatTensor(values, [...indices.dims, embedding.width])]];
  };

  const embed = async (tokens: Int32Array, batch: TokenBatch): Promise<Tensor> => {
    const part = await parts.get("embed", () => ({ outputs: [start], given: embedded }));
    const rows = await embedRows(tokens, batch);
    const feeds = new Map([...feedsOf(part, batch, tokens), ...rows.filter(([name]) => part.given.includes(name))]);
    const { [start]: states } = await part.run(feeds, await readWeights("embed", part));
    if (states === undefined) throw new InternalError(`${graph.path}: the embedding did not make ${start}`);
    return states;
  };

  let rank: Promise<number> | undefined;
  /** States are [B, T, hidden] or [B · T, hidden]: a graph keeps to one form. */
  const findRank = async (): Promise<number> => {
    const { dims } = await embed(new Int32Array(probe.batch * probe.length), probe);
    const form = dims.join();
    if (form === [probe.batch, probe.length, hiddenSize].join()) return 3;
    if (form === [probe.batch * probe.length, hiddenSize].join()) return 2;
    throw new FailedPreconditionError(
      `${graph.path}: the states ${start} of 2 texts of 3 tokens have the shape [${dims.join(", ")}]; [2, 3, ${hiddenSize}] is wanted, or [6, ${hiddenSize}]`,
      { file: graph.path },
    );
  };
  const asStates = async (values: Float32Array, { batch, length }: TokenBatch): Promise<Tensor> => {
    rank ??= findRank();
    return floatTensor(values, (await rank) === 3 ? [batch, length, hiddenSize] : [batch * length, hiddenSize]);
  };

  const shapes = new Map<string, Promise<Record<string, Tensor>>>();
  /** Shapes of values before the states. They depend on the batch's size alone, so that they are computed once for it. */
  const shapesBefore = (key: string, part: GraphPart, batch: TokenBatch): Promise<Record<string, Tensor>> => {
    const known = `${key} ${batch.batch} ${batch.length}`;
    const compute = async (): Promise<Record<string, Tensor>> => {
      const before = await parts.get(`shapes ${key}`, () => ({ outputs: part.stopped, given: embedded }));
      const tokens = new Int32Array(batch.batch * batch.length);
      const rows = before.given.length > 0 ? await embedRows(tokens, batch) : [];
      return before.run(new Map([...feedsOf(before, batch, tokens), ...rows]), await readWeights(`shapes ${key}`, before));
    };
    const made = shapes.get(known) ?? (part.stopped.length === 0 ? Promise.resolve({}) : compute());
    shapes.set(known, made);
    return made;
  };

  const partAfter = ({ states, given, outputs }: PartRequest): SubgraphRequest => {
    // -1: made by no node, as the graph's own inputs are
    const from = madeAt.get(states) ?? -1;
    return {
      outputs,
      given: new Map([...given].map(([name, { type }]) => [name, type])),
      stopsAt: (node) => {
        const [read] = node.inputs;
        return read !== undefined && readsShape(node) && flow.dependent.has(read) && (madeAt.get(read) ?? -1) < from;
      },
    };
  };

  /** Weights as the graph has them, some replaced by values of [rows, width]. */
  const override = (stored: RoleWeights, given: GivenWeights): RoleWeights => {
    const changed = new Map(stored);
    for (const [name, values] of given) {
      if (!stored.has(name)) continue;
      if (values.length !== stored.get(name)?.length)
        throw new InternalError(`${name}: ${values.length} values given for a block`, { tensor: name });
      const weight = transposed.get(name);
      const asStored = weight?.transposed ? (turned.get(values) ?? transpose(values, weight.rows)) : values;
      turned.set(values, asStored);
      changed.set(name, asStored);
    }
    return changed;
  };

  return {
    embed,
    asStates,
    async after(request) {
      const { key, given, batch, weights: replaced } = request;
      const part = await parts.get(key, () => partAfter(request));
      const before = await shapesBefore(key, part, batch);
      const feeds = new Map([...feedsOf(part, batch), ...Object.entries(before), ...given]);
      const stored = await readWeights(key, part);
      const made = await part.run(feeds, replaced === undefined ? stored : override(stored, replaced));
      return { made, used: part.weights.map(({ name }) => name) };
    },
    heldBytes: () => weights.heldBytes() + parts.heldBytes(),
    async close() {
      weights.clear();
      await parts.close();
    },
  };
}
