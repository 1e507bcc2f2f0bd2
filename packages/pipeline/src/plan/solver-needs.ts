import { UsageError } from "@mbs/contracts";
import type { PlannedLayers } from "@mbs/contracts";
import { dependentDefaults, factorOptionsFor, plannedCodesOf, readSolver } from "@mbs/solvers";
import type { Recipe } from "../recipe/recipe.ts";
import { located } from "./stage-options.ts";
import type { Stages } from "./stage-options.ts";

/**
 * The recipe with what its solver and its allocation ask of the nodes before them: of `factor`, and the dense model's states
 * beside the compressed ones; and with the options of the solver that follow from others, or from the format.
 *
 * @throws {UsageError} on an unknown solver, format or option, or a solver that compares with the dense model in dense propagation
 */
export async function withSolverNeeds(recipe: Recipe, stages: Stages): Promise<Recipe> {
  const { solver: name, ...given } = recipe.compress;
  const locate = (keys: readonly string[]): string => recipe.locate?.(keys) ?? "recipe";
  if (typeof name !== "string") throw new UsageError(`${locate(["compress", "solver"])}: solver takes a name`);
  const { solver, options } = await readSolver(name, given).catch((error: unknown) => {
    throw error instanceof UsageError ? located(error, "compress", recipe) : error;
  });
  const denseStates = solver.needs.includes("crossMoment");
  if (denseStates && recipe.propagation === "dense") {
    throw new UsageError(
      `${locate(["propagation"])}: ${solver.name} compares with the dense model, and with dense propagation all inputs are the dense model's; take propagation: sequential, or solver: gptq, which is the same there`,
      { solver: solver.name },
    );
  }
  const zeroPoints = (await stages.get("assemble")?.preferredZeroPoints?.(recipe.assemble)) ?? "any";
  const factor = factorOptionsFor(solver, options, recipe.factor);
  return {
    ...recipe,
    denseStates,
    factor: recipe.allocate === undefined ? factor : { ...factor, languageDiagonals: true },
    compress: { ...recipe.compress, ...dependentDefaults(solver, options, zeroPoints) },
  };
}

/** What is known beforehand of the layers of a recipe that has what its solver needs. */
export async function plannedLayers({ compress, factor }: Recipe): Promise<PlannedLayers> {
  const { solver: name, ...given } = compress;
  const { solver, options } = await readSolver(String(name), given);
  const order = typeof factor["order"] === "string" ? factor["order"] : "natural";
  return { solver: solver.name, codes: plannedCodesOf(solver, options, order) };
}
