import { UsageError, optionFlag, optionTable, quoted, thirdPartyCode } from "@mbs/contracts";
import type { Option, OptionTable, Stage } from "@mbs/contracts";
import { fromValue } from "../protocol/option-values.ts";
import type { OptionValue } from "../protocol/option-values.ts";
import type { StageCall, StageList } from "../protocol/messages.ts";
import { resolveResource } from "./served-resources.ts";
import type { ResourceRoots } from "./served-resources.ts";

/** Most bytes of a call's options, as JSON. */
export const optionsLimit = 64 * 1024;

/**
 * The options of a call as they came.
 *
 * @throws {UsageError} where they are larger than any stage needs
 */
export function givenOptions(call: StageCall): Readonly<Record<string, OptionValue>> {
  const given = Object.fromEntries(Object.entries(call.options).map(([name, value]) => [name, fromValue(name, value)]));
  const bytes = Buffer.byteLength(JSON.stringify(given));
  if (bytes > optionsLimit) {
    throw new UsageError(`the options of the call take ${bytes} bytes, of at most ${optionsLimit}; give shorter ones`, { bytes });
  }
  return given;
}

/** The fields of a Value, protos/mbs/v1/stage.proto. */
type Field = "flag" | "number" | "text" | "list";

/** What may hold a value of each kind. A resource of one name may come as a list of one. */
const fieldsOf: Readonly<Record<Option["kind"], readonly Field[]>> = {
  flag: ["flag"],
  integer: ["number", "text"],
  number: ["number", "text"],
  share: ["number", "text"],
  choice: ["text", "number"],
  text: ["text", "number"],
  code: ["text"],
  list: ["list", "text"],
  resource: ["text", "list"],
};

function fieldOf(value: OptionValue): Field {
  if (typeof value === "boolean") return "flag";
  if (typeof value === "number") return "number";
  return typeof value === "string" ? "text" : "list";
}

/**
 * Refuses values of another kind than their options: a command line would read them as something else.
 *
 * @throws {UsageError} naming the option
 */
function requireKinds(table: OptionTable, given: Readonly<Record<string, OptionValue>>): void {
  for (const [name, value] of Object.entries(given)) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined || fieldsOf[option.kind].includes(fieldOf(value))) continue;
    throw new UsageError(`${optionFlag(name)} takes a value as ${fieldsOf[option.kind].join(" or ")}, not as ${fieldOf(value)}`, {
      option: optionFlag(name),
    });
  }
}

/**
 * Refuses code that the client chose: from a path or a package it would run here.
 *
 * @throws {UsageError} naming what is built in
 */
function requireBuiltIn(table: OptionTable, given: Readonly<Record<string, OptionValue>>): void {
  const code = thirdPartyCode(table, given);
  if (code === undefined) return;
  const { name, option } = code;
  throw new UsageError(`a server runs its own ${name}s only: ${option.builtIn.join(", ")}`, { option: optionFlag(name) });
}

/**
 * The table of the options of a call, which all of them fit.
 *
 * @throws {UsageError} on code of the client's own, on a value of another kind than its option, and on an option that the stage
 *   does not have: the call becomes a command line, and its other flags (where the output goes, which server is asked in turn)
 *   are not the client's to choose
 */
export async function requireOptions(stage: Stage, given: Readonly<Record<string, OptionValue>>): Promise<OptionTable> {
  // the stage's own options first: finding those that depend on them would load that code
  requireKinds(stage.options, given);
  requireBuiltIn(stage.options, given);
  const table = await optionTable(stage, given);
  requireKinds(table, given);
  requireBuiltIn(table, given);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) throw new UsageError(`stage ${stage.name} has no option ${quoted(unknown)}`, { option: unknown });
  return table;
}

/**
 * The options of a call, with resources as paths of this machine. Finding one by its address reads all of its kind.
 *
 * @param table what `requireOptions` returned for them
 * @param signal ends it, between two resources
 */
export async function resolveOptions(
  table: OptionTable,
  given: Readonly<Record<string, OptionValue>>,
  resources: ResourceRoots,
  signal: AbortSignal,
): Promise<Readonly<Record<string, OptionValue>>> {
  const options: Record<string, OptionValue> = {};
  for (const [name, raw] of Object.entries(given)) {
    const option = table[name];
    if (option?.kind !== "resource") options[name] = typeof raw === "object" ? raw.join(",") : raw;
    else {
      const names = typeof raw === "object" ? raw : [String(raw)];
      if (names.length === 0 || (names.length > 1 && option.many !== true)) {
        throw new UsageError(`${optionFlag(name)} names ${names.length} resources`, { option: name });
      }
      const paths: string[] = [];
      for (const text of names) paths.push(await resolveResource(resources, option.resource, text, signal));
      options[name] = paths;
    }
  }
  return options;
}

/** The answer to the action list-stages. */
export function describeStages(stages: readonly Stage[]): StageList {
  return {
    stages: stages.map((stage) => ({
      name: stage.name,
      summary: stage.summary,
      inputs: Object.entries(stage.inputs).map(([name, { kinds, optional = false, many = false, description }]) => ({
        name,
        kinds,
        optional,
        many,
        description,
      })),
      outputs: Object.entries(stage.outputs).map(([name, { kind, description }]) => ({ name, kind, description })),
      options: Object.entries(stage.options).map(([name, option]) => ({
        name,
        kind: option.kind,
        description: option.description,
        required: option.default === undefined && option.optional !== true && option.kind !== "flag",
        choices: option.kind === "choice" ? option.choices : [],
      })),
    })),
  };
}
