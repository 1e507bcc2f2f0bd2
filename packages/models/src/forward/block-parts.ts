import { InternalError } from "@mbs/contracts";
import type { GraphNode, PlacedTensor } from "@mbs/onnx";
import { readsShape } from "../onnx-model/data-flow.ts";

/** A node, as far as cutting a graph goes. */
export type PartNode = Pick<GraphNode, "operator" | "inputs" | "outputs">;

/** A site in the graph of its block. */
export interface PartSite {
  readonly name: string;
  /** What the site's weights read. */
  readonly value: string;
  /** Values of those weights. */
  readonly weights: readonly string[];
  /** The states that what its weight makes is added to. */
  readonly residual?: string | undefined;
}

/** A block's graph, and where it is cut. */
export interface BlockGraph {
  /** In an order in which they can run. */
  readonly nodes: readonly PartNode[];
  /** Values that the block is given: the states of the streams that it reads. */
  readonly given: readonly string[];
  readonly sites: readonly PartSite[];
  /** The states after the block. */
  readonly end: string;
}

/** A part of a block: what is computed for the sites of one round, or for the end, and for none before. */
export interface BlockPart {
  /** Inputs of the round's sites by name; none in the last part. */
  readonly sites: ReadonlyMap<string, string>;
  /** What the round's sites add to, by name. Later parts read it, so it is kept. */
  readonly residuals: ReadonlyMap<string, string>;
  /** Values that earlier parts made or the block was given. */
  readonly reads: readonly string[];
  /** What it makes that is an input of its sites, the end, or read by later parts; nothing where there is nothing to compute. */
  readonly makes: readonly string[];
  /** Everything that later parts read, made by it or before. */
  readonly keeps: readonly string[];
}

type Makers = ReadonlyMap<string, PartNode>;

/** Which node makes a value; given values are made by none. */
function makersOf({ nodes, given }: Omit<BlockGraph, "end" | "sites">): Makers {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  for (const name of given) makers.delete(name);
  return makers;
}

/** Nodes that a value needs, but for those that `isKnown` leaves out with all that they need. */
function* ancestors(makers: Makers, value: string, isKnown: (node: PartNode) => boolean): Generator<PartNode> {
  const open = [value];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name);
    if (maker === undefined || isKnown(maker)) continue;
    yield maker;
    open.push(...maker.inputs);
  }
}

/**
 * The sites of a block in rounds. No site depends on the weights that read a site of its own round, or of a later one: those of
 * a round are captured together. A decoder block has a round for each of its sites; parallel residuals and experts share them.
 *
 * @returns the round of each site
 */
function findRounds({ sites, ...graph }: Omit<BlockGraph, "end">): ReadonlyMap<string, number> {
  const makers = makersOf(graph);
  const reader = new Map(sites.flatMap(({ name, weights }) => weights.map((weight) => [weight, name] as const)));
  /** Sites whose weights a site depends on. */
  const before = new Map(
    sites.map(({ name, value }) => {
      const seen = new Set<PartNode>();
      for (const node of ancestors(makers, value, (known) => seen.has(known))) seen.add(node);
      return [name, new Set([...seen].flatMap(({ inputs }) => inputs.flatMap((input) => reader.get(input) ?? [])))] as const;
    }),
  );
  const rounds = new Map<string, number>();
  const roundOf = (name: string): number => {
    const known = rounds.get(name);
    if (known !== undefined) return known;
    const round = Math.max(-1, ...[...(before.get(name) ?? [])].map(roundOf)) + 1;
    rounds.set(name, round);
    return round;
  };
  for (const { name } of sites) roundOf(name);
  return rounds;
}

/** Names of the sites of each round. */
export function siteRounds(graph: Omit<BlockGraph, "end">): readonly (readonly string[])[] {
  const rounds = findRounds(graph);
  const count = Math.max(-1, ...rounds.values()) + 1;
  return Array.from({ length: count }, (_, round) =>
    graph.sites.flatMap(({ name }) => (rounds.get(name) === round ? [name] : [])),
  );
}

/** Values that depend on the given ones, if only by their shape. */
function dependentValues({ nodes, given }: BlockGraph): ReadonlySet<string> {
  const dependent = new Set(given);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((name) => dependent.has(name))) for (const name of outputs) dependent.add(name);
  }
  return dependent;
}

/**
 * The part of each node that depends on the given values: the first of whose targets one needs it. A shape is taken where its
 * value is made, so that the value need not be kept for it.
 */
function assignNodes(
  graph: BlockGraph,
  targets: readonly (readonly string[])[],
  dependent: ReadonlySet<string>,
): ReadonlyMap<PartNode, number> {
  const makers = makersOf(graph);
  const assigned = new Map<PartNode, number>();
  const isKnown = (node: PartNode): boolean => assigned.has(node) || !node.outputs.some((name) => dependent.has(name));
  for (const [part, values] of targets.entries()) {
    for (const value of values) for (const node of ancestors(makers, value, isKnown)) assigned.set(node, part);
  }
  for (const node of assigned.keys()) {
    if (!readsShape(node)) continue;
    const [maker] = node.inputs.flatMap((name) => makers.get(name) ?? []);
    assigned.set(node, (maker && assigned.get(maker)) ?? 0);
  }
  return assigned;
}

/**
 * Cuts a block's graph at its sites: a part for the sites of each round, and one for the rest. What does not depend on the given
 * values (masks, positions, turned weights) belongs to every part that reads it and is never kept.
 *
 * @throws {InternalError} where a site or the end depends on nothing that is given
 */
export function cutAtSites(graph: BlockGraph): readonly BlockPart[] {
  const dependent = dependentValues(graph);
  const values = new Map(graph.sites.map(({ name, value }) => [name, value]));
  const rounds = siteRounds(graph).map((names) => new Map(names.map((name) => [name, values.get(name) ?? ""])));
  const targets = [...rounds.map((sites) => [...sites.values()]), [graph.end]];
  const stray = targets.flat().find((name) => !dependent.has(name));
  if (stray !== undefined) throw new InternalError(`${stray} does not depend on the states of its block`, { value: stray });
  const assigned = assignNodes(graph, targets, dependent);
  /** Value → the part that makes it, -1 where it is given. */
  const madeIn = new Map(graph.given.map((name) => [name, -1]));
  const readIn = targets.map((names) => new Set(names));
  for (const [node, part] of assigned) {
    for (const name of node.outputs) madeIn.set(name, part);
    for (const name of node.inputs) if (dependent.has(name)) readIn[part]?.add(name);
  }
  const isMadeBefore = (name: string, part: number): boolean => (madeIn.get(name) ?? part) < part;
  return targets.map((own, part): BlockPart => {
    const later = new Set(readIn.slice(part + 1).flatMap((names) => [...names]));
    const made = [...madeIn.keys()].filter((name) => madeIn.get(name) === part);
    return {
      sites: rounds[part] ?? new Map<string, string>(),
      residuals: new Map(
        graph.sites.flatMap(({ name, residual }) =>
          residual !== undefined && rounds[part]?.has(name) ? [[name, residual]] : [],
        ),
      ),
      reads: [...(readIn[part] ?? [])].filter((name) => isMadeBefore(name, part)),
      makes: made.filter((name) => own.includes(name) || later.has(name)),
      keeps: [...later].filter((name) => isMadeBefore(name, part + 1)),
    };
  });
}

/** A value that a block keeps between two parts. @throws {InternalError} where it does not */
export function liveValue<Kind extends PlacedTensor>(live: ReadonlyMap<string, Kind>, name: string): Kind {
  const tensor = live.get(name);
  if (tensor === undefined)
    throw new InternalError(`the value ${name} of a block was not kept for its next part`, { value: name });
  return tensor;
}
