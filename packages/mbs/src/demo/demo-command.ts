import { performance } from "node:perf_hooks";
import { importOptional, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, formatSeconds, optionsToFlags, printText, progressStyle, threadsOption } from "@mbs/host-cli";
import type { Command } from "commander";
import { plainCommand } from "../commands/plain-command.ts";
import type { CommandContext } from "../commands/plain-command.ts";
import { loadStages } from "../stages.ts";
import { version } from "../version.ts";
import { fullPlan, quickPlan } from "./demo-plan.ts";
import { runDemo } from "./run-demo.ts";

const options = {
  full: { kind: "flag", description: "with more text, and three seeds to show the spread; takes about 20 minutes" },
  output: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder for the page (index.html) and its numbers",
    default: "demo-output",
  },
  threads: threadsOption,
} as const satisfies OptionTable;

/** The models, with their texts and recipes: an optional package, since they take as much as the rest. */
const controlled = { name: "@mbs/controlled-models", version, neededBy: "mbs demo" };

/** `mbs demo`: what calibration text does to a small model. */
export function demoCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "demo",
    "Compress a small model of 16 languages by three methods, each with three calibration mixes, and show what each language lost. Takes some minutes.",
    ["mbs demo", "mbs demo --output pages --threads 4", "mbs demo --full"],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { full, output, threads } = parseOptions(options, given, "demo");
    const reporter = createReporter("mbs demo", progressStyle(quiet));
    const started = performance.now();
    try {
      const { controlledFolder: root } = await importOptional(() => import("@mbs/controlled-models"), controlled, [controlled]);
      const { screen } = await runDemo({
        plan: full ? fullPlan : quickPlan,
        root,
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
