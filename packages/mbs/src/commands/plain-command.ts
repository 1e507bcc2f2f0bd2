import { UsageError } from "@mbs/contracts";
import { commandOutput, commonFlags, withOrderedHelp } from "@mbs/host-cli";
import { Command } from "commander";

/** What a command gets; commander parses its arguments. */
export interface CommandContext {
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly argv: readonly string[];
}

/** A heading of the overview. */
type CommandGroup = "Everyday" | "Results" | "Models" | "Many machines" | "Stages of a run";

/** A command whose module is loaded on use: `mbs --help` must be fast. */
export interface CommandEntry {
  readonly summary: string;
  /** Heading that it stands under in help. */
  readonly group: CommandGroup;
  readonly load: () => Promise<(context: CommandContext) => Command | Promise<Command>>;
}

/** @throws {UsageError} where an argument is "", as of a variable that is not set: joined to a name, it would be the current folder */
function refuseEmpty({ registeredArguments, args }: Command): void {
  const empty = args.indexOf("");
  if (empty < 0) return;
  const argument = registeredArguments[empty] ?? registeredArguments.at(-1);
  throw new UsageError(`the argument ${argument?.name() ?? ""} is empty; it takes: ${argument?.description ?? "nothing"}`);
}

function describe(command: Command, description: string, examples: readonly string[]): Command {
  for (const flag of commonFlags()) command.addOption(flag);
  return withOrderedHelp(command)
    .description(description)
    .exitOverride()
    .configureOutput(commandOutput)
    .hook("preAction", (_, acting) => refuseEmpty(acting))
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}

/** A command that is no stage, with the flags that every command takes. */
export const plainCommand = (name: string, description: string, examples: readonly string[]): Command =>
  describe(new Command(`mbs ${name}`), description, examples);

/** A command of a command, with the flags that every command takes. */
export const innerCommand = (name: string, description: string, examples: readonly string[]): Command =>
  describe(new Command(name), description, examples);
