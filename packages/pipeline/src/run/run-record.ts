import { BadDataError, isObject, quoted } from "@mbs/contracts";
import { gridOptionNames } from "@mbs/solvers";
import { stringify } from "yaml";
import type { NodeReport } from "./engine.ts";
import type { Plan } from "../plan/nodes/plan-node.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { RecipeKey, RecipeKeyName } from "../recipe/recipe-keys.ts";
import type { RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe, StageEntry } from "../recipe/recipe.ts";
import type { StageOptions } from "@mbs/contracts";
import type { Resources } from "../resources/resources.ts";
import type { RunMachine } from "./run-machine.ts";

/** Options as they were used, without those left open. */
const defined = (options: StageOptions): StageOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/**
 * The options of a key's stage as they were used, without those that the recipe gives itself by other keys; with the grid options
 * of its section, which no node has where an allocation has the grids.
 */
function used(plan: Plan, key: RecipeKeyName, given: readonly string[], section: unknown): StageOptions {
  // the first of a section may be those of an allocation
  const options = defined(plan.nodes.findLast(({ section }) => section[0] === key)?.options ?? {});
  const ofGrids = Object.entries(isObject(section) ? section : {}).filter(
    ([name]) => gridOptionNames.includes(name) && options[name] === undefined,
  );
  const all = defined({ ...options, ...Object.fromEntries(ofGrids) });
  return Object.fromEntries(Object.entries(all).filter(([name]) => !given.includes(name)));
}

/** The entries of `stages` with all options written out. */
const usedEntries = ({ stages }: Recipe, { nodes }: Plan): Readonly<Record<string, StageEntry>> | undefined =>
  stages.size === 0
    ? undefined
    : Object.fromEntries(
        [...stages].map(([name, entry]) => [
          name,
          { ...entry, options: defined(nodes.find(({ id }) => id === name)?.options ?? entry.options) },
        ]),
      );

async function inputHashes(recipe: RunRecipe, resources: Resources): Promise<Record<string, string>> {
  const corpus = recipe.evaluate?.["corpus"];
  return {
    model: await resources.address("model", recipe.source ?? recipe.model),
    corpus: await resources.address("corpus", recipe.corpus),
    ...(typeof corpus === "string" ? { evaluationCorpus: await resources.address("corpus", corpus) } : {}),
  };
}

/**
 * The recipe with every default written out and the hashes of all that went in and came out: itself a recipe, which
 * refuses other inputs than those it was made with.
 */
export async function recordRun(
  recipe: RunRecipe,
  plan: Plan,
  nodes: readonly NodeReport[],
  resources: Resources,
  { threads, device, processors }: RunMachine,
): Promise<string> {
  const hashes = {
    ...(await inputHashes(recipe, resources)),
    threads,
    ...(device && { device }),
    ...(processors !== undefined && { processors }),
    nodes: Object.fromEntries(nodes.map(({ id, address }) => [id, address])),
  };
  const model = await resources.pinnedName("model", recipe.source ?? recipe.model);
  const corpus = await resources.pinnedName("corpus", recipe.corpus);
  const values = { ...recipe, model, corpus, stages: usedEntries(recipe, plan), hashes };
  const keys = Object.entries(recipeKeys) as [RecipeKeyName, RecipeKey][];
  const entries = keys.map(([key, { stage, given = [], isBefore = false }]): [string, unknown] => [
    key,
    // what runs before the plan has no node in it, and has its options complete
    stage === undefined || values[key] === undefined || isBefore ? values[key] : used(plan, key, given, values[key]),
  ]);
  const record = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  const { evaluate } = record;
  if (isObject(evaluate) && typeof evaluate["corpus"] === "string") {
    record["evaluate"] = { ...evaluate, corpus: await resources.pinnedName("corpus", evaluate["corpus"]) };
  }
  return `# The full recipe of this run, with the hashes of its inputs and results.\n${stringify(record)}`;
}

/**
 * Holds a recipe to the hashes that it carries.
 *
 * @throws {BadDataError} when an input is not the one the recipe was recorded with
 */
export async function checkPins(recipe: RunRecipe, resources: Resources): Promise<void> {
  if (recipe.hashes === undefined) return;
  for (const [name, address] of Object.entries(await inputHashes(recipe, resources))) {
    const pinned = recipe.hashes[name];
    if (pinned !== undefined && pinned !== address) {
      throw new BadDataError(
        `${recipe.locate?.(["hashes", name]) ?? "recipe"}: ${name} has the hash ${address}, the recipe was made with ${quoted(pinned)}; remove hashes to use it anyway`,
        { input: name },
      );
    }
  }
}
