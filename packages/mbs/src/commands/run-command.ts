import { openArtifact } from "@mbs/artifacts";
import { parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, OptionValues } from "@mbs/contracts";
import { checkGate, parseGate, readScoresReport } from "@mbs/evaluation";
import type { GateLimits } from "@mbs/evaluation";
import {
  DeviceTotal,
  forbidNetwork,
  formatSeconds,
  memoryOption,
  offlineOption,
  optionsToFlags,
  parseMemory,
  printText,
  runDeviceOption,
  runThreadsOption,
  runWorkersOption,
} from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { readRecipe, run } from "@mbs/pipeline";
import type { NodeReport, QueueChoice, Recipe, RunOptions, RunResult, WorkerChoice } from "@mbs/pipeline";
import { Argument } from "commander";
import type { Command } from "commander";
import { writeRunCard } from "../results/card-writer.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { queueChoice, queueRunOptions } from "./queue-options.ts";
import { exportOptions, exportRun, readExportOptions } from "./run-export.ts";
import { workerProgram } from "./worker-command.ts";
import { commandReporter, observeOptions, openObserver } from "../observe/open-observer.ts";
import { judgeCandidate } from "../results/quality-result.ts";
import { gateText, ofRun, requireLimits } from "../results/gate-result.ts";
import { runResult } from "../results/run-result.ts";
import { loadStages, stages as known } from "../stages.ts";

const options = {
  threads: runThreadsOption,
  device: runDeviceOption,
  memory: memoryOption,
  workers: runWorkersOption,
  nodeLimit: {
    kind: "number",
    optional: true,
    above: 0,
    // beyond this a timer of Node fires at once
    maximum: 2_000_000,
    description: "seconds that a node may take; then it is ended, and the run with it; default: no limit",
  },
  ...queueRunOptions,
  quality: {
    kind: "choice",
    choices: ["given", "best"],
    default: "given",
    excludes: ["export"],
    description:
      "given: compress as the recipe says; best: try other options of the solver too, compare them on the validation texts that the recipe's quality names, and keep the best",
  },
  force: {
    kind: "flag",
    description: "start over, replacing what an earlier run has left; with --export: replace the file",
  },
  commands: {
    kind: "flag",
    description: "print each node as the command that replays it; its inputs exist only with keep: true in the recipe",
  },
  json: { kind: "flag", description: "print each node as a line of JSON" },
  verbose: {
    kind: "flag",
    description: "show the progress of each node on a line of its own, in place of one line for the run, and every warning",
  },
  offline: offlineOption,
  ...observeOptions,
  ...exportOptions,
} as const satisfies OptionTable;

/** How `run` starts its workers: as this program, with a command that is not for people. */
const workerChoice = (count: number | undefined, nodeLimit: number | undefined, offline: boolean): WorkerChoice => ({
  command: workerProgram(offline),
  count,
  nodeLimit: nodeLimit === undefined ? undefined : nodeLimit * 1000,
});

type Parsed = OptionValues<typeof options>;

/** @throws {UsageError} on options that do not go together */
function requireTogether({ workers, nodeLimit, engine, device }: Parsed): void {
  if (workers === 0 && nodeLimit !== undefined) {
    throw new UsageError("run: --node-limit needs a worker process, which can be ended; leave --workers 0 out");
  }
  if (engine === "queue" && device !== undefined) {
    throw new UsageError(
      "run: at a queue each worker has its own device, which mbs work is given by --device; what is not done there runs on the processor here",
      { option: "--device" },
    );
  }
}

/** Prints a line for each node where it is asked for. */
class NodePrinter {
  readonly #parsed: Pick<Parsed, "json" | "commands">;
  #printed = Promise.resolve();

  constructor(parsed: Pick<Parsed, "json" | "commands">) {
    this.#parsed = parsed;
  }

  readonly add = (report: NodeReport): void => {
    const { json, commands } = this.#parsed;
    if (!commands && !json) return;
    const { command, seconds, address } = report;
    const took = seconds === undefined ? "done before" : formatSeconds(seconds);
    const text = json ? `${JSON.stringify(report)}\n` : `${command}\n  # ${took}, ${address}\n`;
    // One after the other: concurrent writes may be reordered.
    this.#printed = this.#printed.then(() => printText(text));
  };

  /** Resolves when all is printed. */
  finish(): Promise<void> {
    return this.#printed;
  }
}

/** How a recipe is run, but for what reports of nodes and devices go to. */
function runOptionsOf(parsed: Parsed, queue: QueueChoice | undefined, reporter: Reporter): Omit<RunOptions, "stages" | "signal"> {
  const { threads, device, memory, workers, nodeLimit, force, verbose, offline, quality, log } = parsed;
  return {
    threads,
    device,
    memory: memory === undefined ? undefined : parseMemory(memory),
    ...(workers !== 0 && { workers: workerChoice(workers, nodeLimit, offline) }),
    queue,
    force,
    ...(quality === "best" && { judge: judgeCandidate }),
    progress: reporter.progress,
    // a log has every warning, and no progress
    verbose: verbose || log === "json",
    warn: reporter.warn,
    note: reporter.note,
    describe: ({ model, ...made }) => writeRunCard(model, made, reporter.note),
  };
}

interface Printing {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** @param seconds that the run took */
async function printResult(recipe: Recipe, result: RunResult, seconds: number, { json, quiet }: Printing): Promise<void> {
  if (!json) return printText(quiet ? `${result.folder.model}\n` : await runResult(recipe, result, seconds));
  if (result.quality !== undefined) await printText(`${JSON.stringify({ quality: result.quality })}\n`);
}

/** Compares a result with the limits of its recipe, and prints that. @throws as {@link requireLimits} */
async function checkLimits(recipe: Recipe, { folder }: RunResult, limits: GateLimits, json: boolean): Promise<void> {
  const scores = await readScoresReport(await openArtifact(folder.scores));
  const checks = ofRun(checkGate(scores, limits), Object.keys(recipe.beside ?? {}));
  if (!json) await printText(gateText(checks));
  requireLimits(checks);
}

/** `mbs run`: runs a recipe and prints its results. */
export function runCommand({ signal }: CommandContext): Command {
  const command = plainCommand("run", "Run a whole recipe; run it again to resume where it stopped.", [
    "mbs run recipe.yaml",
    "mbs run recipe.yaml --force",
    "mbs run recipe.yaml --workers 4 --threads 2",
    "mbs run recipe.yaml --quality best",
    "mbs run recipe.yaml --export snakemake --output Snakefile && snakemake --cores 8",
    "mbs run recipe.yaml --export argo --claim models --output run.yaml && argo submit run.yaml",
    "mbs run recipe.yaml --engine queue --queue redis://head:6379 --store /mnt/shared/store",
  ]).addArgument(new Argument("<recipe>", "YAML file that names model, corpus, mix, solver and output"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (path: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const parsed = parseOptions(options, given, "run");
    const { threads, device, force, json, export: engine } = parsed;
    const exported = readExportOptions(parsed);
    requireTogether(parsed);
    const queue = queueChoice(parsed, parsed.workers, [...known.keys()]);
    if (parsed.offline) forbidNetwork();
    const reporter = commandReporter("mbs run", quiet, parsed.log);
    const observing = await openObserver(parsed, { name: "mbs run", ...reporter }, true);
    try {
      const recipe = await readRecipe(path);
      const limits = recipe.gate === undefined ? undefined : parseGate(recipe.gate, "gate");
      const stages = await loadStages();
      if (engine !== undefined) {
        await exportRun(recipe, { engine, options: exported, stages, threads, device, force, quiet, signal, reporter });
        return;
      }
      const [nodes, deviceTotal] = [new NodePrinter(parsed), new DeviceTotal()];
      const started = performance.now();
      const result = await run(recipe, {
        ...runOptionsOf(parsed, queue, reporter),
        stages,
        signal,
        observer: observing.observer,
        onNode: nodes.add,
        onDevice: deviceTotal.add,
      });
      await nodes.finish();
      deviceTotal.note(reporter.note);
      reporter.stop();
      await printResult(recipe, result, (performance.now() - started) / 1000, { json, quiet });
      if (limits !== undefined) await checkLimits(recipe, result, limits, json);
    } finally {
      reporter.stop();
      await observing.close();
    }
  });
}
