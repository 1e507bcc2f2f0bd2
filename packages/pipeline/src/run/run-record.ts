import { BadDataError, quoted } from "@mbs/contracts";
import { stringify } from "yaml";
import type { NodeReport } from "./engine.ts";
import type { Plan } from "../plan/plan.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { RecipeKey, RecipeKeyName } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { StageOptions } from "@mbs/contracts";
import type { Resources } from "../resources/resources.ts";

/** Options as they were used, without those that the recipe gives itself, by its keys or from another section, and those left open. */
function used(plan: Plan, stage: RecipeKeyName, elsewhere: readonly string[] = []): StageOptions {
  const { given = [] }: RecipeKey = recipeKeys[stage];
  const reserved = new Set([...given, ...elsewhere]);
  // the first capture and factor may be those of an allocation
  const node = plan.nodes.findLast((candidate) => candidate.stage === stage);
  return Object.fromEntries(
    Object.entries(node?.options ?? {}).filter(([name, value]) => !reserved.has(name) && value !== undefined),
  );
}

async function inputHashes(recipe: Recipe, resources: Resources): Promise<Record<string, string>> {
  const corpus = recipe.evaluate?.["corpus"];
  return {
    model: await resources.address("model", recipe.model),
    corpus: await resources.address("corpus", recipe.corpus),
    ...(typeof corpus === "string" ? { evaluationCorpus: await resources.address("corpus", corpus) } : {}),
  };
}

/**
 * The recipe with every default written out and the hashes of all that went in and came out: itself a recipe, which
 * refuses other inputs than those it was made with.
 */
export async function recordRun(
  recipe: Recipe,
  plan: Plan,
  nodes: readonly NodeReport[],
  resources: Resources,
  threads: number,
): Promise<string> {
  const { model, corpus, propagation, similarity, keep, output } = recipe;
  const record = {
    model,
    corpus,
    sample: used(plan, "sample"),
    propagation,
    capture: used(plan, "capture"),
    factor: used(plan, "factor"),
    ...(recipe.allocate === undefined ? {} : { allocate: used(plan, "allocate", ["allowNonfinite"]) }),
    compress: used(plan, "compress"),
    assemble: used(plan, "assemble"),
    ...(recipe.evaluate === undefined ? {} : { evaluate: used(plan, "evaluate") }),
    similarity,
    keep,
    output,
    hashes: {
      ...(await inputHashes(recipe, resources)),
      threads,
      nodes: Object.fromEntries(nodes.map(({ id, address }) => [id, address])),
    },
  };
  return `# The full recipe of this run, with the hashes of its inputs and results.\n${stringify(record)}`;
}

/**
 * Holds a recipe to the hashes that it carries.
 *
 * @throws {BadDataError} when an input is not the one the recipe was recorded with
 */
export async function checkPins(recipe: Recipe, resources: Resources): Promise<void> {
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
