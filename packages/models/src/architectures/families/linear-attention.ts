import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { activations, sigmoid, softplus } from "../../graph/activations.ts";
import { causalConvolution } from "../../graph/causal-conv.ts";
import type { ConvolutionShape } from "../../graph/causal-conv.ts";
import { rmsNorm, unitNorm } from "../../graph/norms.ts";
import { scaled } from "../../graph/scaling.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import { convolutionTensors } from "./convolution-tensors.ts";
import { blockLinear } from "./decoder-blocks.ts";
import type { BlockActivation, BlockLinear, BlockTensor } from "./decoder-blocks.ts";

/** Attention by the gated delta rule: a token reads a state that all tokens before it have changed, not the tokens. */
export interface LinearAttention {
  /** Heads of queries and of keys; each serves as many heads of values that follow one another. */
  readonly keyHeads: number;
  readonly valueHeads: number;
  /** Elements of a head. */
  readonly keySize: number;
  readonly valueSize: number;
  /** Tokens that the convolution of queries, keys and values reads. */
  readonly kernel: number;
}

/** Columns of queries, keys and values side by side. */
const convolved = ({ keyHeads, valueHeads, keySize, valueSize }: LinearAttention): number =>
  2 * keyHeads * keySize + valueHeads * valueSize;

const convolution = (linear: LinearAttention): ConvolutionShape => ({
  channels: convolved(linear),
  width: linear.kernel,
  bias: false,
});

/** What makes query, key and value, and the gate of the output. */
export const linearAttentionInputs = (linear: LinearAttention, hidden: number): readonly BlockLinear[] => [
  blockLinear("qkv", "linear_attn.in_proj_qkv", convolved(linear), hidden, false),
  blockLinear("output-gate", "linear_attn.in_proj_z", linear.valueHeads * linear.valueSize, hidden, false),
];

export const linearAttentionOutput = ({ valueHeads, valueSize }: LinearAttention, hidden: number): BlockLinear =>
  blockLinear("output", "linear_attn.out_proj", hidden, valueHeads * valueSize, false);

const decayWeight = "decay.weight";
const shareWeight = "share.weight";

const tensor = (role: string, name: string, ...shape: readonly number[]): BlockTensor => ({
  role,
  name: `linear_attn.${name}`,
  shape,
});

/**
 * Tensors that are not compressed. Among them are two matrices with a row a head, which decide, as routers do, how long a head
 * remembers and how much it takes of a token: a thousandth of a block's weights.
 */
export const linearAttentionTensors = (linear: LinearAttention, hidden: number): readonly BlockTensor[] => {
  const { valueHeads, valueSize } = linear;
  return [
    tensor(decayWeight, "in_proj_a.weight", valueHeads, hidden),
    tensor(shareWeight, "in_proj_b.weight", valueHeads, hidden),
    tensor("decay-rate", "A_log", valueHeads),
    tensor("decay-bias", "dt_bias", valueHeads),
    ...convolutionTensors("conv", "linear_attn.conv1d", convolution(linear)),
    tensor("context-norm.weight", "norm.weight", valueSize),
  ];
};

/** What is added to the sum of squares of a query or key before it is divided by its root. */
const leastSquares = 1e-6;

/** What a block with linear attention is. */
interface LinearAttentionBlock {
  readonly hidden: number;
  readonly linear: LinearAttention;
  /** As in `linearAttentionInputs`. */
  readonly inputs: readonly BlockLinear[];
  /** Of what is convolved. */
  readonly activation: BlockActivation;
  readonly norm: { readonly epsilon: number };
}

/**
 * What attention makes of normed states: its context [rows, valueHeads · valueSize].
 *
 * @see arXiv:2412.06464 §3.4
 */
export function linearContext(
  sequence: SequenceGraph,
  normed: string,
  { hidden, linear, inputs, activation, norm }: LinearAttentionBlock,
): string {
  const { graph } = sequence;
  const { keyHeads, valueHeads, keySize, valueSize } = linear;
  const times = (one: string, other: string): string => graph.node("Mul", [one, other]);
  const byHead = (role: string): string => {
    const weight = sequence.weight(role, [valueHeads, hidden]);
    return graph.node("Gemm", [normed, weight], { attributes: { transB: 1 } });
  };
  const mixed = causalConvolution(sequence, sequence.linear(normed, at(inputs, 0)), "conv", convolution(linear));
  const sizes = [keyHeads * keySize, keyHeads * keySize, valueHeads * valueSize];
  const parts = graph.nodes("Split", [activation.apply(sequence, mixed), graph.constant(integerTensor(sizes))], 3, {
    attributes: { axis: 1 },
  });
  const owners = Array.from({ length: valueHeads }, (_, head) => Math.floor((head * keyHeads) / valueHeads));
  /** Queries or keys of length 1 times `factor`, for each head of values. */
  const unit = (value: string, factor: number): string => {
    const heads = sequence.splitHeads(value, keyHeads, keySize);
    const long = unitNorm(sequence, heads, { size: keySize, epsilon: leastSquares / keySize });
    const own = scaled(graph, long, factor / Math.sqrt(keySize));
    return keyHeads === valueHeads
      ? own
      : graph.node("Gather", [own, graph.constant(integerTensor(owners))], { attributes: { axis: 1 } });
  };
  const rate = graph.node("Neg", [graph.node("Exp", [sequence.weight("decay-rate", [valueHeads])])]);
  const time = softplus(graph, graph.node("Add", [byHead(decayWeight), sequence.weight("decay-bias", [valueHeads])]));
  const read = sequence.deltaRule(
    {
      query: unit(at(parts, 0), 1 / Math.sqrt(keySize)),
      key: unit(at(parts, 1), 1),
      value: sequence.splitHeads(at(parts, 2), valueHeads, valueSize),
      decay: sequence.splitHeads(times(rate, time), valueHeads, 1),
      share: sequence.splitHeads(sigmoid(graph, byHead(shareWeight)), valueHeads, 1),
    },
    { heads: valueHeads, keySize, valueSize },
  );
  const scaledRead = sequence.joinHeads(
    rmsNorm(sequence, read, "context-norm", { size: valueSize, epsilon: norm.epsilon }),
    valueHeads,
    valueSize,
  );
  return times(scaledRead, activations.silu(graph, sequence.linear(normed, at(inputs, 1))));
}
