import { parseOptions } from "@mbs/contracts";
import { loadSolver } from "@mbs/solvers";
import type { StageOptions } from "./recipe.ts";

/**
 * The solver that a recipe names, with those of the options of `compress` that are its own.
 *
 * @throws {UsageError} on an unknown solver or a wrong value
 */
export async function readSolver(name: string, compress: StageOptions) {
  const solver = await loadSolver(name);
  const own = Object.fromEntries(Object.entries(compress).filter(([key]) => Object.hasOwn(solver.options, key)));
  return { solver, options: parseOptions(solver.options, own, name) };
}
