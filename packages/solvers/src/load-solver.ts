import { createRequire } from "node:module";
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError, type Solver } from "@mbs/contracts";
import { solvers } from "./solver-map.ts";

const statisticNames: readonly string[] = ["factor", "diagonal", "gram"];

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** What is wrong with a solver's shape, or undefined. */
function misfit(solver: unknown): string | undefined {
  if (!isRecord(solver)) return "it has no default export that is a solver object";
  for (const key of ["name", "source", "summary"]) {
    if (typeof solver[key] !== "string" || solver[key] === "") return `its ${key} is not a text`;
  }
  const { needs, options, preferredOrder, solve } = solver;
  if (!Array.isArray(needs)) return "its needs are not a list";
  const unknown = needs.find((need) => !statisticNames.includes(need as string));
  if (unknown !== undefined) return `it needs ${JSON.stringify(unknown)}; statistics are ${statisticNames.join(", ")}`;
  if (!isRecord(options) || !Object.values(options).every((option) => isRecord(option) && typeof option["kind"] === "string")) {
    return "its options are not a table of options";
  }
  if (preferredOrder !== undefined && typeof preferredOrder !== "function") return "its preferredOrder is not a function";
  if (typeof solve !== "function") return "its solve is not a function";
  return undefined;
}

const isPath = (name: string): boolean => name.startsWith("./") || name.startsWith("../") || isAbsolute(name);

/** Where a solver that is not ours lies: beside the working folder, or in its node_modules. */
function locate(name: string, folder: string): string {
  if (isPath(name)) return resolve(folder, name);
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
    module = await import(pathToFileURL(locate(nameOrPath, folder)).href);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new UsageError(
      `no solver ${JSON.stringify(nameOrPath)}: ${reason}; take ${known}, a path such as ./mine.js, or an installed package`,
      { solver: nameOrPath },
      { cause },
    );
  }
  const solver = isRecord(module) ? module["default"] : undefined;
  const wrong = misfit(solver);
  if (wrong !== undefined) {
    throw new UsageError(`${nameOrPath} is no solver: ${wrong}; see @mbs/contracts, defineSolver`, { solver: nameOrPath });
  }
  return solver as Solver;
}
