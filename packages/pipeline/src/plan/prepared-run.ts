import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { planRun } from "./plan.ts";
import type { Plan } from "./plan.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { foundModel } from "../resources/resource-readers.ts";
import { Resources } from "../resources/resources.ts";
import { runFolder } from "../run/run-folder.ts";
import { checkPins } from "../run/run-record.ts";
import { plannedLayers, withSolverNeeds } from "./solver-needs.ts";
import { checkOptions, completeOptions, located, optionTable, stageOf } from "./stage-options.ts";
import type { Stages } from "./stage-options.ts";

/** A recipe that can be run, as far as that is known before anything has. */
export interface PreparedRun {
  /** With what its solver asks for. */
  readonly recipe: Recipe;
  /** To be closed by who prepared the run. */
  readonly model: Model;
  /** Its options complete. */
  readonly plan: Plan;
  readonly resources: Resources;
  /** All paths that the run reads and does not write itself: also of texts, weights and shares that its options lead to. */
  readonly reads: readonly string[];
}

/** All that the options of a run lead to. What only its end reads is looked at too: a path of nothing would show after all the work. */
async function findPaths({ nodes, modelFolder }: Plan, stages: Stages, resources: Resources): Promise<string[]> {
  const paths: string[] = [];
  for (const { stage, options } of nodes) {
    paths.push(...(await resources.paths(await optionTable(stageOf(stages, stage), options), options, modelFolder)));
  }
  return paths;
}

/**
 * Asks every stage what it would refuse on its turn.
 *
 * @throws {UsageError} on options that the solver or a stage would refuse
 * @throws {FailedPreconditionError} where a stage could not take the layers that the solver is going to make
 */
async function checkStages(recipe: Recipe, plan: Plan, stages: Stages): Promise<void> {
  const planned = await plannedLayers(recipe).catch((error: unknown) => {
    throw error instanceof UsageError ? located(error, "compress", recipe) : error;
  });
  for (const { stage, options } of plan.nodes) {
    try {
      await stageOf(stages, stage).checkPlan?.(options, planned);
    } catch (error) {
      if (error instanceof UsageError) throw located(error, stage, recipe);
      if (!(error instanceof FailedPreconditionError)) throw error;
      // its choice of a format, where a stage has one
      const where = recipe.locate?.([stage, "format"]) ?? "recipe";
      throw new FailedPreconditionError(`${where}: ${error.message}`, error.facts, { cause: error });
    }
  }
}

/**
 * Plans a recipe, and refuses what would be refused in the middle of the run.
 *
 * @throws {UsageError} on options that no stage would take, all of them named
 * @throws {FailedPreconditionError} on a format that cannot hold what the solver makes
 * @throws {BadDataError} on an input that is not the one the recipe was recorded with
 */
export async function prepareRun(given: Recipe, stages: Stages): Promise<PreparedRun> {
  await checkOptions(given, stages);
  const recipe = await withSolverNeeds(given, stages);
  const model = await openModel(recipe.model);
  try {
    const { nodes, modelFolder } = planRun(recipe, model, runFolder(recipe.output).model);
    const complete = nodes.map(async (node) => ({ ...node, options: await completeOptions(stageOf(stages, node.stage), node) }));
    const plan = { nodes: await Promise.all(complete), modelFolder };
    await checkStages(recipe, plan, stages);
    const resources = new Resources();
    const found = await foundModel(model);
    resources.set("model", recipe.model, found);
    // the model's own paths first: it may lie, against all reason, where the compressed one is to go
    const reads = [...new Set([...found.paths, ...(await findPaths(plan, stages, resources))])];
    await checkPins(recipe, resources);
    return { recipe, model, plan, resources, reads };
  } catch (error) {
    await model.close();
    throw error;
  }
}
