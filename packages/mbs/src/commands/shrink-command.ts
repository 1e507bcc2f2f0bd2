import { dirname } from "node:path";
import { makeFolder, withLock } from "@mbs/artifacts";
import { formatBytes, InterruptedError, parseBytes, parseOptions } from "@mbs/contracts";
import { checkGate, parseGate } from "@mbs/evaluation";
import { createReporter, DeviceTotal, forbidNetwork, optionsToFlags, parseMemory, printText, progressStyle } from "@mbs/host-cli";
import { Argument } from "commander";
import type { Command } from "commander";
import { writeRunCard } from "../results/card-writer.ts";
import { gateText, requireLimits } from "../results/gate-result.ts";
import { comparisonText, resultText } from "../shrink/result-text.ts";
import { runShrink, runUsual } from "../shrink/run-shrink.ts";
import { reportPath, shrinkRecipe } from "../shrink/shrink-recipe.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { workerProgram } from "./worker-command.ts";
import { openSource, planShrink } from "../shrink/plan-shrink.ts";
import { shrinkOptions } from "../shrink/shrink-options.ts";
import type { ShrinkOptions } from "../shrink/shrink-options.ts";
/** Warns where a result is larger than was asked for. */
function warnOfSize(bytes: number, { size, to }: ShrinkOptions, warn: (line: string) => void): void {
  if (size === undefined || bytes <= parseBytes(size, "--size")) return;
  warn(`the result, ${formatBytes(bytes)}, is larger than --size ${size}: sizes of ${to} are estimates; give a smaller one`);
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
    const { offline, dryRun, json, force, threads, device, memory, to } = parsed;
    if (offline) forbidNetwork();
    const reporter = createReporter("mbs shrink", progressStyle(quiet));
    const { progress, warn, note } = reporter;
    try {
      const open = await openSource(given, parsed, reporter);
      if (!dryRun) await makeFolder(dirname(open.output)).catch(() => undefined);
      const shrink = async (): Promise<void> => {
        const print = async (text: string): Promise<void> => {
          if (dryRun && !quiet) process.stderr.write(text);
          if (!dryRun && !json && !quiet) await printText(text);
        };
        const { choices, stages, isBegun } = await planShrink(open, parsed, reporter, signal, print)
          .catch((error: unknown) => {
            if (!signal.aborted) throw error;
            throw new InterruptedError("stopped while planning; run the same command again", { done: 0 });
          })
          .finally(open.close);
        if (dryRun) {
          await printText(shrinkRecipe(choices));
          return;
        }
        const deviceTotal = new DeviceTotal();
        const { fallbacks } = choices.target;
        // the plan has said it
        const said = new Set(fallbacks === undefined ? [] : [fallbacks, `assemble: ${fallbacks}`]);
        const runOptions = {
          stages,
          threads,
          device,
          memory: memory === undefined ? undefined : parseMemory(memory),
          workers: { command: workerProgram(offline), count: undefined, nodeLimit: undefined },
          queue: undefined,
          signal,
          force,
          progress,
          onDevice: deviceTotal.add,
          // both runs warn of the same things
          warn: (line: string) => {
            if (!said.has(line)) warn(line);
            said.add(line);
          },
          describe: ({ model, ...made }: { model: string; scores: string | undefined; recipe: string }) =>
            writeRunCard(model, made, note),
        };
        const planned = { choices, source: open.source, vocabulary: open.model.vocabularySize, isBegun };
        const shrunk = await runShrink(planned, runOptions);
        reporter.stop();
        warnOfSize(shrunk.bytes, parsed, warn);
        const facts = {
          model: shrunk.model,
          report: reportPath(open.output),
          before: open.source.bytes,
          after: shrunk.bytes,
        };
        if (quiet && !json) await printText(`${shrunk.model}\n`);
        if (!quiet && !json) {
          const { favoured } = choices.languages;
          const { vocabulary } = planned;
          await printText(resultText({ ...facts, source: open.source, scores: shrunk.scores, favoured, vocabulary, format: to }));
        }
        const checks = choices.gate === undefined ? [] : checkGate(shrunk.scores, parseGate(choices.gate, "gate"));
        if (choices.gate !== undefined && !json) await printText(gateText(checks));
        const { bytes, scores } = await runUsual(planned, shrunk, {
          ...runOptions,
          progress: (of) => progress({ ...of, activity: `for comparison: ${of.activity}` }),
        });
        deviceTotal.note(note);
        reporter.stop();
        const usual = { name: choices.target.usual.name, bytes };
        if (json) await printText(`${JSON.stringify({ ...facts, usual, scores }, null, 2)}\n`);
        else if (!quiet) await printText(`\n${comparisonText(scores, shrunk.bytes, usual)}`);
        requireLimits(checks);
      };
      // from here on, so that a second one does not wait for its plan to hear of the first
      await (dryRun ? shrink() : withLock(open.output, shrink)).finally(open.close);
    } finally {
      reporter.stop();
    }
  });
}
