import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isCodePath, isObject, quoted, UsageError, type Solver } from "@mbs/contracts";
import { solvers } from "../solver-map.ts";
import { settled } from "./solver-calls.ts";
import { solverMisfit } from "./solver-shape.ts";

const messageOf = (thrown: unknown): string | undefined =>
  thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown);

/** The file of an installed package. @throws {Error} that says why there is none */
function packageFile(name: string, folder: string): string {
  if (name === "") throw new Error("the name is empty");
  try {
    return createRequire(resolve(folder, "package.json")).resolve(name);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw cause;
    const isFile = existsSync(resolve(folder, name));
    throw new Error(isFile ? `a file is named by a path, ./${name}` : "no package of this name is installed", { cause });
  }
}

/** Only a regular file is imported: to read a pipe would block until somebody writes to it. @throws {Error} for any other */
async function requireRegularFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(cause.code === "ENOENT" ? "there is no such file" : `it cannot be read (${cause.code})`, { cause });
  });
  if (found.isDirectory()) throw new Error("it is a folder; name the file in it");
  if (!found.isFile()) throw new Error("it is no regular file");
}

/** The module of a solver that is not ours. @throws {Error} that says why there is none */
async function importSolver(name: string, folder: string): Promise<unknown> {
  const path = isCodePath(name) ? resolve(folder, name) : packageFile(name, folder);
  await requireRegularFile(path);
  return settled(import(pathToFileURL(path).href), () => new Error("a promise that its module awaits never settled"));
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
  let module: unknown;
  try {
    module = await importSolver(nameOrPath, folder);
  } catch (cause) {
    const known = [...solvers.keys()].join(", ");
    throw new UsageError(
      `no solver ${quoted(nameOrPath)}: ${messageOf(cause)}; take ${known}, a path such as ./mine.js, or an installed package`,
      { solver: nameOrPath },
      { cause },
    );
  }
  const solver = isObject(module) ? module["default"] : undefined;
  const wrong = solverMisfit(solver);
  if (wrong !== undefined) {
    throw new UsageError(`${nameOrPath} is no solver: ${wrong}; see @mbs/contracts, defineSolver`, { solver: nameOrPath });
  }
  return solver as Solver;
}
