import { formatSizeReport, sizeReport } from "@mbs/assembly";
import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, formatSeconds, optionsToFlags, printText, progressStyle, threadsOption } from "@mbs/host-cli";
import { readRecipe, run } from "@mbs/pipeline";
import { Argument } from "commander";
import type { Command } from "commander";
import type { CommandContext } from "../command-entry.ts";
import { describe } from "../describe.ts";
import { plainCommand } from "../plain-command.ts";
import { loadStages } from "../stages.ts";

const options = {
  threads: threadsOption,
  force: { kind: "flag", description: "start over, replacing what an earlier run has left" },
  json: { kind: "flag", description: "print each step as a line of JSON" },
} as const satisfies OptionTable;

/** `mbs run`: a recipe, step by step, each printed as the command that replays it. */
export function runCommand({ signal }: CommandContext): Command {
  const command = plainCommand("run", "Do all that a recipe says; run again to resume where it ended.", [
    "mbs run recipe.yaml",
    "mbs run recipe.yaml --force",
  ]).addArgument(new Argument("<recipe>", "YAML file that names model, corpus, mix, solver and output"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (path: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { threads, force, json } = parseOptions(options, given, "run");
    const reporter = createReporter("mbs run", progressStyle(quiet));
    const lines: Promise<void>[] = [];
    try {
      const { folder } = await run(await readRecipe(path), {
        stages: await loadStages(),
        threads,
        signal,
        force,
        progress: reporter.progress,
        warn: reporter.warn,
        describe: ({ model, scores, recipe }) => describe(model, { scores: scores === undefined ? [] : [scores], recipe }),
        onNode(report) {
          const { command: replay, seconds, address } = report;
          const took = seconds === undefined ? "done before" : formatSeconds(seconds);
          const text = json ? `${JSON.stringify(report)}\n` : `${replay}\n  # ${took}, ${address}\n`;
          if (!quiet || json) lines.push(printText(text));
        },
      });
      await Promise.all(lines);
      if (!json && !quiet) await printText(formatSizeReport(await sizeReport(folder.model)));
      if (!json) await printText(`${folder.model}\n`);
    } finally {
      reporter.stop();
    }
  });
}
