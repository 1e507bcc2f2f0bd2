import { BadDataError, didYouMean, isObject, quoted, UsageError } from "@mbs/contracts";
import { LineCounter, isNode, parseDocument } from "yaml";
import type { Document } from "yaml";
import { throwFaults } from "./faults.ts";
import { optionName, propagations, recipeKeys } from "./recipe-keys.ts";
import type { RecipeKey, RecipeKeyName } from "./recipe-keys.ts";
import { readRecipeText } from "./recipe-text.ts";
import type { Recipe, StageEntry } from "./recipe.ts";
import type { StageOptions } from "@mbs/contracts";

const keys = Object.keys(recipeKeys);
/** More would give each of them less than a batch of most samples. */
const mostShards = 1024;
/** What an entry of `stages` may be called: its result is NAME.arrow, its node NAME. */
const entryName = /^[a-z][a-z0-9-]{0,63}$/;
/** Names that a run gives itself. */
const reservedNames: ReadonlySet<string> = new Set([...keys, "run", "scores", "add", "join-layers", "join-scores"]);
/** Parts of the YAML library's messages that are for programmers, and the position, which stands in front of ours. */
const pointer = /; please use YAML\.\w+\(\)| at line \d+, column \d+:?$|[:.]$/g;

/** Reads the values of keys and collects faults, so that one message names all of them. */
class Reader {
  readonly #values: Record<string, unknown>;
  readonly #locate: (keys: readonly string[]) => string;
  readonly faults: UsageError[] = [];

  constructor(values: Record<string, unknown>, locate: (keys: readonly string[]) => string) {
    this.#values = values;
    this.#locate = locate;
  }

  fault(path: readonly string[], problem: string): void {
    const key = path.join(".");
    this.faults.push(new UsageError(`${this.#locate(path)}: ${problem}`, { key }));
  }

  text(key: RecipeKeyName): string {
    const value = this.#values[key];
    if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
    this.fault([key], value === undefined ? `${key} is missing` : `${key} takes a path, not ${quoted(value)}`);
    return "";
  }

  flag(key: RecipeKeyName): boolean {
    const value = this.#values[key] ?? false;
    if (typeof value === "boolean") return value;
    this.fault([key], `${key} takes true or false, not ${quoted(value)}`);
    return false;
  }

  count(key: RecipeKeyName, least: number, most: number): number {
    const value = this.#values[key] ?? least;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    this.fault([key], `${key} takes a whole number from ${least} to ${most}, not ${quoted(value)}`);
    return least;
  }

  choice<T extends string>(key: RecipeKeyName, choices: readonly [T, ...T[]]): T {
    const value = this.#values[key] ?? choices[0];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fault([key], `${key} takes ${choices.join(", ")}, not ${quoted(value)}`);
    return found ?? choices[0];
  }

  /** Options of a stage, or the names that the key itself takes. */
  options(key: RecipeKeyName): StageOptions {
    const { given = [], needs = [], needsOneOf, names }: RecipeKey = recipeKeys[key];
    const value = this.#values[key] ?? {};
    if (!isObject(value)) {
      this.fault([key], `${key} takes options (name: value), not ${quoted(value)}`);
      return {};
    }
    const options = new Map<string, unknown>();
    for (const [name, option] of Object.entries(value)) {
      const known = optionName(name);
      if (given.includes(known)) this.fault([key, name], `${key}.${name} follows from other keys of the recipe; remove it`);
      else if (options.has(known)) this.fault([key, name], `${key}.${name} is given twice`);
      else if (names?.includes(known) === false)
        this.fault([key, name], `unknown key ${key}.${name}; ${didYouMean(name, names)}${key} takes ${names.join(", ")}`);
      else options.set(known, option);
    }
    for (const name of needs) if (!options.has(name)) this.fault([key], `${key} needs ${name}`);
    if (needsOneOf?.every((name) => !options.has(name)) === true) {
      this.fault([key], `${key} needs ${needsOneOf.join(" or ")}`);
    }
    return Object.fromEntries(options);
  }

  /** Paths by name. */
  paths(key: RecipeKeyName): Readonly<Record<string, string>> {
    const value = this.#values[key] ?? {};
    if (isObject(value) && Object.values(value).every((path) => typeof path === "string" && path !== "")) {
      return Object.fromEntries(Object.entries(value).map(([name, path]) => [name, String(path)]));
    }
    this.fault([key], `${key} takes paths (label: path), not ${quoted(value)}`);
    return {};
  }

  /** Entries of `stages`: what runs, what it reads, and options. */
  stages(): ReadonlyMap<string, StageEntry> {
    const value = this.#values["stages"] ?? {};
    const entries = new Map<string, StageEntry>();
    if (!isObject(value)) {
      this.fault(["stages"], `stages takes entries (name: { stage, inputs }), not ${quoted(value)}`);
      return entries;
    }
    for (const [name, entry] of Object.entries(value)) {
      const path = ["stages", name];
      if (!entryName.test(name) || reservedNames.has(name)) {
        this.fault(
          path,
          `stages.${name}: a name is lower-case letters, digits and "-", and none of ${[...reservedNames].join(", ")}`,
        );
      } else if (!isObject(entry) || typeof entry["stage"] !== "string" || entry["stage"] === "") {
        this.fault(path, `stages.${name} needs stage: a name, a path such as ./mine.js, or a package`);
      } else {
        const { stage, inputs = {}, options = {}, ...others } = entry;
        for (const other of Object.keys(others)) {
          this.fault(
            [...path, other],
            `unknown key stages.${name}.${other}; ${didYouMean(other, ["stage", "inputs", "options"])}an entry takes stage, inputs, options`,
          );
        }
        entries.set(name, {
          stage,
          inputs: this.#inputs(path, inputs),
          options: this.#named([...path, "options"], options),
        });
      }
    }
    return entries;
  }

  /** Names of sources by input; one name, or a list of them. */
  #inputs(path: readonly string[], value: unknown): StageEntry["inputs"] {
    if (!isObject(value)) {
      this.fault([...path, "inputs"], `${path.join(".")}.inputs takes names (input: key), not ${quoted(value)}`);
      return {};
    }
    const inputs = Object.entries(value).map(([name, sources]): [string, string[]] => {
      const list = [sources].flat();
      if (list.length === 0 || !list.every((source) => typeof source === "string")) {
        this.fault(
          [...path, "inputs", name],
          `${path.join(".")}.inputs.${name} takes a key of the recipe or a list of them, not ${quoted(sources)}`,
        );
      }
      return [optionName(name), list.map(String)];
    });
    return Object.fromEntries(inputs);
  }

  /** Options of a stage by their names in the library. */
  #named(path: readonly string[], value: unknown): StageOptions {
    if (!isObject(value)) {
      this.fault(path, `${path.join(".")} takes options (name: value), not ${quoted(value)}`);
      return {};
    }
    const options = new Map<string, unknown>();
    for (const [name, option] of Object.entries(value)) {
      if (options.has(optionName(name))) this.fault([...path, name], `${[...path, name].join(".")} is given twice`);
      options.set(optionName(name), option);
    }
    return Object.fromEntries(options);
  }
}

/** What depends on the machine, and stands on the command line therefore. */
const machineFlags: ReadonlySet<string> = new Set(["threads", "memory"]);

/**
 * A recipe from its parsed values.
 *
 * @param values what the YAML holds
 * @param locate file and line of a key, for messages
 * @throws {UsageError} on unknown keys, missing keys and values of a wrong type, all of them named; options are checked by their stages
 */
export function recipeFrom(values: unknown, locate: (keys: readonly string[]) => string = () => "recipe"): Recipe {
  if (!isObject(values)) throw new UsageError(`${locate([])}: a recipe holds keys and values: ${keys.join(", ")}`);
  const reader = new Reader(values, locate);
  for (const key of Object.keys(values)) {
    if (keys.includes(key)) continue;
    const instead = machineFlags.has(key)
      ? `remove it and give --${key} to mbs run`
      : `${didYouMean(key, keys)}a recipe takes ${keys.join(", ")}`;
    reader.fault([key], `unknown key ${key}; ${instead}`);
  }
  const recipe: Recipe = {
    model: reader.text("model"),
    ...(Object.hasOwn(values, "trim") ? { trim: reader.options("trim") } : {}),
    ...(Object.hasOwn(values, "rotate") ? { rotate: reader.options("rotate") } : {}),
    corpus: reader.text("corpus"),
    sample: reader.options("sample"),
    propagation: reader.choice("propagation", propagations),
    shards: reader.count("shards", 1, mostShards),
    capture: reader.options("capture"),
    factor: reader.options("factor"),
    ...(values["allocate"] === undefined ? {} : { allocate: reader.options("allocate") }),
    compress: reader.options("compress"),
    assemble: reader.options("assemble"),
    ...(values["evaluate"] === undefined ? {} : { evaluate: reader.options("evaluate") }),
    ...(values["beside"] === undefined ? {} : { beside: reader.paths("beside") }),
    ...(values["gate"] === undefined ? {} : { gate: reader.options("gate") }),
    ...(values["quality"] === undefined ? {} : { quality: reader.options("quality") }),
    stages: reader.stages(),
    similarity: reader.flag("similarity"),
    keep: reader.flag("keep"),
    output: reader.text("output"),
    ...(values["hashes"] === undefined ? {} : { hashes: reader.options("hashes") }),
    locate,
  };
  if (recipe.gate !== undefined && recipe.evaluate === undefined) {
    reader.fault(["gate"], "gate checks scores, and nothing is evaluated; add evaluate, or remove gate");
  }
  for (const label of Object.keys(recipe.beside ?? {})) {
    // whole numbers come first among the keys of an object, and the first model is what others are compared with
    if (["dense", "compressed"].includes(label) || /^\d+$/.test(label)) {
      reader.fault(
        ["beside", label],
        `beside.${label}: dense and compressed are the run's own, and a number is no label; take another`,
      );
    }
  }
  if (recipe.beside !== undefined && recipe.evaluate === undefined) {
    reader.fault(["beside"], "beside names models to score, and nothing is evaluated; add evaluate, or remove beside");
  }
  throwFaults(reader.faults);
  return recipe;
}

function locator(document: Document.Parsed, lines: LineCounter, path: string): (keys: readonly string[]) => string {
  return (keys) => {
    for (let length = keys.length; length > 0; length--) {
      const node = document.getIn(keys.slice(0, length), true);
      if (isNode(node) && node.range) return `${path}:${lines.linePos(node.range[0]).line}`;
    }
    return path;
  };
}

/**
 * Parses a recipe's YAML.
 *
 * @param path for messages
 * @throws {BadDataError} when it is no YAML
 * @throws {UsageError} when it is no recipe
 */
export function parseRecipe(text: string, path: string): Recipe {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: "error" });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    const what = (problem.message.split("\n")[0] ?? "").replaceAll(pointer, "");
    throw new BadDataError(
      `${path}:${line}:${col}: no valid YAML: ${what}; correct it there: a line is key: value, and a value with ": " or " #" stands in quotes`,
      { path, line },
    );
  }
  return recipeFrom(valuesOf(document, path), locator(document, lines, path));
}

/** Aliases are refused: they could make a small text endlessly large, or a value contain itself. */
function valuesOf(document: Document.Parsed, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new BadDataError(`${path}: no valid YAML: ${problem}; write values out`, { path }, { cause });
  }
}

/**
 * Reads a recipe file.
 *
 * @throws as readRecipeText and parseRecipe
 */
export const readRecipe = async (path: string): Promise<Recipe> => parseRecipe(await readRecipeText(path), path);
