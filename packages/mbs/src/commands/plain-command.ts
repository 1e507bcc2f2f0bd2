import { commandOutput } from "@mbs/host-cli";
import { Command, Option } from "commander";

/** A command that is no stage, with the flags that every command takes. */
export function plainCommand(name: string, description: string, examples: readonly string[]): Command {
  return new Command(`mbs ${name}`)
    .description(description)
    .exitOverride()
    .configureOutput(commandOutput)
    .addOption(new Option("--quiet", "no progress and no warnings on standard error"))
    .addOption(new Option("--debug", "show the stack of an error"))
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}
