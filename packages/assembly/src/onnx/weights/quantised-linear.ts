import { InternalError } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import type { GraphBuilder, Tensor } from "@mbs/onnx";
import type { StoredWeight } from "./quantised-weight.ts";

/** How exactly MatMulNBits multiplies: 0 float32 or its own choice, 1 float32, 4 activations rounded to 8 bits. */
export type AccuracyLevel = 0 | 1 | 4;

const byteTensor = (value: number): Tensor => ({ type: "uint8", dims: [], data: Uint8Array.of(value) });

/** Joins the planes of 3-bit codes to 4-bit codes; the engine does it once, when it loads the model. */
function joinPlanes(graph: GraphBuilder, low: string, high: string): string {
  const shifted = (value: string, by: number): string => {
    if (by === 0) return value;
    const attributes = { direction: by < 0 ? "LEFT" : "RIGHT" };
    return graph.node("BitShift", [value, graph.constant(byteTensor(Math.abs(by)))], { attributes });
  };
  const spread = (plane: string, mask: number, shifts: readonly number[]): string => {
    const bits = graph.constant(byteTensor(mask));
    const parts = shifts.map((by) => graph.node("BitwiseAnd", [shifted(plane, by), bits]));
    return graph.node("Concat", parts, { attributes: { axis: -1 } });
  };
  return graph.node("BitwiseOr", [spread(low, 0x33, [0, 2]), spread(high, 0x44, [-2, -1, 0, 1])]);
}

/** Columns of an input in the order of a weight's. */
export function reorderInput(graph: GraphBuilder, input: string, order: Int32Array): string {
  return graph.node("Gather", [input, graph.constant(integerTensor(order))], { attributes: { axis: -1 } });
}

/**
 * Adds the product of an input with a quantised weight to a graph.
 *
 * @param input [..., columns], its columns in the order of the weight's
 * @param tensors names of what `weightTensors` lists
 * @returns name of the product, [..., rows]
 */
export function addQuantisedLinear(
  graph: GraphBuilder,
  input: string,
  stored: StoredWeight,
  tensors: readonly string[],
  accuracy: AccuracyLevel,
): string {
  const { rows, grid, bits, planes } = stored;
  const [first, second, ...others] = tensors;
  if (first === undefined || second === undefined) throw new InternalError("a quantised weight has codes and scales, or planes");
  const joined = planes ? [joinPlanes(graph, first, second), ...others] : tensors;
  const attributes = { K: grid.columns, N: rows, bits, block_size: grid.blockSize, accuracy_level: accuracy };
  return graph.node("MatMulNBits", [input, ...joined], { domain: "com.microsoft", attributes });
}
