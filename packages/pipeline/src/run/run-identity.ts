import { firstOutput, optionFlag } from "@mbs/contracts";
import type { StageOptions } from "@mbs/contracts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import { textAddress } from "../resources/resources.ts";
import type { Resources } from "../resources/resources.ts";
import type { RunIdentity } from "./claim-folder.ts";

/** A node with its options as they count: every path replaced by the address of its content. */
interface ResolvedNode {
  readonly node: PlanNode;
  readonly options: StageOptions;
}

/** Hash of all that some nodes depend on, but for the threads. */
export const identify = (resolved: readonly ResolvedNode[]): string =>
  textAddress(JSON.stringify(resolved.map(({ node, options }) => [node.id, options])));

/** Hash of the values of each option of some nodes, by key of the recipe and option: "compress.solver". */
function optionHashes(resolved: readonly ResolvedNode[]): ReadonlyMap<string, string> {
  const values = new Map<string, Set<string>>();
  for (const { node, options } of resolved) {
    for (const [option, value] of Object.entries(options)) {
      const name = [...node.section, optionFlag(option).slice(2)].join(".");
      values.set(name, (values.get(name) ?? new Set()).add(JSON.stringify(value)));
    }
  }
  return new Map([...values].map(([name, found]) => [name, textAddress([...found].join("\n"))]));
}

export const resolveNodes = (nodes: readonly PlanNode[], stages: Stages, resources: Resources): Promise<ResolvedNode[]> =>
  Promise.all(
    nodes.map(async (node) => ({
      node,
      options: await resources.resolve(stageOf(stages, node.stage).options, node.options),
    })),
  );

/** The identity of a folder: its layers, and the model made of them. Nodes after the model may change. */
export async function identifyRun({ recipe, plan: { nodes }, stages, resources }: PreparedRun): Promise<RunIdentity> {
  const model = nodes.filter(({ stage }) => firstOutput(stageOf(stages, stage)).folder === true);
  const layers = nodes.filter((node) => !model.includes(node) && !model.some(({ id }) => node.after.includes(id)));
  const resolve = (chosen: readonly PlanNode[]): Promise<ResolvedNode[]> => resolveNodes(chosen, stages, resources);
  const resolved = await resolve(layers);
  const options = new Map([
    ...optionHashes(resolved),
    ["propagation", textAddress(recipe.propagation)],
    ["shards", textAddress(String(recipe.shards))],
  ]);
  return { layers: identify(resolved), model: identify(await resolve(model)), options };
}
