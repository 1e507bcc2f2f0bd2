import { firstOutput } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { isIntermediate } from "../plan/nodes/plan-node.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";

/** What becomes of the outputs of a plan's nodes, by ids of nodes; the plan alone decides it. */
export interface NodeOutputs {
  /** Node → the nodes that read it, in the order of the plan; absent where there is none. */
  readonly readers: ReadonlyMap<string, readonly string[]>;
  /** Nodes whose output is copied to the output folder at the end: few of a plan. */
  readonly results: readonly string[];
  /** Nodes whose output is removed when nothing reads it any more. */
  readonly intermediate: ReadonlySet<string>;
  /** Nodes whose output is read by nodes that follow them alone, on the same worker. */
  readonly followed: ReadonlySet<string>;
  /** Nodes whose output need not be written: a run that is killed makes it again, from what it was made of. */
  readonly passing: ReadonlySet<string>;
}

function readersOf(nodes: readonly PlanNode[]): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const node of nodes) {
    for (const id of Object.values(node.inputs).flat()) {
      const known = readers.get(id);
      if (known === undefined) readers.set(id, [node.id]);
      else known.push(node.id);
    }
  }
  return readers;
}

/**
 * @param nodes each after all that it reads
 * @param keeps whether a node's output stays although nothing reads it any more
 */
export function outputsOf(
  nodes: readonly PlanNode[],
  stageOf: (node: PlanNode) => Stage,
  keeps: (node: PlanNode) => boolean,
): NodeOutputs {
  const idsWhere = (isOne: (node: PlanNode) => boolean): Set<string> => new Set(nodes.filter(isOne).map(({ id }) => id));
  const readers = readersOf(nodes);
  const readByOthers = new Set(
    nodes.flatMap(({ inputs, affinity }) =>
      Object.values(inputs)
        .flat()
        .filter((id) => id !== affinity),
    ),
  );
  const isCheckpoint = (node: PlanNode): boolean => firstOutput(stageOf(node)).checkpoint === true;
  const intermediate = idsWhere((node) => isIntermediate(node, stageOf(node)) && !keeps(node));
  /** Node → how many checkpoints there are up to it. */
  const stretches = new Map<string, number>();
  let checkpoints = 0;
  for (const node of nodes) {
    if (isCheckpoint(node)) checkpoints += 1;
    stretches.set(node.id, checkpoints);
  }
  // needed between two checkpoints alone: a run that is killed there goes on from the first, and later it is not needed
  const passes = (node: PlanNode): boolean => {
    const stretch = stretches.get(node.id);
    return (
      node.result === undefined &&
      intermediate.has(node.id) &&
      !isCheckpoint(node) &&
      stretch !== 0 &&
      (readers.get(node.id) ?? []).every((id) => stretches.get(id) === stretch)
    );
  };
  return {
    readers,
    results: [...idsWhere(({ result }) => result !== undefined)],
    intermediate,
    followed: idsWhere(({ id }) => !readByOthers.has(id)),
    passing: idsWhere(passes),
  };
}
