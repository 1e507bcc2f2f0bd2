import { floatTensor, integerTensor } from "@mbs/onnx";
import type { BlockLinear } from "./decoder-blocks.ts";
import type { GatedDecoder } from "./gated-decoder.ts";
import type { SequenceGraph } from "./sequence-graph.ts";

/** One expert: a gated MLP that some of the rows go through. */
export interface Expert {
  readonly gate: BlockLinear;
  readonly up: BlockLinear;
  readonly down: BlockLinear;
}

/** Names of an expert's sites. */
export const expertSites = (index: number): { readonly up: string; readonly down: string } => ({
  up: `expert-${index}-up`,
  down: `expert-${index}-down`,
});

/**
 * Sends each row to the experts that its router likes best, and adds up what they make, by their shares.
 *
 * @param normed [rows, hidden]
 * @returns [rows, hidden], and what each expert's layers read: its own rows alone
 * @see arXiv:2401.04088 §2.1
 */
export function mixExperts(
  sequence: SequenceGraph,
  normed: string,
  { hidden, activation }: GatedDecoder,
  experts: readonly Expert[],
  used: number,
): { readonly sites: ReadonlyMap<string, string>; readonly states: string } {
  const { graph } = sequence;
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const router = sequence.weight("router.weight", [experts.length, hidden]);
  const scores = graph.node("Gemm", [normed, router], { attributes: { transB: 1 } });
  const likings = graph.node("Softmax", [scores], { attributes: { axis: 1 } });
  const [best = "", chosen = ""] = graph.nodes("TopK", [likings, integers(used)], 2, { attributes: { axis: 1 } });
  const shares = graph.node("Div", [best, graph.node("ReduceSum", [best, integers(1)], { attributes: { keepdims: 1 } })]);
  const sites = new Map<string, string>();
  let states = graph.node("Mul", [normed, graph.constant(floatTensor(Float32Array.of(0), []))]);
  for (const [index, { gate, up, down }] of experts.entries()) {
    const hits = graph.node("Cast", [graph.node("Equal", [chosen, integers(index)])], { attributes: { to: 1 } });
    const hit = graph.node("ReduceMax", [hits, integers(1)], { attributes: { keepdims: 0 } });
    const rows = graph.node("Reshape", [graph.node("NonZero", [hit]), integers(-1, 1)]);
    const own = (value: string): string => graph.node("GatherND", [value, rows]);
    const share = graph.node("ReduceSum", [graph.node("Mul", [shares, hits]), integers(1)], { attributes: { keepdims: 1 } });
    const read = own(normed);
    const gated = graph.node("Mul", [activation(graph, sequence.linear(read, gate)), sequence.linear(read, up)]);
    const made = graph.node("Mul", [sequence.linear(gated, down), own(share)]);
    states = graph.node("ScatterND", [states, rows, made], { attributes: { reduction: "add" } });
    const names = expertSites(index);
    sites.set(names.up, read).set(names.down, gated);
  }
  return { sites, states };
}
