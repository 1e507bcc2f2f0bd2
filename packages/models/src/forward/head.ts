import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { constantTensor, floatTensor, floatValues, freeTensor, integerTensor, SizeLimits } from "@mbs/onnx";
import type { GraphBuilder, PlacedTensor, Tensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Forward, EmbeddingsForward, TokenRange } from "../folder/model.ts";
import { rowLogSums } from "../graph/device-operators.ts";
import { createRowGraph } from "../graph/sequence-graph.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { scoredRows } from "./forward-checks.ts";
import type { GraphCache } from "./graph-cache.ts";
import { weightOf } from "./block-weights.ts";
import type { RoleWeights } from "./block-weights.ts";

/** Logits in memory at a time: 64 positions of a vocabulary of 250,000. */
export const logitsAtATime = 16 * 1024 * 1024;

/**
 * Every so many positions capture computes the probabilities of all tokens: a product with the whole head, which takes as long as
 * many blocks. A mean over a quarter of the positions is close to that of all.
 */
export const spreadStride = 4;

/** A tile of the product of states and vocabulary, while losses are summed: large enough for the product to run at its peak. */
const tile = { rows: 1024, tokens: 2048 } as const;

/** Logits of a tile. */
export const logitsOfTile = tile.rows * tile.tokens;

/** ln Σ exp over tiles, given ln Σ exp of each, by row: kept as the largest so far and the sum of the rest relative to it. */
export class RunningLogSum {
  readonly #most: Float64Array;
  readonly #sums: Float64Array;

  constructor(rows: number) {
    this.#most = new Float64Array(rows).fill(-Infinity);
    this.#sums = new Float64Array(rows);
  }

  add(logSums: Float32Array): void {
    for (let row = 0; row < logSums.length; row++) {
      const [value, most] = [at(logSums, row), at(this.#most, row)];
      const sum = at(this.#sums, row);
      if (value <= most) {
        this.#sums[row] = sum + Math.exp(value - most);
      } else {
        // also where value is NaN: the loss is NaN then, and reported with its window
        this.#sums[row] = most === -Infinity ? 1 : sum * Math.exp(most - value) + 1;
        this.#most[row] = value;
      }
    }
  }

  at(row: number): number {
    return at(this.#most, row) + Math.log(at(this.#sums, row));
  }
}

/** Rows and columns of a tile whose logits are wanted, and the prediction that each belongs to. */
function* inTile(next: readonly (readonly number[])[], start: number, count: number) {
  let prediction = 0;
  for (const [row, tokens] of next.entries()) {
    for (const token of tokens) {
      if (token >= start && token < start + count) yield { row, column: token - start, prediction };
      prediction++;
    }
  }
}

/** Losses from the log-sums of rows and the logits of the tokens that follow each. */
function lossesOfRows(sums: RunningLogSum, logits: Float64Array, next: readonly (readonly number[])[]): Float64Array {
  const losses = new Float64Array(logits.length);
  let prediction = 0;
  for (const [row, { length }] of next.entries()) {
    for (const end = prediction + length; prediction < end; prediction++) {
      losses[prediction] = sums.at(row) - at(logits, prediction);
    }
  }
  return losses;
}

type LogitsOfTokens = Awaited<ReturnType<NonNullable<Forward["logitsByTokens"]>>>;

/**
 * The last part of the forward pass: final norm, head, and the loss of given tokens. The head's matrix is read at first
 * use and stays until it is freed. Logits of many positions are made in parts; losses are summed over tiles of the vocabulary,
 * so that no row of logits is ever whole.
 */
export class Head
  implements
    Pick<Forward, "logits" | "heldBytes">,
    Required<Pick<Forward, "logitsByTokens">>,
    Pick<EmbeddingsForward, "headInput" | "spread" | "freeHead">
{
  readonly #layout: Layout;
  readonly #readWeight: WeightReader;
  readonly #graphs: GraphCache;
  readonly #readNorm: () => Promise<RoleWeights>;
  readonly #stateWidth: number;
  readonly #rowsAtATime: number;
  readonly #limits = new SizeLimits();
  #matrix: Float32Array | undefined;
  /** Rows of the head, by the first one and their number: a device keeps those that it has seen. */
  readonly #parts = new Map<string, Tensor>();

  constructor(layout: Layout, readWeight: WeightReader, graphs: GraphCache, readNorm: () => Promise<RoleWeights>) {
    this.#layout = layout;
    this.#readWeight = readWeight;
    this.#graphs = graphs;
    this.#readNorm = readNorm;
    this.#stateWidth = layout.stateWidth ?? layout.hiddenSize;
    this.#rowsAtATime = Math.max(1, Math.floor(logitsAtATime / layout.vocabularySize));
  }

  heldBytes(): number {
    return this.#matrix?.byteLength ?? 0;
  }

  freeHead(): void {
    this.#matrix = undefined;
    // views of it
    this.#parts.clear();
  }

  async #readWeights(): Promise<RoleWeights> {
    this.#matrix ??= await this.#readWeight(this.#layout.head);
    return new Map([...(await this.#readNorm()), ["head", this.#matrix]]);
  }

  #buildLogits(graph: GraphBuilder, weight: WeightInput): string {
    const { hiddenSize, vocabularySize } = this.#layout;
    const rows = createRowGraph(graph, weight);
    const normed = this.#layout.buildHeadInput(rows, graph.input("states", "float32", ["T", this.#stateWidth]));
    const products = graph.node("Gemm", [normed, weight("head", [vocabularySize, hiddenSize])], { attributes: { transB: 1 } });
    return this.#layout.buildLogits?.(rows, products) ?? products;
  }

  /** The logits of what the head multiplies and some of its rows, which are the graph's inputs. @param turned [V, T] in place of [T, V] */
  #buildPart(graph: GraphBuilder, weight: WeightInput, turned = false): string {
    const input = graph.input("normed", "float32", ["T", this.#layout.hiddenSize]);
    const part = graph.input("part", "float32", ["V", this.#layout.hiddenSize]);
    const products = graph.node("Gemm", turned ? [part, input] : [input, part], { attributes: { transB: 1 } });
    return this.#layout.buildLogits?.(createRowGraph(graph, weight), products) ?? products;
  }

  #partOf(head: Float32Array, { first, count }: TokenRange): Tensor {
    const { hiddenSize } = this.#layout;
    const key = `${first} ${count}`;
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const part = constantTensor(head.subarray(first * hiddenSize, (first + count) * hiddenSize), [count, hiddenSize]);
    this.#parts.set(key, part);
    return part;
  }

  /**
   * Does work on so many rows of states at a time, or fewer where a graphics processor is full.
   *
   * @param shape tells apart what takes other space
   */
  async #byRows<Made>(
    { rows, values }: Matrix,
    atATime: number,
    shape: string,
    work: (states: Tensor, first: number, count: number) => Promise<Made>,
  ): Promise<Made[]> {
    const results: Made[] = [];
    for (let start = 0; start < rows; start += atATime) {
      const portion = { first: start, last: Math.min(rows, start + atATime), shape };
      const some = await this.#limits.inPieces(portion, ({ first, last }) => {
        const states = values.subarray(first * this.#stateWidth, last * this.#stateWidth);
        return work(floatTensor(states, [last - first, this.#stateWidth]), first, last - first);
      });
      results.push(...some);
    }
    return results;
  }

  #inputGraph() {
    return this.#graphs.get(
      "head input",
      (builder, weight) => {
        const input = builder.input("states", "float32", ["T", this.#stateWidth]);
        builder.output("normed", this.#layout.buildHeadInput(createRowGraph(builder, weight), input), "float32");
      },
      { keepsOutputs: true },
    );
  }

  async headInput(states: Matrix): Promise<Matrix> {
    const { hiddenSize } = this.#layout;
    const [graph, norm] = [await this.#inputGraph(), await this.#readNorm()];
    const values = new Float32Array(states.rows * hiddenSize);
    await this.#byRows(states, states.rows, "norm", async (rows, first) => {
      values.set(floatValues(await graph.run({ states: rows }, norm), "normed"), first * hiddenSize);
    });
    return { rows: states.rows, columns: hiddenSize, values };
  }

  async spread(states: Matrix): Promise<Float64Array> {
    const graph = await this.#graphs.get("spread", (builder, weight) => {
      const shares = builder.node("Softmax", [this.#buildLogits(builder, weight)], { attributes: { axis: -1 } });
      const spread = builder.node("Sub", [shares, builder.node("Mul", [shares, shares])]);
      const sum = builder.node("ReduceSum", [spread, builder.constant(integerTensor([0]))], { attributes: { keepdims: 0 } });
      builder.output("sum", sum, "float32");
    });
    const weights = await this.#readWeights();
    const sums = new Float64Array(this.#layout.vocabularySize);
    await this.#byRows(states, this.#rowsAtATime, "spread", async (rows) => {
      const results = await graph.run({ states: rows }, weights);
      for (const [token, sum] of floatValues(results, "sum").entries()) sums[token] = at(sums, token) + sum;
    });
    return sums;
  }

  async logits(states: Matrix): Promise<Matrix> {
    const { vocabularySize } = this.#layout;
    const graph = await this.#graphs.get("logits", (builder, weight) =>
      builder.output("logits", this.#buildLogits(builder, weight), "float32"),
    );
    const weights = await this.#readWeights();
    const values = new Float32Array(states.rows * vocabularySize);
    await this.#byRows(states, this.#rowsAtATime, "logits", async (rows, first) => {
      const results = await graph.run({ states: rows }, weights);
      values.set(floatValues(results, "logits"), first * vocabularySize);
    });
    return { rows: states.rows, columns: vocabularySize, values };
  }

  async logitsByTokens(states: Matrix, { turned = false }: { readonly turned?: boolean } = {}): Promise<LogitsOfTokens> {
    const { rows, columns, values } = await this.headInput(states);
    // the same for one row, and quicker
    const isTurned = turned && rows > 1;
    const graph = await this.#graphs.get(`logits of tokens${isTurned ? ", turned" : ""}`, (builder, weight) =>
      builder.output("logits", this.#buildPart(builder, weight, isTurned), "float32"),
    );
    const weights = await this.#readWeights();
    // pieces of the result that lie together
    const byTokens = isTurned || rows === 1;
    return async (tokens, into = new Float32Array(rows * tokens.count)) => {
      const { first: start, count } = tokens;
      const portion = byTokens
        ? { first: start, last: start + count, shape: "logits by tokens" }
        : { first: 0, last: rows, shape: "logits by rows" };
      await this.#limits.inPieces(portion, async ({ first, last }) => {
        const size = last - first;
        const [of, to] = byTokens ? [rows, first - start] : [count, first];
        const normed = byTokens
          ? floatTensor(values, [rows, columns])
          : floatTensor(values.subarray(first * columns, last * columns), [size, columns]);
        const part = this.#partOf(weightOf(weights, "head"), byTokens ? { first, count: size } : tokens);
        const piece = into.subarray(to * of, (to + size) * of);
        const dims = byTokens && !isTurned ? [of, size] : [size, of];
        await graph.run({ normed, part }, weights, { logits: floatTensor(piece, dims) });
      });
      return turned ? { rows: count, columns: rows, values: into } : { rows, columns: count, values: into };
    };
  }

  /**
   * Losses of the tokens that may follow each row of states [rows, hidden]: a list of tokens a row.
   *
   * @returns nats, of the rows' tokens one after the other
   */
  async scoreNext(states: Matrix, next: readonly (readonly number[])[]): Promise<Float64Array> {
    const weights = await this.#readWeights();
    const losses = await this.#byRows(states, tile.rows, "losses", async (rows, first, count) => {
      const graph = await this.#inputGraph();
      const { normed } = await graph.runKept({ states: rows }, await this.#readNorm());
      if (normed === undefined) throw new InternalError("the norm before the head made nothing");
      try {
        return await this.#scoreTile(normed, next.slice(first, first + count), weights);
      } finally {
        freeTensor(normed);
      }
    });
    return Float64Array.from(losses.flatMap((ofRows) => [...ofRows]));
  }

  /** Losses of the rows of one tile. @param normed what the head multiplies */
  async #scoreTile(normed: PlacedTensor, next: readonly (readonly number[])[], weights: RoleWeights): Promise<Float64Array> {
    const { vocabularySize } = this.#layout;
    const score = await this.#graphs.get("score", (builder, weight) => {
      const logits = this.#buildPart(builder, weight);
      builder.output("sums", rowLogSums(builder, logits, builder.input("any", "int64", ["T", 1])), "float32");
      builder.output("logits", builder.node("GatherND", [logits, builder.input("wanted", "int64", ["N", 2])]), "float32");
    });
    const head = weightOf(weights, "head");
    const sums = new RunningLogSum(next.length);
    const logits = new Float64Array(next.reduce((sum, { length }) => sum + length, 0));
    for (let start = 0; start < vocabularySize; start += tile.tokens) {
      const columns = Math.min(tile.tokens, vocabularySize - start);
      const wanted = [...inTile(next, start, columns)];
      const any = new Int32Array(next.length);
      for (const { row, column } of wanted) any[row] = column;
      // none is an empty tensor, which not every operator takes: then the first logit, which is not used
      const pairs = wanted.length === 0 ? [0, 0] : wanted.flatMap(({ row, column }) => [row, column]);
      const feeds = {
        normed,
        any: integerTensor(any, [next.length, 1]),
        wanted: integerTensor(pairs, [pairs.length / 2, 2]),
        part: this.#partOf(head, { first: start, count: columns }),
      };
      const results = await score.run(feeds, weights);
      sums.add(floatValues(results, "sums"));
      const logitsInTile = floatValues(results, "logits");
      for (const [index, { prediction }] of wanted.entries()) logits[prediction] = at(logitsInTile, index);
    }
    return lossesOfRows(sums, logits, next);
  }
}

/** The rows that predict a token, and the token of each: what `scoreNext` takes of equally long segments. */
export function predictingRows(states: Matrix, tokens: Int32Array, batch: number): [Matrix, readonly (readonly number[])[]] {
  const { targets, predicts } = scoredRows(states.rows, tokens, batch);
  const wanted = Int32Array.from(targets.keys()).filter(predicts);
  return [rowsAt(states, wanted), [...wanted].map((row) => [at(targets, row)])];
}

/** Some rows of a matrix, in the order in which they are named. */
export function rowsAt({ columns, values }: Matrix, rows: ArrayLike<number>): Matrix {
  const chosen = new Float32Array(rows.length * columns);
  for (let index = 0; index < rows.length; index++) {
    const row = at(rows, index);
    chosen.set(values.subarray(row * columns, (row + 1) * columns), index * columns);
  }
  return { rows: rows.length, columns, values: chosen };
}
