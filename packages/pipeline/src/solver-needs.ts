import { UsageError } from "@mbs/contracts";
import { readSolver } from "./recipe-solver.ts";
import type { Recipe } from "./recipe.ts";

/**
 * The recipe with what its solver and its allocation ask of the nodes before them: the column order that the solver likes
 * best, unless the recipe names one itself, diagonals of languages, and the dense model's states beside the compressed ones.
 *
 * @throws {UsageError} on an unknown solver or option, or a solver that compares with the dense model in dense propagation
 */
export async function withSolverNeeds(recipe: Recipe): Promise<Recipe> {
  const { solver: name, ...given } = recipe.compress;
  const locate = (keys: readonly string[]): string => recipe.locate?.(keys) ?? "recipe";
  if (typeof name !== "string") throw new UsageError(`${locate(["compress", "solver"])}: solver takes a name`);
  const { solver, options } = await readSolver(name, given);
  const denseStates = solver.needs.includes("crossMoment");
  if (denseStates && recipe.propagation === "dense") {
    throw new UsageError(
      `${locate(["propagation"])}: ${solver.name} compares with the dense model, and with dense propagation all inputs are the dense model's; take propagation: sequential, or solver: gptq, which is the same there`,
      { solver: solver.name },
    );
  }
  const order = recipe.solve["order"] ?? solver.preferredOrder?.(options);
  const languageDiagonals = recipe.allocate !== undefined || solver.needs.includes("languageDiagonals");
  return {
    ...recipe,
    denseStates,
    solve: { ...recipe.solve, ...(order !== undefined && { order }), ...(languageDiagonals && { languageDiagonals }) },
  };
}
