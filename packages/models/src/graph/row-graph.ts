import type { GraphBuilder } from "@mbs/onnx";
import type { RowGraph } from "./sequence-graph.ts";

/** Declares a weight as an input of a graph. */
export type WeightInput = RowGraph["weight"];

/** Rows with float32 weights. */
export const createRowGraph = (graph: GraphBuilder, weight: WeightInput): RowGraph => ({
  graph,
  weight,
  linear(input, { role, rows, columns, bias }) {
    const inputs = [input, weight(`${role}.weight`, [rows, columns]), ...(bias ? [weight(`${role}.bias`, [rows])] : [])];
    return graph.node("Gemm", inputs, { attributes: { transB: 1 }, name: role });
  },
});
