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

/** The numbers of xIELU, by the names of their values in a graph; each has one element. */
interface XieluNumbers {
  /** Before a softplus. */
  readonly alphaP: string;
  readonly alphaN: string;
  readonly beta: string;
  /** Below 0, next to it: what is above counts as this in the exponential. */
  readonly epsilon: string;
}

/**
 * ln(1 + eˣ), with the same relative precision for all x: ONNX Runtime's operator Softplus takes the logarithm of a rounded 1 + eˣ.
 * ln(1 + y) is 2 · artanh(y / (2 + y)).
 */
export function softplus(graph: GraphBuilder, value: string): string {
  const number = (constant: number): string => graph.constant(floatTensor(Float32Array.of(constant), []));
  const small = graph.node("Exp", [graph.node("Neg", [graph.node("Abs", [value])])]);
  const quotient = graph.node("Div", [small, graph.node("Add", [small, number(2)])]);
  const logarithm = graph.node("Mul", [graph.node("Atanh", [quotient]), number(2)]);
  return graph.node("Add", [graph.node("Max", [value, number(0)]), logarithm]);
}

/**
 * β·x + αₚ·x² above 0, β·x + αₙ·(eˣ - 1 - x) below.
 *
 * eˣ - 1 is tanh(x / 2) · (eˣ + 1), which is as precise near 0 as elsewhere.
 *
 * @see arXiv:2411.13010
 */
export function xielu(graph: GraphBuilder, value: string, { alphaP, alphaN, beta, epsilon }: XieluNumbers): string {
  const times = (a: string, b: string): string => graph.node("Mul", [a, b]);
  const plus = (a: string, b: string): string => graph.node("Add", [a, b]);
  const zero = graph.constant(floatTensor(Float32Array.of(0), []));
  const half = graph.constant(floatTensor(Float32Array.of(0.5), []));
  const below = graph.node("Min", [value, epsilon]);
  const lessOne = times(graph.node("Tanh", [times(below, half)]), plus(graph.node("Exp", [below]), one(graph)));
  const bent = times(graph.node("Sub", [lessOne, value]), plus(beta, softplus(graph, alphaN)));
  const squared = times(times(softplus(graph, alphaP), value), value);
  const isAbove = graph.node("Greater", [value, zero]);
  return plus(graph.node("Where", [isAbove, squared, bent]), times(beta, value));
}

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
