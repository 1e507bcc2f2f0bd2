import { floatTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { choice } from "../config/config-keys.ts";
import type { Key } from "../config/config-keys.ts";

/** x · Φ(x), by a tanh. */
export const tanhGelu = (graph: GraphBuilder, value: string): string =>
  graph.node("Gelu", [value], { attributes: { approximate: "tanh" } });

const erfGelu = (graph: GraphBuilder, value: string): string => graph.node("Gelu", [value]);

const one = (graph: GraphBuilder): string => graph.constant(floatTensor(Float32Array.of(1), []));

/**
 * 1 + e⁻ˣ, by which a sigmoid divides; infinite below -88.7, where the quotient is 0.
 *
 * ONNX Runtime's operator Sigmoid is an approximation with an absolute error of 1e-7: 2e-4 of the result at -10, all of it
 * from -17 on. What a model multiplies by it may be as large as the sigmoid is small.
 */
const sigmoidDivisor = (graph: GraphBuilder, value: string): string =>
  graph.node("Add", [graph.node("Exp", [graph.node("Neg", [value])]), one(graph)]);

/** 1 / (1 + e⁻ˣ), with the same relative precision for all x. */
export const sigmoid = (graph: GraphBuilder, value: string): string =>
  graph.node("Div", [one(graph), sigmoidDivisor(graph, value)]);

/** x · sigmoid(x). */
const silu = (graph: GraphBuilder, value: string): string => graph.node("Div", [value, sigmoidDivisor(graph, value)]);

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
