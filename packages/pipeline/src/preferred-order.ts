import { UsageError } from "@mbs/contracts";
import { readSolver } from "./recipe-solver.ts";
import type { Recipe } from "./recipe.ts";

/**
 * The recipe with the column order that its solver likes best, unless it names one itself: `solve` makes the factor
 * before the solver is known to it.
 *
 * @throws {UsageError} on an unknown solver or option
 */
export async function withPreferredOrder(recipe: Recipe): Promise<Recipe> {
  const { solver: name, ...given } = recipe.compress;
  if (recipe.solve["order"] !== undefined) return recipe;
  if (typeof name !== "string")
    throw new UsageError(`${recipe.locate?.(["compress", "solver"]) ?? "recipe"}: solver takes a name`);
  const { solver, options } = await readSolver(name, given);
  const order = solver.preferredOrder?.(options);
  return order === undefined ? recipe : { ...recipe, solve: { ...recipe.solve, order } };
}
