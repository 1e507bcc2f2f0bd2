import { UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable, Stage } from "@mbs/contracts";
import { throwFaults } from "../recipe/faults.ts";
import { optionName } from "../recipe/option-name.ts";
import { planRun } from "./plan.ts";
import type { PlanNode } from "./plan.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { RecipeKey } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { StageOptions } from "@mbs/contracts";

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

/** The option that an error is about, by its names in recipe and library: "group-size", "groupSize". */
function optionNames({ facts }: UsageError): readonly [string, string] {
  const option = facts["option"] ?? ("solver" in facts ? "solver" : "");
  const name = String(option).replace(/^--/, "");
  return [name, optionName(name)];
}

/** The same error with the recipe's line in front. */
export function located(error: UsageError, stage: string, { locate }: Recipe): UsageError {
  const [section] = Object.entries<RecipeKey>(recipeKeys).find(([, key]) => key.stage === stage) ?? [];
  if (section === undefined || locate === undefined) return error;
  const whole = locate([section]);
  const where = optionNames(error)
    .map((key) => locate([section, key]))
    .find((place) => place !== whole);
  return new UsageError(`${where ?? whole}: ${error.message}`, error.facts, { cause: error });
}

const asUsage = (error: unknown): UsageError => {
  if (error instanceof UsageError) return error;
  throw error;
};

/** All that a stage would refuse in the options of a node: each one in turn is left out once it is known to be wrong. */
async function optionFaults(stage: Stage, { options }: PlanNode): Promise<readonly UsageError[]> {
  let table: OptionTable;
  try {
    table = await optionTable(stage, options);
  } catch (error) {
    // without the solver or format, nothing can be said of what is meant for it
    return [asUsage(error)];
  }
  const faults: UsageError[] = [];
  const given = new Map(Object.entries(options));
  for (;;) {
    try {
      parseOptions(table, Object.fromEntries(given), stage.name);
      return faults;
    } catch (error) {
      const fault = asUsage(error);
      faults.push(fault);
      // what is missing cannot be left out
      if (!optionNames(fault).some((name) => given.delete(name))) return faults;
    }
  }
}

/**
 * Holds the options of a recipe against the tables of their stages; no model is needed for that.
 *
 * @throws {UsageError} with all that is wrong, each with its line
 */
export async function checkOptions(recipe: Recipe, stages: Stages): Promise<void> {
  // every section has its node in the plan of dense propagation, whatever the model
  const { nodes } = planRun({ ...recipe, propagation: "dense" }, { steps: [] }, "model");
  const faults: UsageError[] = [];
  for (const node of nodes) {
    const found = await optionFaults(stageOf(stages, node.stage), node);
    faults.push(...found.map((fault) => located(fault, node.stage, recipe)));
  }
  throwFaults(faults);
}

/** The options of a node with all defaults filled in. @throws {UsageError} as the stage would */
export const completeOptions = async (stage: Stage, { options }: PlanNode): Promise<StageOptions> =>
  parseOptions(await optionTable(stage, options), options, stage.name);
