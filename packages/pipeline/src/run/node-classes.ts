import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import { processorClass } from "./processor-class.ts";
import { canTravel } from "./queue/job.ts";

/** Where the nodes of a run on a queue run. */
export interface NodeClasses {
  /** Whether any worker may run a node. */
  readonly travels: (node: PlanNode) => boolean;
  /** The class of processors that a node is known by. */
  readonly processorClass: (node: PlanNode) => string;
}

/** Which nodes of a plan any worker may run. */
export function travellingNodes({ nodes, modelFolder }: Plan, stages: Stages): (node: PlanNode) => boolean {
  const travelling = new Set<string>();
  const staying = new Set<string>();
  for (const { id, stage, options, inputs, isPart = false } of nodes) {
    const reads = Object.values(inputs).flat();
    // parts that were made here are joined here: the workers may have left by then
    const joinsOwn = reads.length > 0 && reads.every((read) => staying.has(read));
    const isTravelling = !joinsOwn && canTravel(stageOf(stages, stage), options, modelFolder);
    if (isTravelling) travelling.add(id);
    else if (isPart) staying.add(id);
  }
  return ({ id }) => travelling.has(id);
}

/** Which nodes run elsewhere, and the class of processors that each is known by. @param processors class of the workers */
export function nodeClasses(plan: Plan, stages: Stages, processors: string): NodeClasses {
  const here = processorClass();
  const travels = travellingNodes(plan, stages);
  return { travels, processorClass: (node) => (travels(node) ? processors : here) };
}
