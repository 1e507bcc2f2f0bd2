import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { Command } from "commander";
import { UsageError } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { createReporter, formatSeconds, progressStyle } from "@mbs/host-cli";
import type { CommandContext } from "../command-entry.ts";
import { stages } from "../stages.ts";
import { fullPlan, quickPlan } from "./demo-plan.ts";
import { runDemo } from "./run-demo.ts";

interface DemoFlags {
  readonly full?: boolean;
  readonly output: string;
  readonly threads: string;
  readonly quiet?: boolean;
}

function parseThreads(text: string): number {
  const threads = Number(text);
  if (Number.isSafeInteger(threads) && threads >= 1) return threads;
  throw new UsageError(`--threads takes a whole number of at least 1, not ${JSON.stringify(text)}`);
}

async function loadStages(): Promise<ReadonlyMap<string, Stage>> {
  return new Map(await Promise.all([...stages].map(async ([name, { load }]): Promise<[string, Stage]> => [name, await load()])));
}

/** `mbs demo`: runs in a clone of the repository, whose recipes and datasets it uses. */
export function demoCommand({ signal }: CommandContext): Command {
  return new Command("demo")
    .description("Compress the controlled model by three methods with three calibration mixes and show what each language lost.")
    .option("--full", "full size, three seeds and their spread (about half an hour)")
    .option("--output <FOLDER>", "folder for the page and the numbers", "demo-output")
    .option("--threads <NUMBER>", "threads for native code", String(availableParallelism()))
    .option("--quiet", "no progress on standard error")
    .option("--debug", "show the stack of an error")
    .addHelpText("after", "\nExamples:\n  mbs demo\n  mbs demo --full")
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .action(async ({ full, output, threads, quiet }: DemoFlags) => {
      const reporter = createReporter("mbs demo", progressStyle(quiet === true));
      const started = performance.now();
      try {
        const { screen } = await runDemo({
          plan: full === true ? fullPlan : quickPlan,
          stages: await loadStages(),
          threads: parseThreads(threads),
          signal,
          output,
          progress: reporter.progress,
          warn: reporter.warn,
        });
        reporter.stop();
        process.stdout.write(`\n${screen}`);
        if (quiet !== true) process.stderr.write(`mbs demo: ${formatSeconds((performance.now() - started) / 1000)}\n`);
      } finally {
        reporter.stop();
      }
    });
}
