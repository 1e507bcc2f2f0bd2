import { at } from "@mbs/contracts";
import { floatTensor, integerTensor } from "@mbs/onnx";
import { sigmoid } from "../../graph/activations.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { JoinedTensor } from "../layout.ts";
import { blockLinear, normVectors } from "./decoder-blocks.ts";
import type { BlockActivation, BlockDescription, BlockLinear } from "./decoder-blocks.ts";

/** gate · sigmoid(alpha · gate) · (up + 1), of gates up to the limit and ups up to it on both sides. */
export interface ClampedGating {
  readonly alpha: number;
  readonly limit: number;
}

/** What experts have that stand beside an MLP, by their names in the block. */
export interface BesideMlp {
  /** Norms of what the experts read, of what they make together, and of what the MLP makes; then both are added. */
  readonly beforeNorm: string;
  readonly afterNorm: string;
  readonly mlpNorm: string;
  /** Factors of the channels that the router reads, of states with a mean square of 1 / channels. */
  readonly routerScale: string;
  /** A factor on the share of each expert. */
  readonly expertScale: string;
}

/** Experts in place of an MLP, or beside it: each row goes through the few that its router scores highest. */
export interface Experts {
  readonly count: number;
  /** Experts a row goes through. */
  readonly used: number;
  /** Width of each. */
  readonly inner: number;
  /** Whether the shares of the experts that a row goes through are scaled to add up to 1. */
  readonly normalised: boolean;
  /** Width of one more expert that every row goes through, by a share of its own. */
  readonly shared?: number;
  /** Whether router and layers have biases; default none. */
  readonly biased?: boolean;
  /** How the products of gate and up meet; default: activation(gate) · up. */
  readonly clamped?: ClampedGating;
  /** Where checkpoints hold them joined alone: whether gate and up take turns and matrices are [in, out], as in WholeForm. */
  readonly whole?: { readonly woven: boolean };
  readonly beside?: BesideMlp;
  /** Names in the block: of the router, and of the linear layers of expert N, between "PREFIXexperts.N." and ".weight". */
  readonly router: string;
  readonly names: { readonly prefix: string; readonly gate: string; readonly up: string; readonly down: string };
}

/** The linear layers of one expert: a gated MLP. */
interface Expert {
  readonly gate: BlockLinear;
  readonly up: BlockLinear;
  readonly down: BlockLinear;
}

export interface ExpertLinears {
  readonly routed: readonly Expert[];
  readonly shared: Expert | undefined;
}

const sharedRouter = "shared-router.weight";
const routerBias = "router.bias";
const expertScale = "expert-scale";

/** Of experts beside an MLP. */
export const besideRoles = { before: "expert-norm", after: "experts-norm", mlp: "beside-norm", router: "router-norm" } as const;

/** The linear layers of all experts of a block. */
export function expertLinears({ count, inner, shared, names, biased = false }: Experts, hidden: number): ExpertLinears {
  const expert = (role: string, name: string, width: number): Expert => ({
    gate: blockLinear(`gate-${role}`, `${name}.${names.gate}`, width, hidden, biased),
    up: blockLinear(`up-${role}`, `${name}.${names.up}`, width, hidden, biased),
    down: blockLinear(`down-${role}`, `${name}.${names.down}`, hidden, width, biased),
  });
  return {
    routed: Array.from({ length: count }, (_, index) => expert(`${index}`, `${names.prefix}experts.${index}`, inner)),
    shared: shared === undefined ? undefined : expert("shared", `${names.prefix}shared_expert`, shared),
  };
}

/** The joined tensors of weights or of biases. @param end of their names: of joined ones, and of their parts */
function wholeExperts(
  experts: readonly string[],
  { names }: Experts,
  { woven }: { readonly woven: boolean },
  end: string,
  kind: string,
): readonly JoinedTensor[] {
  const joined = (name: string, ...layers: string[]): JoinedTensor => ({
    name: `${names.prefix}experts.${name}${end}`,
    parts: experts.flatMap((expert) => layers.map((layer) => `${expert}.${layer}.${kind}`)),
    whole: { parts: layers.length, woven },
  });
  return [joined("gate_up_proj", names.gate, names.up), joined("down_proj", names.down)];
}

/**
 * The form of newer checkpoints, after the block's own name: of all experts, gate and up in one tensor [experts, 2 · inner,
 * hidden] and down in another [experts, hidden, inner]; the router is `mlp.gate` whatever the type.
 */
export function joinedExperts(given: Experts): readonly JoinedTensor[] {
  const { count, router, names } = given;
  const experts = Array.from({ length: count }, (_, index) => `${names.prefix}experts.${index}`);
  if (given.whole) {
    const biases = given.biased ? wholeExperts(experts, given, given.whole, "_bias", "bias") : [];
    return [...wholeExperts(experts, given, given.whole, "", "weight"), ...biases];
  }
  return [
    {
      name: "mlp.experts.gate_up_proj",
      parts: experts.flatMap((expert) => [`${expert}.${names.gate}.weight`, `${expert}.${names.up}.weight`]),
    },
    { name: "mlp.experts.down_proj", parts: experts.map((expert) => `${expert}.${names.down}.weight`) },
    ...(router === "mlp.gate" ? [] : [{ name: "mlp.gate.weight", parts: [`${router}.weight`] }]),
  ];
}

const sitesOf = (expert: string): { readonly up: string; readonly down: string } => ({
  up: `${expert}-up`,
  down: `${expert}-down`,
});

/** What experts add to a block: two sites each, and the routers and norms, which stay as they are. */
export function expertBlock(
  { count, router, names, biased, beside }: Experts,
  { routed, shared }: ExpertLinears,
  hidden: number,
): Pick<BlockDescription, "sites" | "others"> {
  const all = [
    ...routed.map((expert, index) => [`expert-${index}`, expert] as const),
    ...(shared === undefined ? [] : [["shared-expert", shared] as const]),
  ];
  return {
    sites: all.flatMap(([name, { gate, up, down }]) => [
      { name: sitesOf(name).up, linears: [gate, up] },
      { name: sitesOf(name).down, linears: [down] },
    ]),
    others: [
      { role: "router.weight", name: `${router}.weight`, shape: [count, hidden] },
      ...(biased ? [{ role: routerBias, name: `${router}.bias`, shape: [count] }] : []),
      ...(shared === undefined
        ? []
        : [{ role: sharedRouter, name: `${names.prefix}shared_expert_gate.weight`, shape: [1, hidden] }]),
      ...(beside === undefined
        ? []
        : [
            ...normVectors(besideRoles.before, beside.beforeNorm, hidden, false),
            ...normVectors(besideRoles.after, beside.afterNorm, hidden, false),
            ...normVectors(besideRoles.mlp, beside.mlpNorm, hidden, false),
            { role: `${besideRoles.router}.weight`, name: beside.routerScale, shape: [hidden] },
            { role: expertScale, name: beside.expertScale, shape: [count] },
          ]),
    ],
  };
}

/** What mixing needs besides the linear layers. */
export interface ExpertMix extends Pick<Experts, "used" | "normalised" | "biased" | "clamped" | "beside"> {
  readonly hidden: number;
  readonly activation: BlockActivation;
}

/** What router and experts read, both [rows, hidden]. */
interface ExpertInputs {
  readonly router: string;
  readonly experts: string;
}

/** What becomes of the products of gate and up before the one multiplies the other. */
function gating(sequence: SequenceGraph, { activation, clamped }: ExpertMix) {
  const { graph } = sequence;
  if (clamped === undefined) {
    return { gated: (value: string): string => activation.apply(sequence, value), lifted: (value: string): string => value };
  }
  const number = (value: number): string => graph.constant(floatTensor(Float32Array.of(value), []));
  const times = (one: string, other: string): string => graph.node("Mul", [one, other]);
  const atMost = (value: string): string => graph.node("Min", [value, number(clamped.limit)]);
  return {
    gated(value: string): string {
      const gate = atMost(value);
      return times(gate, sigmoid(graph, times(gate, number(clamped.alpha))));
    },
    lifted: (value: string): string => graph.node("Add", [graph.node("Max", [atMost(value), number(-clamped.limit)]), number(1)]),
  };
}

/**
 * Sends each row to the experts that its router scores highest, and adds up their outputs, weighted by the router's
 * shares. The shared expert's output is added for all rows.
 *
 * @returns [rows, hidden], and what each expert's layers read: its own rows alone
 * @see arXiv:2401.04088 §2.1; arXiv:2407.10671 §2.2.2 for the shared expert
 */
export function mixExperts(
  sequence: SequenceGraph,
  { router, experts: normed }: ExpertInputs,
  mix: ExpertMix,
  { routed, shared }: ExpertLinears,
): { readonly sites: ReadonlyMap<string, string>; readonly states: string } {
  const { graph } = sequence;
  const { hidden, used, normalised, biased, beside } = mix;
  const sides = gating(sequence, mix);
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const scores = (role: string, count: number, bias: readonly string[] = []): string =>
    graph.node("Gemm", [router, sequence.weight(role, [count, hidden]), ...bias], { attributes: { transB: 1 } });
  const sites = new Map<string, string>();
  const run = (name: string, read: string, { gate, up, down }: Expert): string => {
    const gated = graph.node("Mul", [sides.gated(sequence.linear(read, gate)), sides.lifted(sequence.linear(read, up))]);
    sites.set(sitesOf(name).up, read).set(sitesOf(name).down, gated);
    return sequence.linear(gated, down);
  };

  const bias = biased ? [sequence.weight(routerBias, [routed.length])] : [];
  const probabilities = graph.node("Softmax", [scores("router.weight", routed.length, bias)], { attributes: { axis: 1 } });
  const top = graph.nodes("TopK", [probabilities, integers(used)], 2, { attributes: { axis: 1 } });
  const [best, chosen] = [at(top, 0), at(top, 1)];
  const whole = (): string => graph.node("ReduceSum", [best, integers(1)], { attributes: { keepdims: 1 } });
  const chosenShares = normalised ? graph.node("Div", [best, whole()]) : best;
  const scale = (): string =>
    graph.node("Gather", [sequence.weight(expertScale, [routed.length]), chosen], { attributes: { axis: 0 } });
  const shares = beside === undefined ? chosenShares : graph.node("Mul", [chosenShares, scale()]);
  let states = graph.node("Mul", [normed, graph.constant(floatTensor(Float32Array.of(0), []))]);
  for (const [index, expert] of routed.entries()) {
    const hits = graph.node("Cast", [graph.node("Equal", [chosen, integers(index)])], { attributes: { to: 1 } });
    const hit = graph.node("ReduceMax", [hits, integers(1)], { attributes: { keepdims: 0 } });
    const rows = graph.node("Reshape", [graph.node("NonZero", [hit]), integers(-1, 1)]);
    const own = (value: string): string => graph.node("GatherND", [value, rows]);
    const share = graph.node("ReduceSum", [graph.node("Mul", [shares, hits]), integers(1)], { attributes: { keepdims: 1 } });
    const made = graph.node("Mul", [run(`expert-${index}`, own(normed), expert), own(share)]);
    states = graph.node("ScatterND", [states, rows, made], { attributes: { reduction: "add" } });
  }
  if (shared === undefined) return { sites, states };
  const made = run("shared-expert", normed, shared);
  const gated = graph.node("Mul", [sigmoid(graph, scores(sharedRouter, 1)), made]);
  return { sites, states: graph.node("Add", [states, gated]) };
}
