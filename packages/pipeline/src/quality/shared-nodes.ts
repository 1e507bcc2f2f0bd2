import { manifestKey } from "@mbs/artifacts";
import { firstOutput } from "@mbs/contracts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";

/** Node → what it does, and all that it reads: equal in two plans where its output is the same. */
function workOf({ nodes }: Plan): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const { id, stage, options, inputs } of nodes) {
    const read = Object.entries(inputs).map(([name, ids]) => [name, ids.map((input) => keys.get(input) ?? "")]);
    keys.set(id, manifestKey(stage, options, Object.fromEntries(read) as Record<string, string[]>));
  }
  return keys;
}

/**
 * The nodes of a plan whose outputs later plans read too: with dense propagation the statistics of all sites, which take the most
 * time. States are none of them: those of all blocks would take far more disk than their time is worth.
 *
 * @returns ids
 */
export function sharedNodes(plan: Plan, later: readonly Plan[], stages: Stages): ReadonlySet<string> {
  const others = new Set(later.flatMap((other) => [...workOf(other).values()]));
  const own = workOf(plan);
  const isShared = ({ id, stage }: PlanNode): boolean =>
    others.has(own.get(id) ?? "") && firstOutput(stageOf(stages, stage)).kind !== "states";
  return new Set(plan.nodes.filter(isShared).map(({ id }) => id));
}
