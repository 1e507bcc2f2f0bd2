import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Forward } from "../folder/model.ts";
import { createRowGraph } from "../graph/sequence-graph.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { scoredRows } from "./forward-checks.ts";
import type { GraphCache } from "./graph-cache.ts";
import { weightOf } from "./step-weights.ts";
import type { RoleWeights } from "./step-weights.ts";

/** Logits in memory at a time: 64 positions of a vocabulary of 250,000. */
export const logitsAtATime = 16 * 1024 * 1024;

/** A tile of the product of states and vocabulary, while losses are summed: large enough for the product to run at its peak. */
const tile = { rows: 1024, tokens: 2048 } as const;

/** Logits of a tile. */
export const logitsOfTile = tile.rows * tile.tokens;

/** ln Σ exp over tiles, given ln Σ exp of each, by row: kept as the largest so far and the sum of the rest relative to it. */
class RunningLogSum {
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

/**
 * The last part of the forward pass: final norm, head, and the loss of given tokens. The head's matrix is read at first
 * use and stays. Logits of many positions are made in parts; losses are summed over tiles of the vocabulary, so that no row
 * of logits is ever whole.
 */
export function createHead(
  layout: Layout,
  readWeight: WeightReader,
  graphs: GraphCache,
  readNorm: () => Promise<RoleWeights>,
): Pick<Forward, "score" | "logits" | "heldBytes"> {
  const { hiddenSize, vocabularySize } = layout;
  const rowsAtATime = Math.max(1, Math.floor(logitsAtATime / vocabularySize));
  let matrix: Float32Array | undefined;
  const readWeights = async (): Promise<RoleWeights> => {
    matrix ??= await readWeight(layout.head);
    return new Map([...(await readNorm()), ["head", matrix]]);
  };
  const buildLogits = (graph: GraphBuilder, weight: WeightInput): string => {
    const rows = createRowGraph(graph, weight);
    const normed = layout.buildHeadInput(rows, graph.input("states", "float32", ["T", hiddenSize]));
    const products = graph.node("Gemm", [normed, weight("head", [vocabularySize, hiddenSize])], { attributes: { transB: 1 } });
    return layout.buildLogits?.(rows, products) ?? products;
  };
  const parts = function* (states: Matrix): Generator<{ first: number; count: number; values: Float32Array }> {
    for (let first = 0; first < states.rows; first += rowsAtATime) {
      const count = Math.min(rowsAtATime, states.rows - first);
      yield { first, count, values: states.values.subarray(first * hiddenSize, (first + count) * hiddenSize) };
    }
  };

  return {
    heldBytes: () => matrix?.byteLength ?? 0,

    async logits(states) {
      const graph = await graphs.get("logits", (builder, weight) =>
        builder.output("logits", buildLogits(builder, weight), "float32"),
      );
      const weights = await readWeights();
      const all = new Float32Array(states.rows * vocabularySize);
      for (const { first, count, values } of parts(states)) {
        const results = await graph.run({ states: floatTensor(values, [count, hiddenSize]) }, weights);
        all.set(floatValues(results, "logits"), first * vocabularySize);
      }
      return { rows: states.rows, columns: vocabularySize, values: all };
    },

    async score(states, tokens, batch = 1) {
      const { targets, predicts } = scoredRows(states.rows, tokens, batch);
      const normed = await graphs.get("head input", (builder, weight) => {
        const rows = createRowGraph(builder, weight);
        const input = builder.input("states", "float32", ["T", hiddenSize]);
        builder.output("normed", layout.buildHeadInput(rows, input), "float32");
      });
      const score = await graphs.get("score", (builder, weight) => {
        const input = builder.input("normed", "float32", ["T", hiddenSize]);
        const products = builder.node("Gemm", [input, builder.input("part", "float32", ["V", hiddenSize])], {
          attributes: { transB: 1 },
        });
        const logits = layout.buildLogits?.(createRowGraph(builder, weight), products) ?? products;
        const shares = builder.node("LogSoftmax", [logits], { attributes: { axis: -1 } });
        const next = builder.input("next", "int64", ["T", 1]);
        const pick = (from: string): string => builder.node("GatherElements", [from, next], { attributes: { axis: 1 } });
        const picked = pick(logits);
        builder.output("logits", picked, "float32");
        // a logit less its logarithmic share is the logarithm of the tile's sum: two passes fewer than ReduceLogSumExp
        builder.output("sums", builder.node("Sub", [picked, pick(shares)]), "float32");
      });
      const weights = await readWeights();
      const head = weightOf(weights, "head");
      const wanted = Int32Array.from(targets.keys()).filter(predicts);
      const losses = new Float64Array(wanted.length);
      for (let first = 0; first < wanted.length; first += tile.rows) {
        const rows = wanted.subarray(first, first + tile.rows);
        const chosen = new Float32Array(rows.length * hiddenSize);
        for (const [index, row] of rows.entries()) {
          chosen.set(states.values.subarray(row * hiddenSize, (row + 1) * hiddenSize), index * hiddenSize);
        }
        const input = floatTensor(
          floatValues(await normed.run({ states: floatTensor(chosen, [rows.length, hiddenSize]) }, weights), "normed"),
          [rows.length, hiddenSize],
        );
        const sums = new RunningLogSum(rows.length);
        const own = new Float64Array(rows.length);
        for (let start = 0; start < vocabularySize; start += tile.tokens) {
          const count = Math.min(tile.tokens, vocabularySize - start);
          const inTile = rows.map((row) => at(targets, row) - start);
          const next = integerTensor(
            inTile.map((token) => (token >= 0 && token < count ? token : 0)),
            [rows.length, 1],
          );
          const part = floatTensor(head.subarray(start * hiddenSize, (start + count) * hiddenSize), [count, hiddenSize]);
          const results = await score.run({ normed: input, next, part }, weights);
          sums.add(floatValues(results, "sums"));
          const logits = floatValues(results, "logits");
          for (const [index, token] of inTile.entries()) if (token >= 0 && token < count) own[index] = at(logits, index);
        }
        for (const index of rows.keys()) losses[first + index] = sums.at(index) - at(own, index);
      }
      return losses;
    },
  };
}
