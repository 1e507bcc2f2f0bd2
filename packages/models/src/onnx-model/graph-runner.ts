import { at, FailedPreconditionError, InternalError, splitKept } from "@mbs/contracts";
import { floatTensor } from "@mbs/onnx";
import type { GraphFile, GraphTensor, GraphValue, PlacedTensor, SubgraphRequest, Tensor, TensorType } from "@mbs/onnx";
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

/** Two texts of three tokens: enough to see which dimension of the states is which. */
const probe: TokenBatch = { batch: 2, length: 3 };

/** The weights of a graph, as it has them. */
class GraphWeights {
  readonly #cache: WeightCache;
  /** By tensor, with the rows that it has as a weight of a block. */
  readonly #ofBlocks: ReadonlyMap<string, { readonly transposed: boolean; readonly rows: number }>;
  readonly #turned = new WeakMap<Float32Array, Float32Array>();

  constructor({ blocks }: GraphOutline, checkpoint: Checkpoint, bytes: number) {
    this.#cache = new WeightCache((tensor) => checkpoint.readF32(tensor), bytes);
    this.#ofBlocks = new Map(
      blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights.map((weight) => [weight.tensor, weight] as const))),
    );
  }

  /** The weights of a part. @param given values to use instead, by tensor, [rows, width] */
  async read(key: string, { weights }: GraphPart, given?: GivenWeights): Promise<RoleWeights> {
    const stored = await this.#cache.read(key, new Map(weights.map(({ name }) => [name, name])));
    return given === undefined ? stored : this.#override(stored, given);
  }

  heldBytes(): number {
    return this.#cache.heldBytes();
  }

  clear(): void {
    this.#cache.clear();
  }

  #override(stored: RoleWeights, given: GivenWeights): RoleWeights {
    const changed = new Map(stored);
    for (const [name, values] of given) {
      if (!stored.has(name)) continue;
      if (values.length !== stored.get(name)?.length)
        throw new InternalError(`${name}: ${values.length} values given for a block`, { tensor: name });
      const weight = this.#ofBlocks.get(name);
      const asStored = weight?.transposed ? (this.#turned.get(values) ?? transpose(values, weight.rows)) : values;
      this.#turned.set(values, asStored);
      changed.set(name, asStored);
    }
    return changed;
  }
}

/**
 * Parts of a decoder's graph with their weights fed. Masks and positions are computed in each part from the graph's own inputs.
 * Shapes of values before the given states are computed once for each size of a batch.
 */
export class GraphRunner {
  readonly #graph: GraphFile;
  readonly #outline: GraphOutline;
  readonly #checkpoint: Checkpoint;
  readonly #shape: GraphShape;
  readonly #tokensInput: GraphValue;
  readonly #parts: PartRunner;
  readonly #weights: GraphWeights;
  /** What is given to parts that begin at the tokens: the rows of the embedding, which are looked up in the checkpoint. */
  readonly #embedded: ReadonlyMap<string, TensorType>;
  /** Place of the node that makes a value. */
  readonly #madeAt: ReadonlyMap<string, number>;
  readonly #shapes = new Map<string, Promise<Record<string, Tensor>>>();
  #rank: Promise<number> | undefined;

  constructor(
    graph: GraphFile,
    outline: GraphOutline,
    checkpoint: Checkpoint,
    shape: GraphShape,
    { weights = splitKept().weights, ...machine }: ForwardOptions,
  ) {
    const { embedding } = outline;
    this.#graph = graph;
    this.#outline = outline;
    this.#checkpoint = checkpoint;
    this.#shape = shape;
    this.#parts = new PartRunner(graph, ({ name }: GraphTensor) => checkpoint.readRaw(name), machine);
    this.#weights = new GraphWeights(outline, checkpoint, weights);
    const tokensInput = graph.inputs.find(({ name }) => name === outline.tokens);
    if (tokensInput === undefined) throw new InternalError(`${graph.path} has no input ${outline.tokens}`);
    this.#tokensInput = tokensInput;
    this.#embedded = new Map(embedding && [[embedding.output, "float32"]]);
    this.#madeAt = new Map(graph.nodes.flatMap(({ outputs }, index) => outputs.map((name) => [name, index] as const)));
  }

  /** The states before the first block. */
  async embed(tokens: Int32Array, batch: TokenBatch): Promise<Tensor> {
    const { start } = at(this.#outline.blocks, 0);
    const part = await this.#parts.get("embed", () => ({ outputs: [start], given: this.#embedded }));
    const rows = await this.#embedRows(tokens, batch);
    const feeds = new Map([...this.#feedsOf(part, batch, tokens), ...rows.filter(([name]) => part.given.includes(name))]);
    const { [start]: states } = await part.run(feeds, await this.#weights.read("embed", part));
    if (states === undefined) throw new InternalError(`${this.#graph.path}: the embedding did not make ${start}`);
    return states;
  }

  /** States in the dimensions in which the graph has them. @param values [batch · length, hidden] */
  async asStates(values: Float32Array, { batch, length }: TokenBatch): Promise<Tensor> {
    const { hiddenSize } = this.#shape;
    this.#rank ??= this.#findRank();
    return floatTensor(values, (await this.#rank) === 3 ? [batch, length, hiddenSize] : [batch * length, hiddenSize]);
  }

  /** All values that it makes come to memory. */
  async after(request: PartRequest): Promise<PartValues<Tensor>> {
    const { key, given, batch, weights } = request;
    const part = await this.#parts.get(key, () => this.#partAfter(request));
    const before = await this.#shapesBefore(key, part, batch);
    const feeds = new Map([...this.#feedsOf(part, batch), ...Object.entries(before), ...given]);
    const made = await part.run(feeds, await this.#weights.read(key, part, weights));
    return { made, used: part.weights.map(({ name }) => name) };
  }

  /** Memory of the weights that it keeps, in bytes. */
  heldBytes(): number {
    return this.#weights.heldBytes() + this.#parts.heldBytes();
  }

  async close(): Promise<void> {
    this.#weights.clear();
    await this.#parts.close();
  }

  #feedsOf({ inputs }: GraphPart, batch: TokenBatch, tokens?: Int32Array): [string, Tensor][] {
    return inputs.map((input) => [
      input.name,
      input.name === this.#outline.tokens
        ? tokensFeed(tokens ?? new Int32Array(batch.batch * batch.length), batch, this.#tokensInput)
        : feedOf(input, batch, this.#shape.heads),
    ]);
  }

  /** Rows of the embedding, in the dimensions in which the graph has them. */
  async #embedRows(tokens: Int32Array, batch: TokenBatch): Promise<[string, Tensor][]> {
    const { embedding } = this.#outline;
    if (embedding === undefined) return [];
    const part = await this.#parts.get("indices", () => ({ outputs: [embedding.indices], given: new Map() }));
    const weights = await this.#weights.read("indices", part);
    const { [embedding.indices]: indices } = await part.run(new Map(this.#feedsOf(part, batch, tokens)), weights);
    if (indices?.type !== "int64" && indices?.type !== "int32")
      throw new InternalError(`${this.#graph.path}: ${embedding.indices} is no list of tokens`);
    const rows = Int32Array.from(indices.data as ArrayLike<number | bigint>, Number);
    checkTokens(rows, embedding.vocabulary);
    const values = await this.#checkpoint.readRowsF32(embedding.tensor, rows);
    return [[embedding.output, floatTensor(values, [...indices.dims, embedding.width])]];
  }

  /** States are [B, T, hidden] or [B · T, hidden]: a graph keeps to one form. */
  async #findRank(): Promise<number> {
    const { hiddenSize } = this.#shape;
    const { dims } = await this.embed(new Int32Array(probe.batch * probe.length), probe);
    const form = dims.join();
    if (form === [probe.batch, probe.length, hiddenSize].join()) return 3;
    if (form === [probe.batch * probe.length, hiddenSize].join()) return 2;
    const { path } = this.#graph;
    throw new FailedPreconditionError(
      `${path}: the states ${at(this.#outline.blocks, 0).start} of 2 texts of 3 tokens have the shape [${dims.join(", ")}]; [2, 3, ${hiddenSize}] is wanted, or [6, ${hiddenSize}]`,
      { file: path },
    );
  }

  /** Shapes of values before the states. They depend on the batch's size alone, so that they are computed once for it. */
  #shapesBefore(key: string, part: GraphPart, batch: TokenBatch): Promise<Record<string, Tensor>> {
    const keyOfSize = `${key} ${batch.batch} ${batch.length}`;
    const shapes =
      this.#shapes.get(keyOfSize) ??
      (part.stopped.length === 0 ? Promise.resolve({}) : this.#computeShapes(`shapes ${key}`, part, batch));
    this.#shapes.set(keyOfSize, shapes);
    return shapes;
  }

  async #computeShapes(key: string, { stopped }: GraphPart, batch: TokenBatch): Promise<Record<string, Tensor>> {
    const before = await this.#parts.get(key, () => ({ outputs: stopped, given: this.#embedded }));
    const tokens = new Int32Array(batch.batch * batch.length);
    const rows = before.given.length > 0 ? await this.#embedRows(tokens, batch) : [];
    const feeds = new Map([...this.#feedsOf(before, batch, tokens), ...rows]);
    return before.run(feeds, await this.#weights.read(key, before));
  }

  #partAfter({ states, given, outputs }: PartRequest): SubgraphRequest {
    // -1: made by no node, as the graph's own inputs are
    const from = this.#madeAt.get(states) ?? -1;
    return {
      outputs,
      given: new Map([...given].map(([name, { type }]) => [name, type])),
      stopsAt: (node) => {
        const [read] = node.inputs;
        if (read === undefined || !readsShape(node) || !this.#outline.flow.dependent.has(read)) return false;
        return (this.#madeAt.get(read) ?? -1) < from;
      },
    };
  }
}
