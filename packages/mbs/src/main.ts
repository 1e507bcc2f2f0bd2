import { UsageError, didYouMean, isCodePath, loadStage, quoted } from "@mbs/contracts";
import { allArguments, commandOutput, isLogJson, runProgram } from "@mbs/host-cli";
import { Command } from "commander";
import { commands } from "./commands.ts";
import { workerCommand } from "./commands/worker-command.ts";
import { stages } from "./stages.ts";
import { version } from "./version.ts";

const ownStageFlag = "--stage";

const examples = [
  "mbs shrink hf:google/gemma-3-270m --languages hi,en,km --bits 3",
  "mbs run recipe.yaml",
  "mbs sample --model M --corpus C --mix proportional > segments.arrow",
  "mbs capture --model M < segments.arrow | mbs factor | mbs compress --model M --bits 3 | mbs assemble --model M --output out/",
  "mbs evaluate --model M --model out/ --corpus V",
  "mbs --stage ./mine.js < statistics.arrow > mine.arrow",
];

const allFlag = "--all";

/** What users of other programs, and of the documents, type: the command that does it. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ...["quantize", "quantise", "prune"].map((name) => [name, "shrink"] as const),
  ...["corpus", "corpora", "texts", "languages"].map((name) => [name, "sample"] as const),
  ...["compare", "perplexity", "benchmark"].map((name) => [name, "evaluate"] as const),
  ["calibrate", "capture"],
  ["convert", "assemble"],
  ["info", "inspect"],
  ["upload", "push"],
]);

function unknownCommand(name: string): UsageError {
  const other = otherNames.get(name);
  const near = other === undefined ? didYouMean(name, [...commands.keys()]) : `did you mean ${other}? `;
  return new UsageError(`unknown command ${quoted(name)}; ${near}mbs --help ${allFlag} lists all commands`);
}

/** The command that `mbs --help` shows; each command has its own help. @param isAll with the stages of a run */
function overview(isAll: boolean): Command {
  const program = new Command("mbs")
    .description("Compress multilingual language models without losing their smaller languages.")
    .version(version)
    .exitOverride()
    .configureOutput(commandOutput)
    .helpCommand(false)
    .usage("COMMAND [options]")
    .option(`${ownStageFlag} <PATH|PACKAGE>`, "run a stage of your own, which takes the flags that follow")
    .option(allFlag, "with --help: list the stages of a run too")
    .addHelpText(
      "after",
      `\n${isAll ? "" : `The ${stages.size} stages of a run are commands too: mbs --help ${allFlag} lists them.\n`}Every command has --help with examples.\n\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`,
    );
  for (const [name, { group, summary }] of commands) {
    const hidden = !isAll && stages.has(name);
    program.command(name, { hidden }).description(summary).helpGroup(`${group}:`);
  }
  return program;
}

/** The stage that `--stage` names, with the arguments that are its own; undefined where the first argument is another. */
function ownStage([first = "", ...rest]: readonly string[]): { name: string; argv: readonly string[] } | undefined {
  if (first === ownStageFlag) {
    const [name, ...argv] = rest;
    if (name === undefined || name === "") throw new UsageError(`${ownStageFlag} takes a path such as ./mine.js, or a package`);
    return { name, argv };
  }
  const prefix = `${ownStageFlag}=`;
  return first.startsWith(prefix) ? { name: first.slice(prefix.length), argv: rest } : undefined;
}

/** What `runProgram` gives to a command. */
interface Signals {
  readonly signal: AbortSignal;
  readonly watched: Promise<void>;
}

/** `mbs --stage ./mine.js`: a third-party stage as a command. */
async function runOwnStage(name: string, argv: readonly string[], { signal, watched }: Signals): Promise<void> {
  const [{ stageCommand }, { host }, { requireKnownColumns }] = await Promise.all([
    import("@mbs/host-cli"),
    import("./host.ts"),
    import("@mbs/artifacts"),
  ]);
  const stage = (await stages.get(name)?.load()) ?? (await loadStage(name, [...stages.keys()], requireKnownColumns));
  const { remote: _, ...local } = host;
  const command = await stageCommand(stage, { ...local, command: `mbs ${ownStageFlag} ${name}` }, argv, signal);
  await watched;
  await command.parseAsync([...argv], { from: "user" });
}

/** How the command calls itself with these arguments: "mbs capture". */
export const commandName = ([name = ""]: readonly string[]): string => (commands.has(name) ? `mbs ${name}` : "mbs");

/** Runs the command with these arguments. What it refuses is thrown. */
export async function run(argv: readonly string[], signals: Signals): Promise<void> {
  const own = ownStage(argv);
  if (own) return runOwnStage(own.name, own.argv, signals);
  const [name, ...rest] = argv;
  if (name === "help") return run([...rest.slice(0, 1), "--help"], signals);
  if (name === undefined) throw new UsageError("which command? mbs --help lists them");
  if (isCodePath(name)) throw new UsageError(`${name} is no command; a stage of your own is run by mbs ${ownStageFlag} ${name}`);
  const entry = commands.get(name);
  if (entry) {
    (await import("@mbs/hub")).endFetchesAt(signals.signal);
    const command = await (await entry.load())({ argv: rest, signal: signals.signal });
    await signals.watched;
    await command.parseAsync(rest, { from: "user" });
  } else {
    if (!name.startsWith("-")) throw unknownCommand(name);
    // --all lists commands by itself too
    const isAll = argv.includes(allFlag);
    await overview(isAll).parseAsync(isAll ? [...argv, "--help"] : [...argv], { from: "user" });
  }
}

/** Runs the command with these arguments and ends the process. */
export async function main(given: readonly string[]): Promise<void> {
  const argv = await allArguments(given);
  const [name = "", ...rest] = argv;
  if (name === workerCommand) return (await import("./commands/run-worker.ts")).runWorker(rest);
  await runProgram(
    commandName(argv),
    { debug: argv.includes("--debug"), logJson: isLogJson(argv), quiet: argv.includes("--quiet") },
    (signal, watched) => run(argv, { signal, watched }),
  );
}
