import { InternalError } from "@mbs/contracts";
import type { GraphNode, Tensor } from "@mbs/onnx";
import { readsShape } from "../onnx-model/data-flow.ts";

/** A node, as far as cutting a graph goes. */
export type PartNode = Pick<GraphNode, "operator" | "inputs" | "outputs">;

/** A step's graph, and where it is cut. */
export interface StepGraph {
  /** In an order in which they can run. */
  readonly nodes: readonly PartNode[];
  /** Values that the step is given: the states of the streams that it reads. */
  readonly given: readonly string[];
  /** The input of each site, in the order in which the step computes them. */
  readonly sites: readonly string[];
  /** The states after the step. */
  readonly end: string;
}

/** A part of a step: what is computed for one site, or for the end, and for none before it. */
export interface StepPart {
  /** The site's input, or the states after the step; an earlier part may have made it. */
  readonly target: string;
  /** Values that earlier parts made or the step was given. */
  readonly reads: readonly string[];
  /** What it makes that is its target or that later parts read; nothing where there is nothing to compute. */
  readonly makes: readonly string[];
  /** Everything that later parts read, made by it or before. */
  readonly keeps: readonly string[];
}

/** Values that depend on the given ones, if only by their shape. */
function dependentValues({ nodes, given }: StepGraph): ReadonlySet<string> {
  const dependent = new Set(given);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((name) => dependent.has(name))) for (const name of outputs) dependent.add(name);
  }
  return dependent;
}

/**
 * The part of each node that depends on the given values: the first whose target needs it. A shape is taken where its
 * value is made, so that the value need not be kept for it.
 */
function assignNodes(graph: StepGraph, dependent: ReadonlySet<string>): ReadonlyMap<PartNode, number> {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  for (const name of graph.given) makers.delete(name);
  const assigned = new Map<PartNode, number>();
  for (const [part, target] of [...graph.sites, graph.end].entries()) {
    const open = [target];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const maker = makers.get(name);
      if (maker === undefined || assigned.has(maker) || !dependent.has(name)) continue;
      assigned.set(maker, part);
      open.push(...maker.inputs);
    }
  }
  for (const node of assigned.keys()) {
    if (!readsShape(node)) continue;
    const maker = node.inputs.flatMap((name) => makers.get(name) ?? [])[0];
    assigned.set(node, (maker && assigned.get(maker)) ?? 0);
  }
  return assigned;
}

/**
 * Cuts a step's graph at its sites: one part for each site, and one for the rest. What does not depend on the given values
 * (masks, positions, turned weights) belongs to every part that reads it and is never kept.
 *
 * @throws {InternalError} where a site or the end depends on nothing that is given
 */
export function cutAtSites(graph: StepGraph): readonly StepPart[] {
  const dependent = dependentValues(graph);
  const targets = [...graph.sites, graph.end];
  const stray = targets.find((name) => !dependent.has(name));
  if (stray !== undefined) throw new InternalError(`${stray} does not depend on the states of its step`, { value: stray });
  const assigned = assignNodes(graph, dependent);
  /** Value → the part that makes it, -1 where it is given. */
  const madeIn = new Map(graph.given.map((name) => [name, -1]));
  const readIn = targets.map((name) => new Set([name]));
  for (const [node, part] of assigned) {
    for (const name of node.outputs) madeIn.set(name, part);
    for (const name of node.inputs) if (dependent.has(name)) readIn[part]?.add(name);
  }
  const isMadeBefore = (name: string, part: number): boolean => (madeIn.get(name) ?? part) < part;
  return targets.map((target, part): StepPart => {
    const later = new Set(readIn.slice(part + 1).flatMap((names) => [...names]));
    const made = [...madeIn.keys()].filter((name) => madeIn.get(name) === part);
    return {
      target,
      reads: [...(readIn[part] ?? [])].filter((name) => isMadeBefore(name, part)),
      makes: made.filter((name) => name === target || later.has(name)),
      keeps: [...later].filter((name) => isMadeBefore(name, part + 1)),
    };
  });
}

/** A value that a step keeps between two parts. @throws {InternalError} where it does not */
export function liveValue(live: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = live.get(name);
  if (tensor === undefined)
    throw new InternalError(`the value ${name} of a step was not kept for its next part`, { value: name });
  return tensor;
}
