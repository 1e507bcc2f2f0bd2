import { embeddingsBlock } from "@mbs/artifacts";
import { isDeepStrictEqual } from "node:util";
import { FailedPreconditionError, UsageError, firstOutput, isOptional, optionTable } from "@mbs/contracts";
import type { ObjectPool, PlannedLayers, PlannedSize, Progress, Stage, StageOptions } from "@mbs/contracts";
import { pinRevisions } from "@mbs/hub";
import type { Revisions } from "@mbs/hub";
import { openModel } from "@mbs/models";
import { excludedByBlocks, gridOptionNames } from "@mbs/solvers";
import type { ModelShape } from "../estimate/disk.ts";
import { throwFaults } from "../recipe/faults.ts";
import { firstKeys, firstOptions } from "../recipe/first-options.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { RecipeKey } from "../recipe/recipe-keys.ts";
import { allocatesBits, allocatesTypes } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe, PlannableRecipe, RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { foundModel } from "../resources/resource-readers.ts";
import { Resources } from "../resources/resources.ts";
import { runFolder } from "../run/run-folder.ts";
import { checkPins } from "../run/run-record.ts";
import { allocationFaults } from "./allocation-faults.ts";
import { withAllocationNeeds } from "./allocated-grids.ts";
import { withKeptLanguages } from "./kept-languages.ts";
import { loadOwnStages } from "./own-stages.ts";
import { located, optionFaults } from "./option-faults.ts";
import { sharedTexts } from "./shared-texts.ts";
import { decide } from "./decide.ts";
import { planRun, planWithFaults } from "./plan.ts";
import type { ModelOutline, Plan, PlanNode } from "./nodes/plan-node.ts";
import { completeOptions, stageOf } from "./known-stages.ts";
import type { Stages } from "./known-stages.ts";

/** A recipe after all checks that are possible before the run. */
export interface PreparedRun {
  readonly recipe: DecidedRecipe;
  /** With the recipe's own. */
  readonly stages: Stages;
  /** Of the recipe's model. */
  readonly shape: ModelShape;
  /** With complete options. */
  readonly plan: Plan;
  readonly resources: Resources;
  /** The size of its result beside that of its model; absent where that is not known yet. */
  readonly size?: PlannedSize | undefined;
  /** What is wrong with its texts, and no reason to refuse them. */
  readonly warnings: readonly string[];
  /** All paths that the run reads and does not write itself: also of texts, weights and shares that its options lead to. */
  readonly reads: readonly string[];
}

/** With what a run is prepared. */
export interface Preparation {
  /** Commits that revisions on the Hub stand for; others are asked for. */
  readonly revisions: Revisions;
  /** Called while a model on the Hub is fetched. */
  readonly progress?: (progress: Progress) => void;
  /** Where models that were opened for the checks stay open. */
  readonly pool: ObjectPool;
}

/** All paths that the options of a run lead to. Reading them here reveals a missing path of the last stages before all the work. */
async function findPaths({ nodes, modelFolder }: Plan, stages: Stages, resources: Resources): Promise<string[]> {
  const paths: string[] = [];
  for (const { stage, options } of nodes) {
    paths.push(...(await resources.paths(await optionTable(stageOf(stages, stage), options), options, modelFolder)));
  }
  return paths;
}

/** Blocks and sites that stand for those of any model: more than one, since some keys make nodes only between two blocks. */
const anyOutline: ModelOutline = {
  blocks: ["first", "second"].map((name) => ({ name, sites: [] })),
  embeddings: { name: embeddingsBlock, sites: [] },
  siteRounds: () => [["a"], ["b"]],
};

/** What is wrong in the options of each section; those of a stage that did not load are left out. */
async function sectionFaults(recipe: Recipe, { nodes }: Plan, stages: Stages): Promise<UsageError[]> {
  const faults: UsageError[] = [];
  const sections = new Map(nodes.map((node) => [node.section.join("."), node]));
  for (const { stage: name, section, options } of sections.values()) {
    const stage = stages.get(name);
    const [key] = section;
    if (stage === undefined && key === "stages") continue;
    const declared: RecipeKey | undefined = Object.entries(recipeKeys).find(([known]) => known === key)?.[1];
    const found = await optionFaults(stageOf(stages, name), options, declared?.given);
    faults.push(...found.map((fault) => located(fault, section, recipe)));
  }
  for (const key of firstKeys.filter((one) => recipe[one] !== undefined)) {
    const { stage, given } = recipeKeys[key];
    const found = await optionFaults(stageOf(stages, stage), firstOptions(recipe, key), given);
    faults.push(...found.map((fault) => located(fault, [key], recipe)));
  }
  return faults;
}

/** Options of a node without those of grids, where an allocation has the grid of each tensor. */
function withoutOwnGrid(recipe: DecidedRecipe, { inputs }: PlanNode, options: StageOptions): StageOptions {
  if (inputs["allocation"] === undefined || !allocatesBits(recipe)) return options;
  const excluded = allocatesTypes(recipe) ? excludedByBlocks(recipe.decisions.solver) : [];
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => !gridOptionNames.includes(name) && !excluded.includes(name)),
  );
}

/** A fault of an input of an entry of `stages`, with its line. */
function inputFault({ locate }: Recipe, id: string, input: string, problem: string): UsageError {
  const path = ["stages", id, "inputs", input];
  return new UsageError(`${locate?.(path) ?? "recipe"}: stages.${id} ${problem}`, { key: path.join(".") });
}

/**
 * What is wrong with the inputs of each entry of `stages`: an input that its stage does not have, one that is missing, artifacts
 * that it does not take. An entry whose stage did not load is left out.
 */
function inputFaults(recipe: Recipe, { nodes }: Plan, stages: Stages): UsageError[] {
  const { stages: entries } = recipe;
  const faults: UsageError[] = [];
  const outputs = new Map(
    nodes.flatMap(({ id, stage }) => (stages.has(stage) ? [[id, firstOutput(stageOf(stages, stage))] as const] : [])),
  );
  /** How an entry names the source: its key of the recipe, or an earlier entry. */
  const keys = new Map(nodes.map(({ id, stage }) => [id, entries.has(id) ? id : stage]));
  for (const { id, stage: stageName, inputs, options } of nodes) {
    const stage = stages.get(stageName);
    if (!entries.has(id) || stage === undefined) continue;
    const fault = (input: string, problem: string): void => void faults.push(inputFault(recipe, id, input, problem));
    const declared = stage.inputs;
    const names = Object.keys(declared).join(", ") || "none";
    for (const name of Object.keys(inputs)) {
      if (!Object.hasOwn(declared, name)) fault(name, `has no input ${name}; its stage has ${names}`);
    }
    for (const [name, input] of Object.entries(declared)) {
      const { kinds: taken } = input;
      if (!isOptional(input, options) && inputs[name] === undefined) fault(name, `needs the input ${name}: give it under inputs`);
      for (const source of inputs[name] ?? []) {
        const made = outputs.get(source);
        const key = keys.get(source) ?? source;
        if (made?.folder === true) {
          fault(name, `reads ${key} as its input ${name}, which writes a folder and makes no artifact`);
          break;
        }
        if (made === undefined || taken.includes(made.kind)) continue;
        fault(name, `reads ${key} as its input ${name}, which takes ${taken.join(" or ")}; ${key} makes ${made.kind}`);
        break;
      }
    }
    if (firstOutput(stage).folder === true) {
      fault(
        "",
        `writes a folder, and an entry of stages makes an artifact; run it on the command line, mbs ${stage.loadedFrom === undefined ? "" : "--stage "}${stageName}`,
      );
    }
  }
  return faults;
}

/** @throws {UsageError} on an input that reads several artifacts and takes one: how many there are depends on the model */
function checkInputCounts(recipe: Recipe, { nodes }: Plan, stages: Stages): void {
  for (const { id, stage, inputs } of nodes) {
    if (!recipe.stages.has(id)) continue;
    const declared = stageOf(stages, stage).inputs;
    for (const [name, ids] of Object.entries(inputs)) {
      if (ids.length <= 1 || declared[name]?.many === true) continue;
      const problem = `reads ${ids.length} artifacts as ${name}, which takes one; with propagation: dense and shards: 1 there is one of all blocks`;
      throw inputFault(recipe, id, name, problem);
    }
  }
}

/**
 * Checks all of a recipe that needs neither model nor texts: options against the option tables of their stages, solver and
 * stages, allocation, and the inputs of entries.
 *
 * @param loading what is wrong with the stages that did not load
 * @throws {UsageError} with all that is wrong, each with its line
 */
async function checkRecipe(recipe: PlannableRecipe, stages: Stages, loading: readonly UsageError[]): Promise<void> {
  const { plan, faults } = planWithFaults(recipe, anyOutline, "model");
  throwFaults([
    ...loading,
    ...(await sectionFaults(recipe, plan, stages)),
    ...(await allocationFaults(recipe, stages)),
    ...faults,
    ...inputFaults(recipe, plan, stages),
  ]);
}

/** Lets the stages that make another model before the plan check their options; not again where they have made it. */
async function checkFirst(recipe: RunRecipe, stages: Stages, pool: ObjectPool): Promise<void> {
  if (recipe.source !== undefined) return;
  for (const key of firstKeys.filter((one) => recipe[one] !== undefined)) {
    const stage = stageOf(stages, recipeKeys[key].stage);
    const options = await completeOptions(stage, { ...firstOptions(recipe, key), model: recipe.model });
    await checkStage(stage, options, { solver: String(recipe.compress["solver"]), codes: "unknown" }, [key], recipe, pool);
  }
}

/**
 * Lets every stage check its options before the run.
 *
 * @throws {UsageError} on options that the solver or a stage would refuse
 * @throws {FailedPreconditionError} where a stage cannot use the layers that the solver will make
 */
async function checkStages(recipe: DecidedRecipe, plan: Plan, stages: Stages, pool: ObjectPool): Promise<void> {
  // layers of all that a tensor may get
  const [first, ...others] = recipe.decisions.layers;
  if (first !== undefined) await checkLayers(recipe, first, plan.nodes, plan, stages, pool);
  // what allocates does not depend on what a tensor gets
  const nodes = plan.nodes.filter(({ stage }) => stageOf(stages, stage).allocationNeeds === undefined);
  for (const layers of others) await checkLayers(recipe, layers, nodes, plan, stages, pool);
}

async function checkLayers(
  recipe: RunRecipe,
  layers: PlannedLayers,
  nodes: readonly PlanNode[],
  plan: Plan,
  stages: Stages,
  pool: ObjectPool,
): Promise<void> {
  const isTrimmedLater = recipe.trim !== undefined && recipe.source === undefined;
  const planned = { ...layers, ...(isTrimmedLater && { isTrimmedLater }) };
  for (const { stage, section, options } of nodes) {
    // the model that is not there yet alone: the same options are checked with the dense one
    if (isDeepStrictEqual(options["model"], [plan.modelFolder])) continue;
    await checkStage(stageOf(stages, stage), options, planned, section, recipe, pool);
  }
}

/** The size of the result; undefined where an allocation has a say, or the model that is compressed is still to be made. */
async function sizeOf(recipe: DecidedRecipe, plan: Plan, stages: Stages, pool: ObjectPool): Promise<PlannedSize | undefined> {
  const isMadeLater = recipe.source === undefined && firstKeys.some((key) => recipe[key] !== undefined);
  const node = plan.nodes.find(({ stage }) => stages.get(stage)?.plannedSize !== undefined);
  const [planned] = recipe.decisions.layers;
  if (node === undefined || planned === undefined || isMadeLater || allocatesBits(recipe)) return undefined;
  return stageOf(stages, node.stage).plannedSize?.(node.options, planned, pool);
}

/** Lets a stage check its options. Errors get the recipe's line. */
async function checkStage(
  stage: Stage,
  options: StageOptions,
  planned: PlannedLayers,
  section: readonly string[],
  recipe: Recipe,
  pool: ObjectPool,
): Promise<void> {
  try {
    await stage.checkPlan?.(options, planned, pool);
  } catch (error) {
    if (error instanceof UsageError) throw located(error, section, recipe);
    if (!(error instanceof FailedPreconditionError)) throw error;
    // the line of the format, if the stage has that option
    const where = recipe.locate?.([...section, "format"]) ?? "recipe";
    throw new FailedPreconditionError(`${where}: ${error.message}`, error.facts, { cause: error });
  }
}

/**
 * Plans a recipe, and refuses all that would fail in the middle of the run, as far as that can be known.
 *
 * @throws {UsageError} on options that no stage would take, all of them named
 * @throws {FailedPreconditionError} on a format that cannot hold what the solver makes
 * @throws {BadDataError} on an input that is not the one the recipe was recorded with
 */
export async function prepareRun(
  given: RunRecipe,
  known: Stages,
  { revisions, progress, pool }: Preparation,
): Promise<PreparedRun> {
  pinRevisions(revisions);
  const { recipe: loaded, stages, faults } = await loadOwnStages(given, known);
  const allocated = await withAllocationNeeds(loaded, stages);
  await checkRecipe(allocated, stages, faults);
  await checkFirst(allocated, stages, pool);
  const resources = new Resources(pool);
  // given back before the stages check, which open it too
  const model = await openModel(allocated.model, { progress, pool });
  let recipe: DecidedRecipe;
  let planned: Plan;
  let modelPaths: readonly string[];
  const { model: modelFolder } = runFolder(allocated.output);
  try {
    const kept = await withKeptLanguages(allocated, stages, model);
    recipe = await decide(kept, stages, model);
    planned = planRun(recipe, model, modelFolder);
    const found = await foundModel(recipe.model, model);
    resources.set("model", recipe.model, found);
    modelPaths = found.paths;
  } finally {
    await model.close();
  }
  const completed = planned.nodes.map(async (node) => ({
    ...node,
    options: withoutOwnGrid(recipe, node, await completeOptions(stageOf(stages, node.stage), node.options)),
  }));
  const plan = { ...planned, nodes: await Promise.all(completed) };
  checkInputCounts(recipe, plan, stages);
  await checkStages(recipe, plan, stages, pool);
  // the model's own paths first: the message should name it if it is at the path of the output
  const reads = [...new Set([...modelPaths, ...(await findPaths(plan, stages, resources))])];
  await checkPins(recipe, resources);
  const size = await sizeOf(recipe, plan, stages, pool);
  const ofSize = [size?.notSmaller, size?.fallbacks].filter((line) => line !== undefined);
  const warnings = [...ofSize, ...(await sharedTexts(recipe, resources))];
  return { recipe, stages, shape: model, plan, resources, size, warnings, reads };
}
