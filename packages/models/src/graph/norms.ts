import { floatTensor } from "@mbs/onnx";
import type { RowGraph } from "./sequence-graph.ts";

export interface NormShape {
  /** Elements of the last axis, which are normed together. */
  readonly size: number;
  readonly epsilon: number;
}

/** Mean 0 and variance 1 over the last axis, times `ROLE.weight`, plus `ROLE.bias` where it has one. */
export function layerNorm(
  rows: RowGraph,
  input: string,
  role: string,
  { size, epsilon, biased = true }: NormShape & { readonly biased?: boolean },
): string {
  const inputs = [input, rows.weight(`${role}.weight`, [size]), ...(biased ? [rows.weight(`${role}.bias`, [size])] : [])];
  return rows.graph.node("LayerNormalization", inputs, { attributes: { axis: -1, epsilon: { float: epsilon } } });
}

/** Mean square 1 over the last axis. */
export function unitNorm({ graph }: RowGraph, input: string, { size, epsilon }: NormShape): string {
  const scale = graph.constant(floatTensor(new Float32Array(size).fill(1), [size]));
  return graph.node("SimplifiedLayerNormalization", [input, scale], { attributes: { axis: -1, epsilon: { float: epsilon } } });
}

/** Mean square 1 over the last axis, times `ROLE.weight` (Llama) or 1 + `ROLE.weight` (Gemma). */
export function rmsNorm(
  rows: RowGraph,
  input: string,
  role: string,
  { size, epsilon, plusOne = false }: NormShape & { readonly plusOne?: boolean },
): string {
  const { graph } = rows;
  const stored = rows.weight(`${role}.weight`, [size]);
  const scale = plusOne ? graph.node("Add", [stored, graph.constant(floatTensor(Float32Array.of(1), []))]) : stored;
  return graph.node("SimplifiedLayerNormalization", [input, scale], { attributes: { axis: -1, epsilon: { float: epsilon } } });
}
