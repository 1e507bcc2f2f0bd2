import { UsageError, parseOptions, loadCode, type Solver } from "@mbs/contracts";
import type { Grid, PlannedForm, StageOptions } from "@mbs/contracts";
import { askedGrid, hasCodebook } from "../grids/asked-grid.ts";
import { solverOptions } from "../grids/grid-options.ts";
import { solverFailure } from "./solver-calls.ts";
import { solvers } from "../solver-map.ts";
import { solverFault } from "./solver-shape.ts";

/**
 * Finds a solver by the name of a built-in one, by a path such as `./mine.js`, or by the name of an installed package. The
 * last two are the module's default export.
 *
 * @param folder what paths and packages are relative to; default the working folder
 * @throws {UsageError} when there is none, or it does not have the shape of a solver
 */
export async function loadSolver(nameOrPath: string, folder: string = process.cwd()): Promise<Solver> {
  const ours = solvers.get(nameOrPath);
  if (ours) return ours();
  const kind = { noun: "solver", known: [...solvers.keys()], faultOf: solverFault, reference: "@mbs/contracts, defineSolver" };
  return (await loadCode(nameOrPath, kind, folder)) as Solver;
}

type SolverOptions = Parameters<Solver["solve"]>[2];

/**
 * A solver, with those of the options of `compress` that are its own, and the grid that they ask for.
 *
 * @throws {UsageError} on an unknown solver or a wrong value
 */
export async function readSolver(name: string, compress: StageOptions) {
  const solver = await loadSolver(name);
  const table = solverOptions(solver);
  const own = Object.fromEntries(Object.entries(compress).filter(([key]) => Object.hasOwn(table, key)));
  const options: SolverOptions = parseOptions(table, own, name);
  return { solver, options, grid: askedGrid(solver, options) };
}

/** What a solver says of itself before it runs. @throws {UsageError} where it refuses its options */
function ask<Answer>({ name }: Solver, about: string, question: () => Answer): Answer {
  try {
    return question();
  } catch (thrown) {
    // before it runs there is no block and no site to name
    if (thrown instanceof UsageError) throw thrown;
    throw solverFailure(name, `when asked for its ${about}`, thrown);
  }
}

/** Super-blocks stay together, whatever the type; within them, and of them, the largest inputs come first. */
const blockOrder = "group-aware:256";

/** Columns of a codebook's point are neighbours. */
const pointOrder = "natural";

/** The column order that a solver prefers. */
export function preferredOrderOf(solver: Solver, options: SolverOptions, grid: Grid): string | undefined {
  if (grid.kind === "blocks") return solver.preferredOrder && (hasCodebook(grid) ? pointOrder : blockOrder);
  return solver.preferredOrder?.(options, grid);
}

/**
 * Options of `factor`, which does not know the solver, with what that needs: the column order and the damping that it prefers,
 * unless others are given, and diagonals of languages.
 *
 * @throws {UsageError} where the solver refuses its options
 */
export function factorOptionsFor(solver: Solver, options: SolverOptions, grid: Grid, given: StageOptions): StageOptions {
  const order = given["order"] ?? ask(solver, "preferredOrder", () => preferredOrderOf(solver, options, grid));
  const damping = given["damping"] ?? ask(solver, "preferredDamping", () => solver.preferredDamping?.(options));
  const languageDiagonals = solver.needs.includes("languageDiagonals");
  return {
    ...given,
    ...(order !== undefined && { order }),
    ...(damping !== undefined && { damping }),
    ...(languageDiagonals && { languageDiagonals }),
  };
}

/**
 * How a solver prefers the sparsity to be spread over blocks or tensors; undefined for the same everywhere.
 *
 * @throws {UsageError} where the solver refuses its options
 */
export const preferredAllocationOf = (solver: Solver, options: SolverOptions): StageOptions | undefined =>
  ask(solver, "preferredAllocation", () => solver.preferredAllocation?.(options));

/**
 * What a solver says of the codes that it is going to make; "unknown" where it does not say.
 *
 * @param order name of the column order
 * @throws {UsageError} where the solver refuses its options
 */
export const plannedCodesOf = (solver: Solver, options: SolverOptions, order: string, grid: Grid): PlannedForm | "unknown" =>
  ask(solver, "plannedCodes", () => (grid.kind === "blocks" ? grid : solver.plannedCodes?.(options, order, grid))) ?? "unknown";
