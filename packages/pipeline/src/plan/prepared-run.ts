import { FailedPreconditionError, UsageError, firstOutput } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { throwFaults } from "../recipe/faults.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { foundModel } from "../resources/resource-readers.ts";
import { Resources } from "../resources/resources.ts";
import { runFolder } from "../run/run-folder.ts";
import { checkPins } from "../run/run-record.ts";
import { loadOwnStages } from "./own-stages.ts";
import { located, optionFaults } from "./option-faults.ts";
import { plannedLayers, planRun, withSolverNeeds } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { completeOptions, optionTable, stageOf } from "./known-stages.ts";
import type { Stages } from "./known-stages.ts";

/** A recipe after all checks that are possible before the run. */
export interface PreparedRun {
  /** With the factor options and states that its solver needs. */
  readonly recipe: Recipe;
  /** With the recipe's own. */
  readonly stages: Stages;
  /** Open; the caller closes it. */
  readonly model: Model;
  /** With complete options. */
  readonly plan: Plan;
  readonly resources: Resources;
  /** All paths that the run reads and does not write itself: also of texts, weights and shares that its options lead to. */
  readonly reads: readonly string[];
}

/** All paths that the options of a run lead to. Reading them here reveals a missing path of the last stages before all the work. */
async function findPaths({ nodes, modelFolder }: Plan, stages: Stages, resources: Resources): Promise<string[]> {
  const paths: string[] = [];
  for (const { stage, options } of nodes) {
    paths.push(...(await resources.paths(await optionTable(stageOf(stages, stage), options), options, modelFolder)));
  }
  return paths;
}

/**
 * Checks the options of a recipe against the option tables of their stages; no model is needed for that.
 *
 * @throws {UsageError} with all that is wrong, each with its line
 */
async function checkOptions(recipe: Recipe, stages: Stages): Promise<void> {
  // the plan of dense propagation has a node for every section, with any model
  const { nodes } = planRun({ ...recipe, propagation: "dense" }, { steps: [] }, "model");
  const faults: UsageError[] = [];
  for (const { stage, section, options } of nodes) {
    const found = await optionFaults(stageOf(stages, stage), options);
    faults.push(...found.map((fault) => located(fault, section, recipe)));
  }
  throwFaults(faults);
}

/**
 * Checks the inputs of each entry of `stages` against the inputs that its stage declares.
 *
 * @throws {UsageError} on an input that the stage does not have, one that is missing, or artifacts that it does not take
 */
function checkInputs({ locate, stages: entries }: Recipe, { nodes }: Plan, stages: Stages): void {
  const kinds = new Map(nodes.map(({ id, stage }) => [id, firstOutput(stageOf(stages, stage)).kind]));
  for (const { id, stage, inputs } of nodes) {
    if (!entries.has(id)) continue;
    const refuse = (input: string, problem: string): never => {
      const path = ["stages", id, "inputs", input];
      throw new UsageError(`${locate?.(path) ?? "recipe"}: stages.${id} ${problem}`, { key: path.join(".") });
    };
    const declared = stageOf(stages, stage).inputs;
    const names = Object.keys(declared).join(", ") || "none";
    for (const name of Object.keys(inputs)) {
      if (!Object.hasOwn(declared, name)) refuse(name, `has no input ${name}; its stage has ${names}`);
    }
    for (const [name, { kinds: taken, optional = false, many = false }] of Object.entries(declared)) {
      const ids = inputs[name] ?? [];
      if (!optional && inputs[name] === undefined) refuse(name, `needs the input ${name}: give it under inputs`);
      const other = ids.find((id) => !taken.includes(kinds.get(id) ?? ""));
      if (other !== undefined) {
        refuse(
          name,
          `reads ${other} as its input ${name}, which takes ${taken.join(" or ")}; ${other} makes ${kinds.get(other) ?? ""}`,
        );
      }
      if (ids.length > 1 && !many) {
        refuse(
          name,
          `reads ${ids.length} artifacts as ${name}, which takes one; with propagation: dense there is one of all steps`,
        );
      }
    }
    if (firstOutput(stageOf(stages, stage)).folder === true) {
      refuse("", `writes a folder, and an entry of stages makes an artifact; run it on the command line, mbs --stage ${stage}`);
    }
  }
}

/**
 * Lets every stage check its options before the run.
 *
 * @throws {UsageError} on options that the solver or a stage would refuse
 * @throws {FailedPreconditionError} where a stage cannot use the layers that the solver will make
 */
async function checkStages(recipe: Recipe, plan: Plan, stages: Stages): Promise<void> {
  const planned = await plannedLayers(recipe);
  for (const { stage, section, options } of plan.nodes) {
    try {
      await stageOf(stages, stage).checkPlan?.(options, planned);
    } catch (error) {
      if (error instanceof UsageError) throw located(error, section, recipe);
      if (!(error instanceof FailedPreconditionError)) throw error;
      // the line of the format, if the stage has that option
      const where = recipe.locate?.([...section, "format"]) ?? "recipe";
      throw new FailedPreconditionError(`${where}: ${error.message}`, error.facts, { cause: error });
    }
  }
}

/**
 * Plans a recipe, and refuses all that would fail in the middle of the run, as far as that can be known.
 *
 * @throws {UsageError} on options that no stage would take, all of them named
 * @throws {FailedPreconditionError} on a format that cannot hold what the solver makes
 * @throws {BadDataError} on an input that is not the one the recipe was recorded with
 */
export async function prepareRun(given: Recipe, known: Stages): Promise<PreparedRun> {
  const { recipe: complete, stages } = await loadOwnStages(given, known);
  await checkOptions(complete, stages);
  const recipe = await withSolverNeeds(complete, stages);
  const model = await openModel(recipe.model);
  try {
    const { nodes, modelFolder } = planRun(recipe, model, runFolder(recipe.output).model);
    const completed = nodes.map(async (node) => ({
      ...node,
      options: await completeOptions(stageOf(stages, node.stage), node.options),
    }));
    const plan = { nodes: await Promise.all(completed), modelFolder };
    checkInputs(recipe, plan, stages);
    await checkStages(recipe, plan, stages);
    const resources = new Resources();
    const found = await foundModel(model);
    resources.set("model", recipe.model, found);
    // the model's own paths first: the message should name it if it is at the path of the output
    const reads = [...new Set([...found.paths, ...(await findPaths(plan, stages, resources))])];
    await checkPins(recipe, resources);
    return { recipe, stages, model, plan, resources, reads };
  } catch (error) {
    await model.close();
    throw error;
  }
}
