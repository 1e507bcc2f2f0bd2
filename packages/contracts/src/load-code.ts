import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { didYouMean } from "./did-you-mean.ts";
import { UsageError } from "./errors.ts";
import { isAmount, isObject } from "./value-checks.ts";
import { isCodePath, parseOptions, resourceKinds } from "./options.ts";
import type { Option } from "./options.ts";
import { quoted } from "./printable.ts";

/**
 * Waits for work of a third-party module.
 *
 * Where nothing is left that could settle it, Node would end the process as if all were done; this rejects instead.
 *
 * @param unsettled makes the error to reject with
 */
export function settled<T>(work: Promise<T> | T, unsettled: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const ranDry = (): void => reject(unsettled());
    process.once("beforeExit", ranDry);
    Promise.resolve(work)
      .finally(() => process.removeListener("beforeExit", ranDry))
      .then(resolve, reject);
  });
}

const messageOf = (thrown: unknown): string | undefined =>
  thrown instanceof Error ? thrown.message.split("\n")[0] : inspect(thrown);

/** What becomes a flag of its own; --no-… takes back another. */
const optionName = /^(?!no[A-Z])[a-z][A-Za-z0-9]*$/;

/** Whether a value is a list of strings. */
export const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");

const checkFault = ({ check }: Readonly<Record<string, unknown>>): string | undefined =>
  check === undefined || typeof check === "function" ? undefined : "a check that is no function";

/** The kinds of options, each with what else it must have. */
const optionKinds: Readonly<Record<Option["kind"], (option: Readonly<Record<string, unknown>>) => string | undefined>> = {
  integer: () => undefined,
  number: () => undefined,
  share: ({ maximum }) => (isAmount(maximum) && maximum < 1 ? undefined : "no maximum below 1"),
  flag: () => undefined,
  text: checkFault,
  choice: ({ choices }) => (isTexts(choices) ? undefined : "no list of choices"),
  list: checkFault,
  resource: ({ resource }) =>
    resourceKinds.some((kind) => kind === resource) ? undefined : `no resource: one of ${resourceKinds.join(", ")}`,
  code: ({ builtIn }) => (isTexts(builtIn) ? undefined : "no list builtIn"),
};

/** What keeps a value from being the declaration of an option, or undefined. */
function optionFault(option: unknown): string | undefined {
  if (!isObject(option)) return "is no object";
  const { kind, description } = option;
  if (typeof kind !== "string" || !Object.hasOwn(optionKinds, kind)) {
    return `has the kind ${quoted(kind)}; kinds are ${Object.keys(optionKinds).join(", ")}`;
  }
  if (typeof description !== "string") return "has no description";
  const { excludes = [] } = option;
  if (!isTexts(excludes)) return "has excludes that are no list of names";
  const missing = optionKinds[kind as Option["kind"]](option);
  if (missing !== undefined) return `has ${missing}`;
  if (option["default"] === undefined) return undefined;
  try {
    parseOptions({ value: option as unknown as Option }, { value: option["default"] }, "default");
    return undefined;
  } catch (cause) {
    return `has a default that it does not take: ${messageOf(cause) ?? ""}`;
  }
}

/** What keeps a value from being a table of options, or undefined where it is one. */
export function optionsFault(options: unknown): string | undefined {
  if (!isObject(options)) return "its options are not a table of options";
  for (const [name, option] of Object.entries(options)) {
    const wrong = optionFault(option);
    if (wrong !== undefined) return `its option ${quoted(name)} ${wrong}`;
  }
  const strange = Object.keys(options).find((name) => !optionName.test(name));
  return strange === undefined ? undefined : `its option ${quoted(strange)} is no name in camelCase, or begins with "no"`;
}

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

/** @throws {Error} that says why there is no such file */
async function moduleFile(name: string, folder: string): Promise<string> {
  const path = isCodePath(name) ? resolve(folder, name) : packageFile(name, folder);
  await requireRegularFile(path);
  return path;
}

/**
 * Where a module failed, and the remedy. An error that it throws has its file and line in its stack. V8 keeps the line of a
 * syntax error to itself, and only `node --check` prints it.
 */
function failureRemedy(thrown: unknown, path: string): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  // the line before the message, which Node writes for an import of a name that is not exported, or the first call
  const [where = ""] = /^file:.*|^ +at .*/m.exec(stack) ?? [];
  const [, url, line] = /(file:\/\/[^\s?)]+?)(?:\?[^\s:)]*)?:(\d+)/.exec(where) ?? [];
  if (url !== undefined) return `, at ${fileURLToPath(url)}:${line}; fix it there`;
  return thrown instanceof SyntaxError
    ? `; node --check ${path} shows the line, unless it is in a file that this one imports`
    : "; fix it";
}

const neverSettled = (): Error => new Error("a promise that its module awaits never settled");

/** What is looked for, and how it is recognised. */
export interface CodeKind {
  /** "solver" */
  readonly noun: string;
  /** Names of what the program itself has, for messages. */
  readonly known: readonly string[];
  /** What keeps a default export from being one, or undefined. */
  readonly faultOf: (value: unknown) => string | undefined;
  /** Where to read on: "@mbs/contracts, defineSolver". */
  readonly reference: string;
}

/**
 * The default export of third-party code.
 *
 * @param nameOrPath a path such as `./mine.js`, or the name of an installed package
 * @param folder what paths and packages are relative to; default the working folder
 * @throws {UsageError} when there is none, or it has not the shape that is asked for
 */
export async function loadCode(
  nameOrPath: string,
  { noun, known, faultOf, reference }: CodeKind,
  folder: string = process.cwd(),
): Promise<unknown> {
  let path: string;
  try {
    path = await moduleFile(nameOrPath, folder);
  } catch (cause) {
    throw new UsageError(
      `no ${noun} ${quoted(nameOrPath)}: ${messageOf(cause)}; ${didYouMean(nameOrPath, known)}take ${[...known, "a path such as ./mine.js"].join(", ")}, or an installed package`,
      { [noun]: nameOrPath },
      { cause },
    );
  }
  let module: unknown;
  try {
    module = await settled(import(pathToFileURL(path).href), neverSettled);
  } catch (cause) {
    throw new UsageError(
      `${noun} ${quoted(nameOrPath)} does not load: ${messageOf(cause)}${failureRemedy(cause, path)}`,
      { [noun]: nameOrPath },
      { cause },
    );
  }
  const found = isObject(module) ? module["default"] : undefined;
  const wrong = faultOf(found);
  if (wrong === undefined) return found;
  throw new UsageError(`${nameOrPath} is no ${noun}: ${wrong}; see ${reference}`, { [noun]: nameOrPath });
}
