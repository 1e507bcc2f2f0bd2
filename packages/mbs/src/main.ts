import { Command } from "commander";
import { UsageError } from "@mbs/contracts";
import { runProgram, stageCommand, type CliHost } from "@mbs/host-cli";
import { commands } from "./commands.ts";
import { presenters } from "./presenters.ts";
import { stages } from "./stages.ts";
import { version } from "./version.ts";

const host: CliHost = { program: "mbs", presenters };

/** The command's own page; stages have theirs. */
function overview(): Command {
  const program = new Command("mbs")
    .description("Compress multilingual language models without losing their smaller languages.")
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      "after",
      "\nEach command has --help with examples.\n\nExamples:\n  mbs run recipe.yaml\n  mbs sample --model M --corpus C > segments.arrow",
    );
  for (const [name, { summary }] of [...stages, ...commands]) program.command(name).description(summary);
  return program;
}

async function run(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const [name, ...rest] = argv;
  const entry = name === undefined ? undefined : stages.get(name);
  if (entry) {
    const command = await stageCommand(await entry.load(), host, rest, signal);
    await command.parseAsync([...rest], { from: "user" });
    return;
  }
  const other = name === undefined ? undefined : commands.get(name);
  if (other) {
    await (await other.load(signal)).parseAsync([...rest], { from: "user" });
    return;
  }
  if (name === undefined) throw new UsageError("which command? see mbs --help");
  await overview().parseAsync([...argv], { from: "user" });
}

/** Runs the command with these arguments and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const [name = ""] = argv;
  await runProgram(
    stages.has(name) || commands.has(name) ? `mbs ${name}` : "mbs",
    { debug: argv.includes("--debug") },
    (signal) => run(argv, signal),
  );
}
