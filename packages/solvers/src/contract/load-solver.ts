import { loadCode, type Solver } from "@mbs/contracts";
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
