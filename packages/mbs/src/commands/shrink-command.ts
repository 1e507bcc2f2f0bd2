import { dirname } from "node:path";
import { makeFolder, withLock } from "@mbs/artifacts";
import { formatBytes, InterruptedError, parseBytes, parseOptions } from "@mbs/contracts";
import { checkGate, parseGate } from "@mbs/evaluation";
import { createReporter, DeviceTotal, forbidNetwork, optionsToFlags, parseMemory, printText, progressStyle } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import type { RunOptions, Stages } from "@mbs/pipeline";
import { Argument } from "commander";
import type { Command } from "commander";
import { writeRunCard } from "../results/card-writer.ts";
import { gateText, requireLimits } from "../results/gate-result.ts";
import { comparisonText, resultText } from "../shrink/result-text.ts";
import { runShrink, runUsual } from "../shrink/run-shrink.ts";
import type { PlannedShrink, ShrinkResult } from "../shrink/run-shrink.ts";
import { reportPath, shrinkRecipe } from "../shrink/shrink-recipe.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { workerProgram } from "./worker-command.ts";
import { openSource, planShrink } from "../shrink/plan-shrink.ts";
import type { OpenSource } from "../shrink/plan-shrink.ts";
import { shrinkOptions } from "../shrink/shrink-options.ts";
import type { ShrinkOptions } from "../shrink/shrink-options.ts";

/** Warns where a result is larger than was asked for. */
function warnOfSize(bytes: number, { size, to }: ShrinkOptions, warn: (line: string) => void): void {
  if (size === undefined || bytes <= parseBytes(size, "--size")) return;
  warn(`the result, ${formatBytes(bytes)}, is larger than --size ${size}: sizes of ${to} are estimates; give a smaller one`);
}

/** What a command was asked for, and how it speaks. */
interface ShrinkRequest {
  readonly parsed: ShrinkOptions;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** Plans and prints the plan; the model is closed then. */
async function printPlan(open: OpenSource, { parsed, quiet, signal, reporter }: ShrinkRequest): ReturnType<typeof planShrink> {
  const { dryRun, json } = parsed;
  const print = async (text: string): Promise<void> => {
    if (dryRun && !quiet) process.stderr.write(text);
    if (!dryRun && !json && !quiet) await printText(text);
  };
  try {
    return await planShrink(open, parsed, reporter, signal, print);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new InterruptedError("stopped while planning; run the same command again", { done: 0 });
  } finally {
    await open.close();
  }
}

/** How both models are made. @param fallbacks what the plan has warned of */
function runOptionsOf(
  { parsed, signal, reporter }: ShrinkRequest,
  stages: Stages,
  fallbacks: string | undefined,
  onDevice: DeviceTotal["add"],
): RunOptions {
  const { offline, force, threads, device, memory } = parsed;
  const { progress, warn, note } = reporter;
  const said = new Set(fallbacks === undefined ? [] : [fallbacks, `assemble: ${fallbacks}`]);
  return {
    stages,
    threads,
    device,
    memory: memory === undefined ? undefined : parseMemory(memory),
    workers: { command: workerProgram(offline), count: undefined, nodeLimit: undefined },
    queue: undefined,
    signal,
    force,
    progress,
    onDevice,
    // both runs warn of the same things
    warn: (line) => {
      if (!said.has(line)) warn(line);
      said.add(line);
    },
    describe: ({ model, ...made }) => writeRunCard(model, made, note),
  };
}

/** Paths, and bytes of source and result. */
const factsOf = ({ choices, source }: PlannedShrink, { model, bytes }: ShrinkResult) => ({
  model,
  report: reportPath(choices.output),
  before: source.bytes,
  after: bytes,
});

async function printShrunk(planned: PlannedShrink, shrunk: ShrinkResult, { parsed, quiet }: ShrinkRequest): Promise<void> {
  if (parsed.json) return;
  if (quiet) return printText(`${shrunk.model}\n`);
  const { choices, source, vocabulary } = planned;
  const { favoured } = choices.languages;
  const facts = { ...factsOf(planned, shrunk), source, scores: shrunk.scores, favoured, vocabulary, format: parsed.to };
  await printText(resultText(facts));
}

async function printComparison(
  planned: PlannedShrink,
  shrunk: ShrinkResult,
  { bytes, scores }: ShrinkResult,
  { parsed, quiet }: ShrinkRequest,
): Promise<void> {
  const usual = { name: planned.choices.target.usual.name, bytes };
  if (parsed.json) {
    await printText(`${JSON.stringify({ ...factsOf(planned, shrunk), usual, scores }, null, 2)}\n`);
  } else if (!quiet) {
    await printText(`\n${comparisonText(scores, shrunk.bytes, usual)}`);
  }
}

/** Plans, makes the shrunk model and the one that it is compared with, and prints what came out. */
async function planAndRun(open: OpenSource, request: ShrinkRequest): Promise<void> {
  const { parsed, reporter } = request;
  const { progress, warn, note } = reporter;
  const { choices, stages, isBegun } = await printPlan(open, request);
  if (parsed.dryRun) return printText(shrinkRecipe(choices));
  const deviceTotal = new DeviceTotal();
  const runOptions = runOptionsOf(request, stages, choices.target.fallbacks, deviceTotal.add);
  const planned = { choices, source: open.source, vocabulary: open.model.vocabularySize, isBegun };
  const shrunk = await runShrink(planned, runOptions);
  reporter.stop();
  warnOfSize(shrunk.bytes, parsed, warn);
  await printShrunk(planned, shrunk, request);
  const checks = choices.gate === undefined ? [] : checkGate(shrunk.scores, parseGate(choices.gate, "gate"));
  if (choices.gate !== undefined && !parsed.json) await printText(gateText(checks));
  const usual = await runUsual(planned, shrunk, {
    ...runOptions,
    progress: (of) => progress({ ...of, activity: `for comparison: ${of.activity}` }),
  });
  deviceTotal.note(note);
  reporter.stop();
  await printComparison(planned, shrunk, usual, request);
  requireLimits(checks);
}

/** `mbs shrink`: a model, languages and a size to a model of that size. */
export function shrinkCommand({ signal }: CommandContext): Command {
  const command = plainCommand("shrink", "Make a model smaller, and protect some of its languages. Run it again to resume.", [
    "mbs shrink hf:google/gemma-3-270m --languages hi,en,km --bits 3",
    "mbs shrink gemma.gguf --languages hi,en,km --size 160MB",
    "mbs shrink hf:Qwen/Qwen3-0.6B --languages hi,bn --favour bn --texts texts/ --to gptq",
    "mbs shrink models/llama --languages de,fr --only-languages --texts texts/ --dry-run",
  ]).addArgument(new Argument("<model>", "a folder, a GGUF file, an ONNX folder, or hf:org/name"));
  for (const flag of optionsToFlags(shrinkOptions)) command.addOption(flag);
  return command.action(async (given: string) => {
    const { quiet = false, debug: _debug, ...raw } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const parsed = parseOptions(shrinkOptions, raw, "shrink");
    const { offline, dryRun } = parsed;
    if (offline) forbidNetwork();
    const reporter = createReporter("mbs shrink", progressStyle(quiet));
    try {
      const open = await openSource(given, parsed, reporter);
      if (!dryRun) await makeFolder(dirname(open.output)).catch(() => undefined);
      const shrink = (): Promise<void> => planAndRun(open, { parsed, quiet, signal, reporter });
      // from here on, so that a second one does not wait for its plan to hear of the first
      await (dryRun ? shrink() : withLock(open.output, shrink)).finally(open.close);
    } finally {
      reporter.stop();
    }
  });
}
