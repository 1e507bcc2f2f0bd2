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

interface Head {
  /**
   * Losses of the tokens that may follow each row of states [rows, hidden]: a list of tokens a row.
   *
   * @returns nats, of the rows' tokens one after the other
   */
  scoreNext(states: Matrix, next: readonly (readonly number[])[]): Promise<Float64Array>;
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

/**
 * The last part of the forward pass: final norm, head, and the loss of given tokens. The head's matrix is read at first
 * use and stays until it is freed. Logits of many positions are made in parts; losses are summed over tiles of the vocabulary,
 * so that no row of logits is ever whole.
 */
export function createHead(
  layout: Layout,
  readWeight: WeightReader,
  graphs: GraphCache,
  readNorm: () => Promise<RoleWeights>,
): Pick<Forward, "logits" | "heldBytes"> &
  Required<Pick<Forward, "logitsByTokens">> &
  Pick<EmbeddingsForward, "headInput" | "spread" | "freeHead"> &
  Head {
  const { hiddenSize, stateWidth = hiddenSize, vocabularySize } = layout;
  const rowsAtATime = Math.max(1, Math.floor(logitsAtATime / vocabularySize));
  let matrix: Float32Array | undefined;
  const readWeights = async (): Promise<RoleWeights> => {
    matrix ??= await readWeight(layout.head);
    return new Map([...(await readNorm()), ["head", matrix]]);
  };
  const buildLogits = (graph: GraphBuilder, weight: WeightInput): string => {
    const rows = createRowGraph(graph, weight);
    const normed = layout.buildHeadInput(rows, graph.input("states", "float32", ["T", stateWidth]));
    const products = graph.node("Gemm", [normed, weight("head", [vocabularySize, hiddenSize])], { attributes: { transB: 1 } });
    return layout.buildLogits?.(rows, products) ?? products;
  };
  /** The logits of what the head multiplies and some of its rows, which are the graph's inputs. @param turned [V, T] in place of [T, V] */
  const buildPart = (graph: GraphBuilder, weight: WeightInput, turned = false): string => {
    const input = graph.input("normed", "float32", ["T", hiddenSize]);
    const part = graph.input("part", "float32", ["V", hiddenSize]);
    const products = graph.node("Gemm", turned ? [part, input] : [input, part], { attributes: { transB: 1 } });
    return layout.buildLogits?.(createRowGraph(graph, weight), products) ?? products;
  };
  /** Rows of the head, by the first one and their number: a device keeps those that it has seen. */
  const parts = new Map<string, Tensor>();
  const partOf = (head: Float32Array, { first, count }: TokenRange): Tensor => {
    const key = `${first} ${count}`;
    const known = parts.get(key);
    if (known !== undefined) return known;
    const part = constantTensor(head.subarray(first * hiddenSize, (first + count) * hiddenSize), [count, hiddenSize]);
    parts.set(key, part);
    return part;
  };
  const limits = new SizeLimits();
  /**
   * Does work on so many rows of states at a time, or fewer where a graphics processor is full.
   *
   * @param shape tells apart what takes other space
   */
  const byRows = async <Made>(
    { rows, values }: Matrix,
    atATime: number,
    shape: string,
    work: (states: Tensor, first: number, count: number) => Promise<Made>,
  ): Promise<Made[]> => {
    const made: Made[] = [];
    for (let start = 0; start < rows; start += atATime) {
      const portion = { first: start, last: Math.min(rows, start + atATime), shape };
      const some = await limits.inPieces(portion, ({ first, last }) => {
        const own = values.subarray(first * stateWidth, last * stateWidth);
        return work(floatTensor(own, [last - first, stateWidth]), first, last - first);
      });
      made.push(...some);
    }
    return made;
  };

  const inputGraph = () =>
    graphs.get(
      "head input",
      (builder, weight) => {
        const input = builder.input("states", "float32", ["T", stateWidth]);
        builder.output("normed", layout.buildHeadInput(createRowGraph(builder, weight), input), "float32");
      },
      { keepsOutputs: true },
    );

  const headInput = async (states: Matrix): Promise<Matrix> => {
    const [graph, norm] = [await inputGraph(), await readNorm()];
    const values = new Float32Array(states.rows * hiddenSize);
    await byRows(states, states.rows, "norm", async (rows, first) => {
      values.set(floatValues(await graph.run({ states: rows }, norm), "normed"), first * hiddenSize);
    });
    return { rows: states.rows, columns: hiddenSize, values };
  };

  return {
    heldBytes: () => matrix?.byteLength ?? 0,

    freeHead() {
      matrix = undefined;
      // views of it
      parts.clear();
    },

    headInput,

    async spread(states) {
      const graph = await graphs.get("spread", (builder, weight) => {
        const shares = builder.node("Softmax", [buildLogits(builder, weight)], { attributes: { axis: -1 } });
        const spread = builder.node("Sub", [shares, builder.node("Mul", [shares, shares])]);
        const sum = builder.node("ReduceSum", [spread, builder.constant(integerTensor([0]))], { attributes: { keepdims: 0 } });
        builder.output("sum", sum, "float32");
      });
      const weights = await readWeights();
      const sums = new Float64Array(vocabularySize);
      await byRows(states, rowsAtATime, "spread", async (rows) => {
        const results = await graph.run({ states: rows }, weights);
        for (const [token, sum] of floatValues(results, "sum").entries()) sums[token] = at(sums, token) + sum;
      });
      return sums;
    },

    async logits(states) {
      const graph = await graphs.get("logits", (builder, weight) =>
        builder.output("logits", buildLogits(builder, weight), "float32"),
      );
      const weights = await readWeights();
      const all = new Float32Array(states.rows * vocabularySize);
      await byRows(states, rowsAtATime, "logits", async (rows, first) => {
        const results = await graph.run({ states: rows }, weights);
        all.set(floatValues(results, "logits"), first * vocabularySize);
      });
      return { rows: states.rows, columns: vocabularySize, values: all };
    },

    async logitsByTokens(states, { turned = false } = {}) {
      const { rows, columns, values } = await headInput(states);
      // the same for one row, and quicker
      const isTurned = turned && rows > 1;
      const graph = await graphs.get(`logits of tokens${isTurned ? ", turned" : ""}`, (builder, weight) =>
        builder.output("logits", buildPart(builder, weight, isTurned), "float32"),
      );
      const weights = await readWeights();
      // pieces of the result that lie together
      const byTokens = isTurned || rows === 1;
      return async (tokens, into = new Float32Array(rows * tokens.count)) => {
        const { first: start, count } = tokens;
        const portion = byTokens
          ? { first: start, last: start + count, shape: "logits by tokens" }
          : { first: 0, last: rows, shape: "logits by rows" };
        await limits.inPieces(portion, async ({ first, last }) => {
          const own = last - first;
          const [of, to] = byTokens ? [rows, first - start] : [count, first];
          const normed = byTokens
            ? floatTensor(values, [rows, columns])
            : floatTensor(values.subarray(first * columns, last * columns), [own, columns]);
          const part = partOf(weightOf(weights, "head"), byTokens ? { first, count: own } : tokens);
          const piece = into.subarray(to * of, (to + own) * of);
          const dims = byTokens && !isTurned ? [of, own] : [own, of];
          await graph.run({ normed, part }, weights, { logits: floatTensor(piece, dims) });
        });
        return turned ? { rows: count, columns: rows, values: into } : { rows, columns: count, values: into };
      };
    },

    async scoreNext(states, next) {
      const score = await graphs.get("score", (builder, weight) => {
        const logits = buildPart(builder, weight);
        builder.output("sums", rowLogSums(builder, logits, builder.input("any", "int64", ["T", 1])), "float32");
        builder.output("logits", builder.node("GatherND", [logits, builder.input("wanted", "int64", ["N", 2])]), "float32");
      });
      const weights = await readWeights();
      const head = weightOf(weights, "head");
      const losses = await byRows(states, tile.rows, "losses", async (rows, first, count) => {
        const graph = await inputGraph();
        const { normed } = await graph.runKept({ states: rows }, await readNorm());
        if (normed === undefined) throw new InternalError("the norm before the head made nothing");
        try {
          return await lossesOf(normed, next.slice(first, first + count));
        } finally {
          freeTensor(normed);
        }
      });
      return Float64Array.from(losses.flatMap((own) => [...own]));

      /** Of the rows of one tile. */
      async function lossesOf(input: PlacedTensor, own: readonly (readonly number[])[]): Promise<Float64Array> {
        const sums = new RunningLogSum(own.length);
        const logits = new Float64Array(own.reduce((sum, { length }) => sum + length, 0));
        for (let start = 0; start < vocabularySize; start += tile.tokens) {
          const columns = Math.min(tile.tokens, vocabularySize - start);
          const wanted = [...inTile(own, start, columns)];
          const any = new Int32Array(own.length);
          for (const { row, column } of wanted) any[row] = column;
          const part = partOf(head, { first: start, count: columns });
          // none is an empty tensor, which not every operator takes: then the first logit, which is not used
          const pairs = wanted.length === 0 ? [0, 0] : wanted.flatMap(({ row, column }) => [row, column]);
          const results = await score.run(
            {
              normed: input,
              any: integerTensor(any, [own.length, 1]),
              wanted: integerTensor(pairs, [pairs.length / 2, 2]),
              part,
            },
            weights,
          );
          sums.add(floatValues(results, "sums"));
          const found = floatValues(results, "logits");
          for (const [index, { prediction }] of wanted.entries()) logits[prediction] = at(found, index);
        }
        let prediction = 0;
        for (const [row, { length }] of own.entries()) {
          for (const end = prediction + length; prediction < end; prediction++) {
            logits[prediction] = sums.at(row) - at(logits, prediction);
          }
        }
        return logits;
      }
    },
  };
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
