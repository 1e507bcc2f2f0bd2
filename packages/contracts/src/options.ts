import { didYouMean } from "./did-you-mean.ts";
import { isAbsolute } from "node:path";
import { UsageError } from "./errors.ts";
import { quoted } from "./printable.ts";
import { parseShare } from "./shares.ts";

interface Described<Kind extends string, Value> {
  readonly kind: Kind;
  /** A phrase for `--help`, without capital and full stop: bounds and default follow it in brackets. */
  readonly description: string;
  /** Used when the option is absent; an option without default and without `optional` is required, a flag then false. */
  readonly default?: Value;
  /** Absent stays undefined. */
  readonly optional?: boolean;
  /** Heading of `--help` under which it stands; without one it stands first. */
  readonly group?: string;
  /** Options of the same table that exclude this one. Their defaults do not apply beside it, so they must be `optional`. */
  readonly excludes?: readonly string[];
}

/**
 * Declaration of one option. `resource` values are a path on the command line and a name or address on a server. `code` values
 * are a built-in name, a path such as ./mine.js, or the name of an installed package, whose default export is used.
 */
export type Option =
  | (Described<"integer", number> & { readonly minimum?: number; readonly maximum?: number })
  | (Described<"number", number> & { readonly minimum?: number; readonly maximum?: number; readonly above?: number })
  /** A part of a whole, 0 to `maximum`, which is below 1: what was parsed, a number, so parses again. */
  | (Described<"share", number> & { readonly maximum: number })
  | Described<"flag", boolean>
  | (Described<"text", string> & {
      readonly placeholder?: string;
      /** Throws on a text of another form, so that a mistake shows before anything runs. */
      readonly check?: (value: string) => unknown;
    })
  | (Described<"choice", string> & { readonly choices: readonly string[] })
  | (Described<"list", readonly string[]> & {
      readonly placeholder?: string;
      /** Throws on values that there are not, so that a mistake shows before anything runs. */
      readonly check?: (values: readonly string[]) => unknown;
    })
  | (Described<"resource", string> & { readonly resource: ResourceKind; readonly many?: false })
  | (Described<"resource", readonly string[]> & {
      readonly resource: ResourceKind;
      readonly many: true;
      /**
       * The option of the same table that takes a label for each value. Absent labels are made from the values' base names: a host
       * that puts an address in the place of a path makes them before that.
       */
      readonly labelledBy?: string;
    })
  | (Described<"code", string> & {
      /** Names of what the program itself has. A server runs these and no others. */
      readonly builtIn: readonly string[];
    });

/** What a server resolves under a root of its own, so that a client never names a path there. */
export const resourceKinds = ["model", "corpus", "distribution", "imatrix", "tasks", "rows"] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** Whether a value of a `code` option is a path: "./mine.js", "../mine.js" or "/solvers/mine.js". */
export const isCodePath = (name: string): boolean => name.startsWith("./") || name.startsWith("../") || isAbsolute(name);

/** Options by camelCase name; the command line shows them in kebab-case. */
export type OptionTable = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends { kind: "integer" | "number" | "share" }
  ? number
  : O extends { kind: "flag" }
    ? boolean
    : O extends { kind: "choice"; choices: readonly (infer C)[] }
      ? C
      : O extends { kind: "text" }
        ? string
        : O extends { kind: "list" }
          ? readonly string[]
          : O extends { kind: "resource"; many: true }
            ? readonly string[]
            : string;

/** The parsed values of a table: optional options without default may be undefined. */
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { optional: true } ? ValueOf<T[K]> | undefined : ValueOf<T[K]>;
};

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The name of an option on the command line: `groupSize` → `--group-size`. */
export const optionFlag = (name: string): string => `--${kebab(name)}`;

function parseNumber(flag: string, option: Option & { kind: "integer" | "number" }, raw: unknown): number {
  const value = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
  const whole = option.kind === "integer";
  if (typeof value !== "number" || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
    throw new UsageError(`${flag} takes ${whole ? "a whole number" : "a number"}, not ${quoted(raw)}`, { option: flag });
  }
  const { minimum, maximum } = option;
  const above = option.kind === "number" ? option.above : undefined;
  if (
    (minimum !== undefined && value < minimum) ||
    (maximum !== undefined && value > maximum) ||
    (above !== undefined && value <= above)
  ) {
    const bounds = [
      ...(above === undefined ? [] : [`above ${above}`]),
      ...(minimum === undefined ? [] : [`at least ${minimum}`]),
      ...(maximum === undefined ? [] : [`at most ${maximum}`]),
    ];
    throw new UsageError(`${flag} must be ${bounds.join(" and ")}, not ${value}`, { option: flag });
  }
  return value;
}

function parseFlag(flag: string, raw: unknown): boolean {
  if (typeof raw === "boolean") return raw;
  if (raw === "true" || raw === "on") return true;
  if (raw === "false" || raw === "off") return false;
  throw new UsageError(`${flag} takes true or false, not ${quoted(raw)}`, { option: flag });
}

function parseText(flag: string, raw: unknown): string {
  if (typeof raw !== "string" || raw === "") {
    throw new UsageError(`${flag} takes a text, not ${quoted(raw)}`, { option: flag });
  }
  // No path or name may contain NUL: the system would cut it off there.
  if (raw.includes("\0")) throw new UsageError(`${flag} takes a text without NUL, not ${quoted(raw)}`, { option: flag });
  return raw;
}

function parseList(flag: string, raw: unknown): readonly string[] {
  const values = typeof raw === "string" ? raw.split(",") : raw;
  if (!Array.isArray(values) || values.length === 0) {
    throw new UsageError(`${flag} takes a list, not ${quoted(raw)}`, { option: flag });
  }
  return values.map((value) => parseText(flag, value));
}

/** A third-party check may throw any error: each becomes a UsageError about the value. */
function checkForm<Value>(flag: string, check: ((value: Value) => unknown) | undefined, value: Value): void {
  try {
    check?.(value);
  } catch (thrown) {
    if (thrown instanceof UsageError) throw thrown;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new UsageError(`${flag} does not take ${quoted(value)}: ${reason}`, { option: flag }, { cause: thrown });
  }
}

function parseOption(flag: string, option: Option, raw: unknown): unknown {
  switch (option.kind) {
    case "integer":
    case "number":
      return parseNumber(flag, option, raw);
    case "share":
      return parseShare(raw, flag, option.maximum);
    case "flag":
      return parseFlag(flag, raw);
    case "list": {
      const values = parseList(flag, raw);
      checkForm(flag, option.check, values);
      return values;
    }
    case "choice": {
      const value = parseText(flag, typeof raw === "number" ? String(raw) : raw);
      if (!option.choices.includes(value)) {
        const near = didYouMean(value, option.choices);
        const remedy = near === "" ? "" : `; ${near.trimEnd()}`;
        throw new UsageError(`${flag} takes one of ${option.choices.join(", ")}, not ${quoted(value)}${remedy}`, {
          option: flag,
        });
      }
      return value;
    }
    case "code":
      return parseText(flag, raw);
    case "resource":
      return option.many ? (Array.isArray(raw) ? raw : [raw]).map((value) => parseText(flag, value)) : parseText(flag, raw);
    case "text": {
      const value = parseText(flag, typeof raw === "number" ? String(raw) : raw);
      checkForm(flag, option.check, value);
      return value;
    }
  }
}

/** A flag that is off counts as absent. */
const absent: ReadonlySet<unknown> = new Set([undefined, false, "false", "off"]);

/** Which options cannot be given beside those that are given: the excluded one → the one that excludes it. */
function excludedBy(table: OptionTable, given: ReadonlyMap<string, unknown>): ReadonlyMap<string, string> {
  const present = (name: string): boolean => !absent.has(given.get(name));
  return new Map(
    Object.entries(table).flatMap(([name, { excludes = [] }]) =>
      present(name) ? excludes.map((other): [string, string] => [other, name]) : [],
    ),
  );
}

/**
 * Parses the options of a stage that passes the rest on to a solver or a format.
 *
 * @param own the stage's table
 * @param others the table that the rest belongs to
 * @returns the stage's values, and the rest as it was given
 * @throws {UsageError} as parseOptions; an unknown key is refused with the list of both tables
 */
export function splitOptions<const T extends OptionTable>(
  own: T,
  others: OptionTable,
  raw: unknown,
  owner: string,
): { readonly own: OptionValues<T>; readonly rest: Readonly<Record<string, unknown>> } {
  parseOptions({ ...own, ...others }, raw, owner);
  const given = Object.entries((raw ?? {}) as Readonly<Record<string, unknown>>);
  const of = (mine: boolean) => Object.fromEntries(given.filter(([name]) => Object.hasOwn(own, name) === mine));
  return { own: parseOptions(own, of(true), owner), rest: of(false) };
}

/**
 * Parses option values that came from a command line, a recipe or a network call.
 *
 * @param table the declared options
 * @param raw an object with camelCase keys; absent means {}
 * @param owner the stage or solver, for messages
 * @throws {UsageError} on an unknown key, a missing value, a wrong type, a value out of range or options that exclude each
 * other
 */
export function parseOptions<const T extends OptionTable>(table: T, raw: unknown, owner: string): OptionValues<T> {
  if (raw !== undefined && (typeof raw !== "object" || raw === null || Array.isArray(raw))) {
    throw new UsageError(`${owner}: options must be an object`, { owner });
  }
  const given = new Map(Object.entries(raw ?? {}));
  for (const name of given.keys()) {
    if (!Object.hasOwn(table, name)) {
      const known = Object.keys(table).map(optionFlag);
      const near = didYouMean(optionFlag(name), known);
      const takes = `; ${near}it takes ${known.join(", ") || "none"}`;
      throw new UsageError(`${owner}: unknown option ${optionFlag(name)}${takes}`, { owner, option: name });
    }
  }
  const values: Record<string, unknown> = {};
  const excluded = excludedBy(table, given);
  for (const [name, option] of Object.entries(table)) {
    const value = given.get(name);
    const by = excluded.get(name);
    if (by !== undefined && value !== undefined && !(option.kind === "flag" && absent.has(value))) {
      throw new UsageError(`${owner}: ${optionFlag(by)} and ${optionFlag(name)} exclude each other; give one of them`, {
        owner,
        option: optionFlag(by),
      });
    }
    if (value !== undefined) values[name] = parseOption(optionFlag(name), option, value);
    else if (option.default !== undefined && by === undefined) values[name] = option.default;
    else if (option.optional) values[name] = undefined;
    else if (option.kind === "flag") values[name] = false;
    else throw new UsageError(`${owner}: ${optionFlag(name)} is required`, { owner, option: name });
  }
  return values as OptionValues<T>;
}
