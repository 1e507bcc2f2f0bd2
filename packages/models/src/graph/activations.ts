import type { GraphBuilder } from "@mbs/onnx";
import { choice } from "../config/config-keys.ts";
import type { Key } from "../config/config-keys.ts";

/** x · Φ(x), by a tanh. */
export const tanhGelu = (graph: GraphBuilder, value: string): string =>
  graph.node("Gelu", [value], { attributes: { approximate: "tanh" } });

const erfGelu = (graph: GraphBuilder, value: string): string => graph.node("Gelu", [value]);

const silu = (graph: GraphBuilder, value: string): string => graph.node("Mul", [value, graph.node("Sigmoid", [value])]);

/** By the names that config.json uses. */
export const activations = {
  gelu: erfGelu,
  gelu_python: erfGelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  relu: (graph: GraphBuilder, value: string): string => graph.node("Relu", [value]),
  silu,
  swish: silu,
} as const;

export type ActivationName = keyof typeof activations;

/** Adds the activation's nodes and returns the name of their value. */
export type Activation = (graph: GraphBuilder, value: string) => string;

/** A key that names an activation; others are refused, naming the supported ones. */
export const activationKey = (fallback: ActivationName): Key<ActivationName> =>
  choice(Object.keys(activations) as ActivationName[], fallback);
