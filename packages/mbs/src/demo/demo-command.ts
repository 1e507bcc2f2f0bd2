import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, formatSeconds, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { Option } from "commander";
import type { Command } from "commander";
import type { CommandContext } from "../command-entry.ts";
import { loadStages } from "../commands/run-command.ts";
import { plainCommand } from "../plain-command.ts";
import { fullPlan, quickPlan } from "./demo-plan.ts";
import { runDemo } from "./run-demo.ts";

const options = {
  full: { kind: "flag", description: "Full size, three seeds and their spread." },
  threads: {
    kind: "integer",
    description: "Threads for native code; the same number gives the same bytes.",
    minimum: 1,
    maximum: 1024,
    default: availableParallelism(),
  },
} as const satisfies OptionTable;

/** `mbs demo`: runs in a clone of the repository, whose recipes and datasets it uses. */
export function demoCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "demo",
    "Compress the controlled model by three methods with three calibration mixes, and show what each language lost.",
    ["mbs demo", "mbs demo --full"],
  ).addOption(new Option("--output <FOLDER>", "folder for the page and the numbers").default("demo-output"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const {
      quiet = false,
      debug: _debug,
      output,
      ...given
    } = command.opts<{ quiet?: boolean; debug?: boolean; output: string }>();
    const { full, threads } = parseOptions(options, given, "demo");
    const reporter = createReporter("mbs demo", progressStyle(quiet));
    const started = performance.now();
    try {
      const { screen } = await runDemo({
        plan: full ? fullPlan : quickPlan,
        stages: await loadStages(),
        threads,
        signal,
        output,
        progress: reporter.progress,
        warn: reporter.warn,
      });
      reporter.stop();
      await printText(`\n${screen}`);
      if (!quiet) process.stderr.write(`mbs demo: ${formatSeconds((performance.now() - started) / 1000)}\n`);
    } finally {
      reporter.stop();
    }
  });
}
