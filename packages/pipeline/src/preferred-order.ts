import { UsageError, parseOptions } from "@mbs/contracts";
import { loadSolver } from "@mbs/solvers";
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
  const solver = await loadSolver(name);
  const own = Object.fromEntries(Object.entries(given).filter(([key]) => Object.hasOwn(solver.options, key)));
  const order = solver.preferredOrder?.(parseOptions(solver.options, own, name));
  return order === undefined ? recipe : { ...recipe, solve: { ...recipe.solve, order } };
}
