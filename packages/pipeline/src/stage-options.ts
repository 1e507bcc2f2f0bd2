import { UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable, Stage } from "@mbs/contracts";
import type { PlanNode } from "./plan.ts";
import type { Recipe, StageOptions } from "./recipe.ts";

/** The stages by name, as the command that knows them all hands them over. */
export type Stages = ReadonlyMap<string, Stage>;

/** @throws {UsageError} naming the stage that is missing */
export function stageOf(stages: Stages, name: string): Stage {
  const stage = stages.get(name);
  if (stage === undefined) throw new UsageError(`this program has no stage ${name}`, { stage: name });
  return stage;
}

/** All options that a stage takes for the ones given: its own and, for example, its solver's. */
export async function optionTable(stage: Stage, options: StageOptions): Promise<OptionTable> {
  return { ...stage.options, ...(await stage.moreOptions?.(options)) };
}

const sections: readonly (keyof Recipe)[] = ["sample", "capture", "solve", "allocate", "compress", "evaluate"];

/**
 * The options of a node with all defaults filled in.
 *
 * @throws {UsageError} as the stage would, with the recipe's line in front
 */
export async function completeOptions(stage: Stage, node: PlanNode, recipe: Recipe): Promise<StageOptions> {
  try {
    return parseOptions(await optionTable(stage, node.options), node.options, stage.name);
  } catch (error) {
    const section = sections.find((name) => name === node.stage);
    if (!(error instanceof UsageError) || section === undefined || recipe.locate === undefined) throw error;
    const option = error.facts["option"];
    const name = typeof option === "string" ? option.replace(/^--/, "") : "";
    const camel = name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const where = [name, camel]
      .map((key) => recipe.locate?.([section, key]))
      .find((place) => place !== recipe.locate?.([section]));
    throw new UsageError(`${where ?? recipe.locate([section])}: ${error.message}`, error.facts, { cause: error });
  }
}
