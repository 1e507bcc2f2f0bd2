import { InternalError, UsageError, firstOutput, optionFlag, printable, quoted } from "@mbs/contracts";
import type { OptionTable, Stage } from "@mbs/contracts";
import { Argument, Command, CommanderError, Option } from "commander";
import {
  commonFlags,
  givenOptions,
  offlineOption,
  remoteOptions,
  optionToFlags,
  optionsToFlags,
  repeatableFlag,
  deviceOption,
  threadsOption,
  withOrderedHelp,
} from "./flags.ts";
import { commandOf, firstPresenter } from "./cli-host.ts";
import type { CliHost } from "./cli-host.ts";
import { commandOutput, standardStream } from "../process/standard-streams.ts";

/** Flags of the host, the same for every stage. */
const hostFlags = ["output", "force", "json", "quiet", "threads", "offline", "debug", "help"].concat(Object.keys(remoteOptions));

const outputNames = (stage: Stage): readonly string[] => Object.keys(stage.outputs).slice(1);

/** Names of the command's own flags. */
const ownNames = (stage: Stage, host: CliHost): readonly string[] => [
  ...Object.keys(stage.inputs),
  ...outputNames(stage),
  ...Object.keys(stage.options),
  ...Object.keys(firstPresenter(stage, host)?.options ?? {}),
  ...hostFlags,
  ...(stage.runsModel ? ["device"] : []),
];

function checkNames(stage: Stage, host: CliHost): void {
  const names = ownNames(stage, host);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined && stage.loadedFrom !== undefined) {
    throw new UsageError(
      `${stage.loadedFrom} declares ${optionFlag(twice)}, which is the command's own or declared twice; rename it there`,
      {
        stage: stage.name,
      },
    );
  }
  if (twice !== undefined) throw new InternalError(`${stage.name} declares ${optionFlag(twice)} twice`, { stage: stage.name });
}

/** Heading of what a command reads and writes. */
const filesGroup = "Inputs and outputs:";

function inputFlags(stage: Stage): Option[] {
  return Object.entries(stage.inputs).map(([name, { kinds, description, optional, unless, many }], index) => {
    const remarks = [
      kinds.join(" or "),
      ...(many ? ["may be repeated"] : []),
      ...(index === 0 && optional !== true ? ["default standard input"] : []),
      ...(index > 0 && optional !== true ? ["required"] : []),
      ...(unless === undefined ? [] : [`not with ${optionFlag(unless)}`]),
    ];
    return repeatableFlag(`${optionFlag(name)} <FILE>`, `${description} (${remarks.join("; ")})`).helpGroup(filesGroup);
  });
}

function outputFlags(stage: Stage): Option[] {
  const { folder = false, description } = firstOutput(stage);
  return [
    new Option(`--output <${folder ? "FOLDER" : "FILE"}>`, `${description} (${folder ? "required" : "default standard output"})`),
    ...outputNames(stage).map((name) => new Option(`${optionFlag(name)} <FILE>`, stage.outputs[name]?.description ?? name)),
    new Option("--force", "replace an existing output"),
  ].map((flag) => flag.helpGroup(filesGroup));
}

/** Whether an option may name what is on the Hub. */
const readsHub = (table: OptionTable): boolean =>
  Object.values(table).some(
    (option) => option.kind === "resource" && (option.resource === "model" || option.resource === "corpus"),
  );

function addFlags(command: Command, stage: Stage, table: OptionTable, host: CliHost): Command {
  const presenter = firstPresenter(stage, host);
  const shown = presenter?.options ?? {};
  checkNames(stage, host);
  const flags = [
    ...optionsToFlags(table),
    ...optionsToFlags(shown),
    ...inputFlags(stage),
    ...outputFlags(stage),
    ...(presenter || (host.folder && firstOutput(stage).folder)
      ? [new Option("--json", "print the result as JSON on standard output").helpGroup(filesGroup)]
      : []),
    ...optionToFlags("threads", threadsOption),
    ...(stage.runsModel ? optionToFlags("device", deviceOption) : []),
    ...(host.remote ? optionsToFlags(remoteOptions) : []),
    ...(readsHub(table) ? optionToFlags("offline", offlineOption) : []),
    ...commonFlags(),
  ];
  for (const flag of flags) command.addOption(flag);
  const [first] = Object.keys(stage.inputs);
  if (first !== undefined) command.addArgument(new Argument("[-]", `read ${first} from standard input`));
  return command;
}

/** A hint at the help of the options that depend on another. */
function seeMore(stage: Stage, host: CliHost): string | undefined {
  const { moreOptionsBy: by } = stage;
  return by && `more options depend on ${optionFlag(by)}: ${commandOf(host, stage)} ${optionFlag(by)} ${by.toUpperCase()} --help`;
}

/** In commander's message where an option is only misspelt. */
const suggests = /Did you mean/;

function bareCommand(stage: Stage, host: CliHost): Command {
  return withOrderedHelp(new Command(commandOf(host, stage)))
    .description(stage.summary)
    .exitOverride((error) => {
      const more = error.code === "commander.unknownOption" && !suggests.test(error.message) ? seeMore(stage, host) : undefined;
      throw more ? new CommanderError(error.exitCode, error.code, `${error.message}; ${more}`) : error;
    })
    .configureOutput(commandOutput);
}

/** All options of the stage; those that depend on another are found by a first parse of the arguments, and shown by themselves. */
async function fullTable(stage: Stage, host: CliHost, argv: readonly string[]): Promise<OptionTable> {
  if (!stage.moreOptions) return stage.options;
  const look = addFlags(bareCommand(stage, host), stage, stage.options, host)
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments();
  const { unknown } = look.parseOptions([...argv]);
  const given = givenOptions(look.opts(), stage.options);
  // those that another choice would have: the stage can say which
  const misplaced = unknown.flatMap((word) => /^--([a-z][a-z-]*)/.exec(word)?.[1] ?? []);
  const more = await stage.moreOptions({
    ...Object.fromEntries(
      misplaced.map((flag) => [flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()), true]),
    ),
    ...given,
  });
  const { moreOptionsBy: by = "" } = stage;
  const value = given[by] ?? stage.options[by]?.default;
  const own = ownNames(stage, host);
  const clash = Object.keys(more).find((name) => own.includes(name));
  if (clash !== undefined) {
    throw new UsageError(
      `${optionFlag(by)} ${quoted(value)} declares an option ${optionFlag(clash)}, which is the command's own; rename it there`,
      {
        option: optionFlag(by),
      },
    );
  }
  const group = `Options of ${optionFlag(by)} ${typeof value === "string" ? printable(value) : ""}`;
  return { ...stage.options, ...Object.fromEntries(Object.entries(more).map(([name, option]) => [name, { group, ...option }])) };
}

/**
 * A stage as a command of commander, for one invocation.
 *
 * @param argv the arguments after the command's name; options may depend on them
 * @param signal fires when the user wants to stop
 */
export async function stageCommand(stage: Stage, host: CliHost, argv: readonly string[], signal: AbortSignal): Promise<Command> {
  const table = await fullTable(stage, host, argv);
  const command = addFlags(bareCommand(stage, host), stage, table, host);
  const more = seeMore(stage, host);
  if (more) command.addHelpText("after", `\n${more.replace(/^./, (letter) => letter.toUpperCase())}`);
  if (stage.examples.length > 0)
    command.addHelpText("after", `\nExamples:\n${stage.examples.map((line) => `  ${line}`).join("\n")}`);
  const reads = Object.keys(stage.inputs).length > 0;
  return command.action(async (...args: unknown[]) => {
    const word = reads ? (args[0] as string | undefined) : undefined;
    if (word !== undefined && word !== standardStream) {
      const [first = ""] = Object.keys(stage.inputs);
      throw new UsageError(`unexpected argument ${word}; name a file with ${optionFlag(first)} ${word}`);
    }
    // Loaded here: it imports all that reads and writes artifacts, which help does not need.
    const { runStage } = await import("./run-stage.ts");
    await runStage(stage, table, host, command.opts(), word === standardStream, signal);
  });
}
