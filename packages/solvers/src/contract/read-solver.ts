import { UsageError, parseOptions } from "@mbs/contracts";
import type { PlannedForm, Solver, StageOptions } from "@mbs/contracts";
import { asksForBlocks, blockOrder, groupGridOf } from "../grids/grid-options.ts";
import { loadSolver } from "./load-solver.ts";
import { solverFailure } from "./solver-calls.ts";

type SolverOptions = Parameters<Solver["solve"]>[2];

/**
 * A solver, with those of the options of `compress` that are its own.
 *
 * @throws {UsageError} on an unknown solver or a wrong value
 */
export async function readSolver(name: string, compress: StageOptions) {
  const solver = await loadSolver(name);
  const own = Object.fromEntries(Object.entries(compress).filter(([key]) => Object.hasOwn(solver.options, key)));
  return { solver, options: parseOptions(solver.options, own, name) };
}

/** What a solver says of itself before it runs. @throws {UsageError} where it refuses its options */
function ask<Answer>({ name }: Solver, about: string, question: () => Answer): Answer {
  try {
    return question();
  } catch (thrown) {
    // before it runs there is no step and no site to name
    if (thrown instanceof UsageError) throw thrown;
    throw solverFailure(name, `when asked for its ${about}`, thrown);
  }
}

/** The column order that a solver prefers. */
export function preferredOrderOf(solver: Solver, options: SolverOptions): string | undefined {
  if (solver.preferredOrder !== undefined && asksForBlocks(options)) return blockOrder;
  return solver.preferredOrder?.(options, groupGridOf(options) ?? { kind: "none" });
}

/**
 * Options of `factor`, which does not know the solver, with what that needs: the column order that it prefers, unless another
 * is given, and diagonals of languages.
 *
 * @throws {UsageError} where the solver refuses its options
 */
export function factorOptionsFor(solver: Solver, options: SolverOptions, given: StageOptions): StageOptions {
  const order = given["order"] ?? ask(solver, "preferredOrder", () => preferredOrderOf(solver, options));
  const languageDiagonals = solver.needs.includes("languageDiagonals");
  return { ...given, ...(order !== undefined && { order }), ...(languageDiagonals && { languageDiagonals }) };
}

/**
 * What a solver says of the codes that it is going to make; "unknown" where it does not say.
 *
 * @param order name of the column order
 * @throws {UsageError} where the solver refuses its options
 */
export const plannedCodesOf = (solver: Solver, options: SolverOptions, order: string): PlannedForm | "unknown" =>
  ask(solver, "plannedCodes", () =>
    asksForBlocks(options) ? "blocks" : solver.plannedCodes?.(options, order, groupGridOf(options) ?? { kind: "none" }),
  ) ?? "unknown";
