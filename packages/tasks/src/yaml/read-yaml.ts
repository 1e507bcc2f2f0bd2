import { BadDataError, quoted } from "@mbs/contracts";
import { parseDocument, type Document } from "yaml";
import { Float } from "../python/values.ts";
import { FunctionReference } from "./function-reference.ts";
import type { ScalarTag } from "yaml";

const sexagesimal = (text: string): number =>
  text
    .replaceAll("_", "")
    .split(":")
    .reduce((total, part) => total * 60 + Number(part), 0);

function integer(text: string): number {
  const plain = text.replaceAll("_", "");
  const sign = plain.startsWith("-") ? -1 : 1;
  const digits = plain.replace(/^[-+]/, "");
  if (digits.includes(":")) return sign * sexagesimal(digits);
  if (/^0[bx]/.test(digits)) return sign * Number(digits);
  return sign * (/^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits));
}

function float(text: string): Float {
  const plain = text.replaceAll("_", "").toLowerCase();
  if (plain.endsWith(".nan")) return new Float(Number.NaN);
  if (plain.endsWith(".inf")) return new Float(plain.startsWith("-") ? -Infinity : Infinity);
  if (!plain.includes(":")) return new Float(Number(plain));
  return new Float((plain.startsWith("-") ? -1 : 1) * sexagesimal(plain.replace(/^[-+]/, "")));
}

/** How PyYAML reads plain scalars, YAML 1.1 with its own rules: `yes` is True, `y` is a text, `1e3` too. */
const pythonScalars: readonly ScalarTag[] = [
  {
    tag: "tag:yaml.org,2002:null",
    default: true,
    test: /^(?:~|null|Null|NULL|)$/,
    resolve: () => null,
  },
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
    resolve: (text) => /^(?:yes|true|on)$/i.test(text),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
    resolve: integer,
  },
  {
    tag: "tag:yaml.org,2002:float",
    default: true,
    test: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
    resolve: float,
  },
];

/**
 * Indents the lines of quoted texts that begin at the start of a line: YAML wants at least one space there, and PyYAML reads
 * them without. White space at the start of such a line is not part of the text.
 */
function indentQuotes(text: string): string {
  let quote: string | undefined;
  return text
    .split("\n")
    .map((line) => {
      const isInside = quote !== undefined;
      quote = isInside ? openQuote(line, 0, quote) : openQuote(line, line.search(/(?:^|:|-)\s+['"]|^['"]/));
      return isInside ? ` ${line}` : line;
    })
    .join("\n");
}

/** The quote that a line leaves open, reading from where a text begins. */
function openQuote(line: string, start: number, inside?: string): string | undefined {
  if (start < 0) return undefined;
  let quote = inside;
  for (let position = start; position < line.length; position += 1) {
    const character = line.charAt(position);
    if (quote === '"' && character === "\\") position += 1;
    else if (quote === "'" && character === "'" && line.charAt(position + 1) === "'") position += 1;
    else if (quote !== undefined && character === quote) quote = undefined;
    else if (quote === undefined && (character === "'" || character === '"')) quote = character;
    else if (quote === undefined && character === "#") return undefined;
  }
  return quote;
}

/** What a task file holds: values as Python reads them, and names of functions. */
export type YamlValue = null | boolean | number | string | Float | FunctionReference | YamlValue[] | Map<YamlValue, YamlValue>;

/** A task file, or a part of one: settings by name. */
export type Settings = ReadonlyMap<string, YamlValue>;

/** No task is nested so deep; an alias to what it is in is without end. */
const mostLevels = 100;

/**
 * Reads YAML as PyYAML does.
 *
 * @param folder of the file, for the functions that it names
 * @throws {BadDataError} naming the file, where it cannot be read
 */
export function parseYaml(text: string, file: string, folder: string): YamlValue {
  let document = parseDocumentOf(text, folder);
  if (document.errors.length > 0) document = parseDocumentOf(indentQuotes(text), folder);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const reason = problem.message.split("\n", 1)[0]?.replace(/:$/, "") ?? "";
    throw new BadDataError(`${file} cannot be read as YAML: ${reason}; correct it`, { file }, { cause: problem });
  }
  const value = valueOf(document, file);
  if (isDeeper(value, mostLevels))
    throw new BadDataError(`${file} is nested deeper than ${mostLevels} levels, or in itself; make it flatter`, { file });
  if (!isOfTasks(value))
    throw new BadDataError(
      `${file} has a value with a tag that tasks do not have, such as !!binary or !!set; write it as text or list`,
      {
        file,
      },
    );
  return value;
}

/** Whether a value is one of those that YamlValue names: a tag of YAML may make others of it. */
function isOfTasks(value: unknown): value is YamlValue {
  if (Array.isArray(value)) return value.every(isOfTasks);
  if (value instanceof Map) return [...value].every((entry) => entry.every(isOfTasks));
  if (value === null || value instanceof Float || value instanceof FunctionReference) return true;
  return ["boolean", "number", "string"].includes(typeof value);
}

/** @throws {BadDataError} where an alias names no anchor, or aliases stand for too much */
function valueOf(document: Document, file: string): YamlValue {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: 100 }) as YamlValue;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BadDataError(`${file} cannot be read as YAML: ${reason}; correct its aliases`, { file }, { cause: error });
  }
}

function isDeeper(value: YamlValue, levels: number): boolean {
  if (!Array.isArray(value) && !(value instanceof Map)) return false;
  if (levels === 0) return true;
  const parts = Array.isArray(value) ? value : [...value.keys(), ...value.values()];
  return parts.some((part) => isDeeper(part, levels - 1));
}

const parseDocumentOf = (text: string, folder: string): Document =>
  parseDocument(text, {
    schema: "failsafe",
    customTags: [...pythonScalars, { tag: "!function", resolve: (name: string) => new FunctionReference(folder, name) }],
    merge: true,
    uniqueKeys: false,
    strict: false,
    logLevel: "silent",
  });

/** The settings of a value that has to be a mapping with names. */
export function asSettings(value: YamlValue | undefined, about: string): Settings {
  if (!(value instanceof Map)) throw new BadDataError(`${about} has no settings by name (key: value); add them`);
  for (const key of value.keys())
    if (typeof key !== "string") throw new BadDataError(`${about} has the key ${quoted(key)}, which is no text; quote it`);
  return value as Map<string, YamlValue>;
}
