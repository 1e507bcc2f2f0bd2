import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError, isCodePath, type Solver } from "@mbs/contracts";
import { settled } from "./solver-calls.ts";
import { solvers } from "../solver-map.ts";
import { isRecord, solverMisfit } from "./solver-shape.ts";

/** Where a solver that is not ours lies: beside the working folder, or in its node_modules. */
function locate(name: string, folder: string): string {
  if (isCodePath(name)) return resolve(folder, name);
  return createRequire(resolve(folder, "package.json")).resolve(name);
}

/**
 * Finds a solver by the name of one of ours, by a path such as `./mine.js`, or by the name of an installed package. The
 * last two are the module's default export.
 *
 * @param folder what paths and packages are relative to; default the working folder
 * @throws {UsageError} when there is none, or it does not have the shape of a solver
 */
export async function loadSolver(nameOrPath: string, folder: string = process.cwd()): Promise<Solver> {
  const ours = solvers.get(nameOrPath);
  if (ours) return ours();
  const known = [...solvers.keys()].join(", ");
  let module: unknown;
  try {
    const url = pathToFileURL(locate(nameOrPath, folder)).href;
    module = await settled(import(url), () => new Error("its module waits for something that never comes"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new UsageError(
      `no solver ${JSON.stringify(nameOrPath)}: ${reason}; take ${known}, a path such as ./mine.js, or an installed package`,
      { solver: nameOrPath },
      { cause },
    );
  }
  const solver = isRecord(module) ? module["default"] : undefined;
  const wrong = solverMisfit(solver);
  if (wrong !== undefined) {
    throw new UsageError(`${nameOrPath} is no solver: ${wrong}; see @mbs/contracts, defineSolver`, { solver: nameOrPath });
  }
  return solver as Solver;
}
