import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";

/**
 * Scores of queries and keys, times a number. The processor has one operator for both, the graphics processor has not.
 *
 * @param queries [batch, heads, queries, size]
 * @param keys [batch, heads, keys, size]
 * @returns [batch, heads, queries, keys]
 */
export function scaledScores(graph: GraphBuilder, queries: string, keys: string, scale: number): string {
  if (graph.device === "cpu") {
    const attributes = { transB: 1, alpha: { float: scale } };
    return graph.node("FusedMatMul", [queries, keys], { domain: "com.microsoft", attributes });
  }
  const turned = graph.node("Transpose", [keys], { attributes: { perm: [0, 1, 3, 2] } });
  const scaled = graph.node("Mul", [queries, graph.constant(floatTensor(Float32Array.of(scale), []))]);
  return graph.node("MatMul", [scaled, turned]);
}

/**
 * The logarithm of the sum of exponentials of each row.
 *
 * @param values [rows, columns]
 * @param any a column of each row, int64 [rows, 1]: which one does not matter
 * @returns [rows, 1]
 */
export function rowLogSums(graph: GraphBuilder, values: string, any: string): string {
  if (graph.device === "cpu") {
    // a value less its logarithmic share: two passes fewer than ReduceLogSumExp
    const shares = graph.node("LogSoftmax", [values], { attributes: { axis: -1 } });
    const pick = (from: string): string => graph.node("GatherElements", [from, any], { attributes: { axis: 1 } });
    return graph.node("Sub", [pick(values), pick(shares)]);
  }
  // it has no LogSoftmax
  const axis = graph.constant(integerTensor([1]));
  const largest = graph.node("ReduceMax", [values, axis], { attributes: { keepdims: 1 } });
  const powers = graph.node("Exp", [graph.node("Sub", [values, largest])]);
  const sum = graph.node("ReduceSum", [powers, axis], { attributes: { keepdims: 1 } });
  return graph.node("Add", [graph.node("Log", [sum]), largest]);
}
