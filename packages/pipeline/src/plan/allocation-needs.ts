import { UsageError } from "@mbs/contracts";
import type { AllocationNeeds, StageOptions } from "@mbs/contracts";
import { loadSolver } from "@mbs/solvers";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Stages } from "./known-stages.ts";

/** The sparsity that an allocation spreads: the recipe's or the solver's default. */
async function targetOf({ compress }: Recipe): Promise<unknown> {
  // a solver that does not load is a fault itself
  const solver = await loadSolver(String(compress["solver"])).catch(() => undefined);
  const option = solver && Object.hasOwn(solver.options, "sparsity") ? solver.options["sparsity"] : undefined;
  return option && (compress["sparsity"] ?? option.default);
}

/** What a stage needs with some options; undefined where it does not take them, which the check of its options says. */
async function needsOf(stages: Stages, options: StageOptions): Promise<AllocationNeeds | undefined> {
  try {
    return await stages.get(recipeKeys.allocate.stage)?.allocationNeeds?.(options);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** A recipe with what its allocation chooses and reads, and with the sparsity that is spread. */
export async function withAllocationNeeds(recipe: Recipe, stages: Stages): Promise<Recipe> {
  const { allocate, compress } = recipe;
  if (allocate === undefined) return recipe;
  const allocation = await needsOf(stages, allocate);
  const sparsity = allocation?.chooses === "bits" ? undefined : await targetOf(recipe);
  // a pattern is the same in every block, and refused later
  const spread = sparsity !== undefined && compress["pattern"] === undefined;
  return {
    ...recipe,
    ...(allocation && { allocation }),
    ...(spread && { compress: { ...compress, sparsity } }),
  };
}
