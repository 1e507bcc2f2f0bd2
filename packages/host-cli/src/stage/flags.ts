import {
  availableProcessors,
  defaultKept,
  deviceChoices,
  formatShare,
  mostThreads,
  optionFlag,
  parseBytes,
  requireAvailable,
} from "@mbs/contracts";
import type { Option, OptionTable } from "@mbs/contracts";
import { Help, Option as CommanderOption } from "commander";
import type { Command } from "commander";

/** Heading of the flags that every command has. */
const general = "General options";

const collect = (value: string, previous: readonly string[] | undefined): readonly string[] => [...(previous ?? []), value];

const resourceNames = {
  model: "FOLDER",
  corpus: "PATH",
  distribution: "FILE|PRESET",
  imatrix: "FILE",
  tasks: "FOLDER",
  rows: "FOLDER",
} as const;

function placeholder(option: Option): string {
  switch (option.kind) {
    case "integer":
    case "number":
      return "NUMBER";
    case "share":
      return "SHARE";
    case "choice":
      return "CHOICE";
    case "resource":
      return resourceNames[option.resource];
    case "list":
      return option.placeholder ?? "LIST";
    case "text":
      return option.placeholder ?? "TEXT";
    case "code":
      return "NAME|PATH";
    case "flag":
      return "";
  }
}

/** The values that an option is limited to: "2 to 8", "equal, proportional". */
export function optionBounds(option: Option): string | undefined {
  if (option.kind === "choice") return option.choices.join(", ");
  if (option.kind === "share") return `0% to ${formatShare(option.maximum)}`;
  if (option.kind !== "integer" && option.kind !== "number") return undefined;
  const { minimum, maximum } = option;
  const above = option.kind === "number" ? option.above : undefined;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  const parts = [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(maximum === undefined ? [] : [`at most ${maximum}`]),
  ];
  return parts.length > 0 ? parts.join(", ") : undefined;
}

/** The default as people write it: "4", "en,fr", "1%". */
export function optionDefault(option: Option): string {
  if (option.kind === "share" && option.default !== undefined) return formatShare(option.default);
  return String(option.default);
}

function remarks(option: Option): string {
  const list = [optionBounds(option)];
  if (option.kind === "resource" && option.many) list.push("may be repeated");
  if (option.default !== undefined && option.kind !== "flag") {
    list.push(`default ${optionDefault(option)}`);
  } else if (option.default === undefined && option.optional !== true && option.kind !== "flag") {
    list.push("required");
  }
  if (option.excludes) list.push(`not with ${option.excludes.map(optionFlag).join(", ")}`);
  const said = list.filter((part) => part !== undefined);
  return said.length > 0 ? ` (${said.join("; ")})` : "";
}

/** A flag and its opposite. Help shows the one that differs from the default, or both where there is no default. */
function switches(name: string, option: Option & { kind: "flag" }): CommanderOption[] {
  const long = optionFlag(name);
  const on = new CommanderOption(long, option.description);
  const opposite = option.optional === true ? `the opposite of ${long}` : `do not ${option.description}`;
  const off = new CommanderOption(long.replace(/^--/, "--no-"), opposite);
  if (option.optional !== true) (option.default === true ? on : off).hideHelp();
  return [on, off];
}

/**
 * One declared option as flags of commander. Values stay raw: the stage's own table parses them, so that a value means
 * the same on a command line, in a recipe and on the network.
 */
export function optionToFlags(name: string, option: Option): CommanderOption[] {
  const flags = ungrouped(name, option);
  const { group } = option;
  if (group !== undefined) for (const flag of flags) flag.helpGroup(`${group}:`);
  return flags;
}

function ungrouped(name: string, option: Option): CommanderOption[] {
  if (option.kind === "flag") return switches(name, option);
  const flag = new CommanderOption(`${optionFlag(name)} <${placeholder(option)}>`, option.description + remarks(option));
  return [option.kind === "resource" && option.many ? flag.argParser(collect) : flag];
}

export const optionsToFlags = (table: OptionTable): CommanderOption[] =>
  Object.entries(table).flatMap(([name, option]) => optionToFlags(name, option));

const generalGroup = `${general}:`;

/** A flag that every command has. */
export const generalFlag = (flags: string, description: string): CommanderOption =>
  new CommanderOption(flags, description).helpGroup(generalGroup);

/** `--quiet` and `--debug`. */
export const commonFlags = (): CommanderOption[] => [
  generalFlag("--quiet", "no progress and no warnings on standard error"),
  generalFlag("--debug", "show the stack of an error"),
];

/** Shows what every command has behind its own options. */
export const withOrderedHelp = (command: Command): Command =>
  command.addHelpOption(generalFlag("-h, --help", "display help for command")).configureHelp({
    groupItems(all, visible, getGroup) {
      const groups = Help.prototype.groupItems.call(this, all, visible, getGroup as never) as Map<string, typeof visible>;
      const last = groups.get(generalGroup);
      groups.delete(generalGroup);
      return last === undefined ? groups : groups.set(generalGroup, last);
    },
  });

/** A flag that may be given several times; the value is the list. */
export const repeatableFlag = (flags: string, description: string): CommanderOption =>
  new CommanderOption(flags, description).argParser(collect);

/** The options of a table that were given, without the flags of the host. */
export function givenOptions(given: Readonly<Record<string, unknown>>, table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([name, value]) => Object.hasOwn(table, name) && value !== undefined));
}

/** `--threads`, the same for every command. */
export const threadsOption = {
  group: general,
  kind: "integer",
  description: "threads for native code; the same number gives the same bytes",
  minimum: 1,
  maximum: mostThreads,
  default: availableProcessors(),
} as const satisfies Option;

/** `--device`, the same for every command that runs a model. */
export const deviceOption = {
  group: general,
  kind: "choice",
  choices: deviceChoices,
  description:
    "what runs the model: the processor, the graphics processor (WebGPU, experimental), or with auto the one that multiplies faster; results differ in the last bits",
  default: "cpu",
} as const satisfies Option;

/** `--device` of a command that works on a run: what is not given is the run's own. */
export const runDeviceOption = {
  kind: "choice",
  choices: deviceChoices,
  description: `${deviceOption.description}; default: the one that the run began with, else cpu`,
  optional: true,
} as const satisfies Option;

/** `--threads` of a command that works on a run: a number that is not given is the run's own. */
export const runThreadsOption = {
  kind: "integer",
  description: `${threadsOption.description}; default: those that the run began with, else ${threadsOption.default}`,
  minimum: threadsOption.minimum,
  maximum: threadsOption.maximum,
  optional: true,
} as const satisfies Option;

/** `--workers` of a command that works on a run. */
export const runWorkersOption = {
  kind: "integer",
  optional: true,
  minimum: 0,
  maximum: 1024,
  description:
    "processes that run nodes at the same time, each with --threads; default: those that the run began with, else one for each of the recipe's shards, at most one for each processor; 0: this process runs them",
} as const satisfies Option;

/**
 * Bytes of a `--memory` that was given.
 *
 * @throws {UsageError} on what is no size, or more memory than there is
 */
export function parseMemory(text: string): number {
  const bytes = parseBytes(text, "--memory");
  requireAvailable(bytes, "--memory");
  return bytes;
}

/** `--memory` of a command that works on a run. */
export const memoryOption = {
  kind: "text",
  placeholder: "SIZE",
  description: `memory in which results wait for later stages, beside what a stage works with; what does not fit goes to files or is computed again, to the same bytes, also with 0; default: a sixth of what this machine has, at most 1344MiB (here ${Math.floor(defaultKept() / 2 ** 20)}MiB)`,
  optional: true,
  check: parseMemory,
} as const satisfies Option;

/** `--via`, with the files that a call of a server takes. */
export const remoteOptions = {
  via: {
    group: general,
    kind: "text",
    placeholder: "ADDRESS",
    description: "run on a server, e.g. grpc://127.0.0.1:8815, or grpcs://HOST:8815 with TLS",
    optional: true,
  },
  ca: {
    group: general,
    kind: "text",
    placeholder: "FILE",
    description: "authority of the certificate of a server with TLS (PEM); default: those that Node knows",
    optional: true,
  },
  cert: {
    group: general,
    kind: "text",
    placeholder: "FILE",
    description: "your certificate, for a server that asks for one (PEM)",
    optional: true,
  },
  key: { group: general, kind: "text", placeholder: "FILE", description: "key of --cert (PEM)", optional: true },
  tokenFile: {
    group: general,
    kind: "text",
    placeholder: "FILE",
    description: "file whose first line is your token, for a server that asks for one",
    optional: true,
  },
} as const satisfies OptionTable;

/** `--offline`, the same for every command that opens a model or texts. */
export const offlineOption = {
  group: general,
  kind: "flag",
  description: "take hf: models and texts from the cache only, and never ask the network",
} as const satisfies Option;

/** What `--offline` does: @mbs/hub reads this variable, in this process and in those that it starts. */
export function forbidNetwork(): void {
  process.env["HF_HUB_OFFLINE"] = "1";
}
