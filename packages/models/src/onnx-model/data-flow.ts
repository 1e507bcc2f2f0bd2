import type { GraphNode } from "@mbs/onnx";

/** Operators whose output depends on the shape of their input alone. */
const shapeOnly: ReadonlySet<string> = new Set(["Shape", "Size"]);

/** Whether a node's output depends only on the shape of what it reads. */
export const readsShape = ({ operator }: Pick<GraphNode, "operator">): boolean => shapeOnly.has(operator);

/** How values flow from one to another through a graph. */
export interface DataFlow {
  /** Nodes on the paths between the two, in order. */
  readonly nodes: readonly GraphNode[];
  /** Everything that depends on the first value, by more than its shape. */
  readonly dependent: ReadonlySet<string>;
  /** Values that lie on every path, in order, both ends among them: the graph can be cut there. */
  readonly cuts: readonly string[];
  /** n for nodes after cuts[n], up to cuts[n + 1]. */
  readonly segmentOf: ReadonlyMap<GraphNode, number>;
}

/**
 * Follows a value through a graph.
 *
 * A value lies on every path if, when it has been computed, no later node reads an earlier value. So one pass over the nodes,
 * in an order in which they can run, finds all such values. A decoder's residual states are among them; what a block adds to
 * them is not.
 *
 * @param nodes in an order in which they can run
 */
export function followValue(nodes: readonly GraphNode[], from: string, to: string): DataFlow {
  const dependent = new Set([from]);
  const reached = nodes.filter((node) => {
    if (readsShape(node) || !node.inputs.some((name) => dependent.has(name))) return false;
    for (const name of node.outputs) dependent.add(name);
    return true;
  });
  const needed = new Set([to]);
  const between = reached
    .toReversed()
    .filter(({ inputs, outputs }) => {
      if (!outputs.some((name) => needed.has(name))) return false;
      for (const name of inputs) if (dependent.has(name)) needed.add(name);
      return true;
    })
    .toReversed();
  const lastRead = new Map<string, number>();
  for (const [index, { inputs }] of between.entries()) {
    for (const name of inputs) if (dependent.has(name)) lastRead.set(name, index);
  }
  const cuts = [from];
  const segmentOf = new Map<GraphNode, number>();
  let openUntil = lastRead.get(from) ?? -1;
  for (const [index, node] of between.entries()) {
    segmentOf.set(node, cuts.length - 1);
    const made = node.outputs.filter((name) => needed.has(name));
    const [only] = made;
    if (openUntil <= index && made.length === 1 && only !== undefined) cuts.push(only);
    for (const name of made) openUntil = Math.max(openUntil, lastRead.get(name) ?? -1);
  }
  return { nodes: between, dependent, cuts, segmentOf };
}
