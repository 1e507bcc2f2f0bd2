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
import type { RoleWeights } from "./step-weights.ts";

/** Logits in memory at a time: 64 positions of a vocabulary of 250,000. */
export const logitsAtATime = 16 * 1024 * 1024;

/**
 * The last part of the forward pass: final norm, head, and the loss of given tokens. The head's matrix is read at first
 * use and stays; the logits of many positions are made in parts.
 */
export function createHead(
  layout: Layout,
  readWeight: WeightReader,
  graphs: GraphCache,
  readNorm: () => Promise<RoleWeights>,
): Pick<Forward, "score" | "logits"> {
  const { hiddenSize, vocabularySize } = layout;
  const rowsAtATime = Math.max(1, Math.floor(logitsAtATime / vocabularySize));
  let matrix: Promise<Float32Array> | undefined;
  const readWeights = async (): Promise<RoleWeights> => {
    matrix ??= readWeight(layout.head);
    return new Map([...(await readNorm()), ["head", await matrix]]);
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
      const graph = await graphs.get("score", (builder, weight) => {
        const shares = builder.node("LogSoftmax", [buildLogits(builder, weight)], { attributes: { axis: -1 } });
        const next = builder.input("next", "int64", ["T", 1]);
        builder.output("logs", builder.node("GatherElements", [shares, next], { attributes: { axis: 1 } }), "float32");
      });
      const weights = await readWeights();
      const losses: number[] = [];
      for (const { first, count, values } of parts(states)) {
        const feeds = {
          states: floatTensor(values, [count, hiddenSize]),
          next: integerTensor(targets.subarray(first, first + count), [count, 1]),
        };
        const logs = floatValues(await graph.run(feeds, weights), "logs");
        logs.forEach((log, row) => predicts(first + row) && losses.push(-log));
      }
      return Float64Array.from(losses);
    },
  };
}
