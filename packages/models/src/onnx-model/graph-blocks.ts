import { inputSite } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { GraphFile, GraphNode, GraphTensor } from "@mbs/onnx";
import type { DataFlow } from "./data-flow.ts";
import type { LinearWeight, Readers } from "./linear-weights.ts";

/** Names that say to which numbered block something belongs: "model.layers.3.mlp.up_proj.weight", "/model/layers.3/…". */
const blockPattern = /(?:^|[./])([A-Za-z]\w*)[./](\d+)[./](.*)$/;

export interface BlockName {
  /** "layers.3" */
  readonly block: string;
  /** What follows: "mlp.up_proj.weight". */
  readonly rest: string;
}

/** The first block in a name. */
export function blockOf(name: string): BlockName | undefined {
  const [, word, number, rest = ""] = blockPattern.exec(name) ?? [];
  return word === undefined || number === undefined ? undefined : { block: `${word}.${Number(number)}`, rest };
}

/**
 * The block of a node by its own name, or by the name of a tensor that it alone reads: exporters let blocks share tensors
 * of equal values, which then have the name of the first.
 */
export function blockOfNode(node: GraphNode, tensors: ReadonlyMap<string, GraphTensor>, readers: Readers): string | undefined {
  const own = blockOf(node.name);
  if (own !== undefined) return own.block;
  const named = node.inputs.filter((name) => tensors.has(name) && readers.get(name)?.length === 1);
  return named.flatMap((name) => blockOf(name)?.block ?? [])[0];
}

/** The linear layer of a weight as the model calls it: "self_attn.q_proj"; undefined where neither tensor nor node says. */
export function moduleName({ tensor, node }: Pick<LinearWeight, "tensor" | "node">): string | undefined {
  const byTensor = blockOf(tensor)?.rest.replace(/\.?weight$/, "");
  // a node is named after its layer, and then after its operator
  const byNode = blockOf(node.name)?.rest.split("/").slice(0, -1).join(".");
  return byTensor || byNode || undefined;
}

/** A value that linear layers read. */
export interface GraphSite {
  readonly name: string;
  readonly width: number;
  readonly value: string;
  readonly weights: readonly LinearWeight[];
}

/** A part of a graph between two values that lie on every path. */
export interface GraphBlock {
  readonly name: string;
  /** The states before it. */
  readonly start: string;
  /** The states after it. */
  readonly end: string;
  readonly sites: readonly GraphSite[];
}

/** Segments first … last-1 of a flow. */
interface BlockRange {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

/** Ranges of the blocks that nodes are named after; blocks that cannot be cut apart are one block. */
function namedRanges(
  graph: GraphFile,
  { segmentOf }: DataFlow,
  readers: Readers,
  weights: readonly LinearWeight[],
): BlockRange[] {
  const blocks = new Map<string, { first: number; last: number }>();
  const byWeight = new Map(weights.map(({ node, tensor }) => [node, blockOf(tensor)?.block]));
  for (const [node, segment] of segmentOf) {
    const block = byWeight.get(node) ?? blockOfNode(node, graph.tensors, readers);
    if (block === undefined) continue;
    const { first, last } = blocks.get(block) ?? { first: segment, last: segment + 1 };
    blocks.set(block, { first: Math.min(first, segment), last: Math.max(last, segment + 1) });
  }
  const ranges: BlockRange[] = [];
  for (const [name, { first, last }] of [...blocks].sort(([, a], [, b]) => a.first - b.first)) {
    const before = ranges.at(-1);
    if (before === undefined || first >= before.last) ranges.push({ name, first, last });
    else ranges[ranges.length - 1] = { name: `${before.name}+${name}`, first: before.first, last: Math.max(last, before.last) };
  }
  // segments between two blocks belong to the first of them
  return ranges.map((range, index) => ({ ...range, last: ranges[index + 1]?.first ?? range.last }));
}

/** Without names: each segment between two cuts that multiplies by a weight is a block. */
function cutRanges({ segmentOf }: DataFlow, products: readonly GraphNode[]): BlockRange[] {
  const multiplying = new Set(products);
  const segments = [...segmentOf].flatMap(([node, segment]) => (multiplying.has(node) ? [segment] : []));
  const firsts = [...new Set(segments)].sort((a, b) => a - b);
  return firsts.map((first, index) => ({ name: `part.${index}`, first, last: firsts[index + 1] ?? first + 1 }));
}

function sitesOf(weights: readonly LinearWeight[]): GraphSite[] {
  const sites: { name: string; width: number; value: string; weights: LinearWeight[] }[] = [];
  for (const weight of weights) {
    const { input: value, width } = weight;
    const known = sites.find((site) => site.value === value && site.width === width);
    if (known !== undefined) {
      known.weights.push(weight);
      continue;
    }
    const wanted = moduleName(weight) ?? `linear-${sites.length + 1}`;
    const taken = wanted === inputSite || sites.some(({ name }) => name === wanted);
    sites.push({ name: taken ? `${wanted}-${sites.length + 1}` : wanted, width, value, weights: [weight] });
  }
  return sites;
}

export interface CutGraph {
  readonly blocks: readonly GraphBlock[];
  /** Whether names of nodes or tensors told the blocks apart. */
  readonly byName: boolean;
}

/**
 * Cuts a graph into blocks: at the blocks that its names tell, or wherever it can be cut.
 *
 * @param weights on the paths from the tokens to the logits, in the order of their nodes
 * @param products nodes on those paths that multiply by a weight, except the head
 */
export function cutBlocks(
  graph: GraphFile,
  flow: DataFlow,
  weights: readonly LinearWeight[],
  readers: Readers,
  products: readonly GraphNode[],
): CutGraph {
  const named = namedRanges(graph, flow, readers, weights);
  const ranges = named.length > 0 ? named : cutRanges(flow, products);
  const blocks = ranges.map(({ name, first, last }): GraphBlock => {
    const own = weights.filter(({ node }) => {
      const segment = flow.segmentOf.get(node);
      return segment !== undefined && segment >= first && segment < last;
    });
    return { name, start: at(flow.cuts, first), end: at(flow.cuts, last), sites: sitesOf(own) };
  });
  return { blocks, byName: named.length > 0 };
}
