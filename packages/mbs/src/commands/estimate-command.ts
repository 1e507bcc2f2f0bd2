import { formatBytes, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import {
  createReporter,
  forbidNetwork,
  memoryOption,
  offlineOption,
  optionsToFlags,
  parseMemory,
  printText,
  progressStyle,
  runDeviceOption,
  runThreadsOption,
  runWorkersOption,
} from "@mbs/host-cli";
import { estimate, readRecipe } from "@mbs/pipeline";
import type { Estimate, EstimatedGraphics } from "@mbs/pipeline";
import { formatTable } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { timeText } from "../results/time-text.ts";
import { loadStages } from "../stages.ts";

const options = {
  threads: runThreadsOption,
  device: runDeviceOption,
  memory: memoryOption,
  workers: runWorkersOption,
  json: { kind: "flag", description: "print the estimate as JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

const count = (tokens: number): string => tokens.toLocaleString("en");

/** What models run on, and what is copied. */
function graphicsText({ operations, bytes, isMeasured, uploaded, downloaded, memory }: EstimatedGraphics): string[] {
  const rate = operations / 1e9;
  const rates = `${rate.toFixed(rate < 10 ? 1 : 0)} GFLOPS in products, ${formatBytes(bytes)} a second in copies`;
  const origin = isMeasured
    ? `measured: ${rates}`
    : `there is none here; computed with ${rates}, published of WebGPU programs on Apple's M2`;
  return [
    `graphics  ${origin}`,
    `          ${formatBytes(memory)} of its memory; ${formatBytes(uploaded)} copied there and ${formatBytes(downloaded)} back`,
  ];
}

function estimateText(found: Estimate): string {
  const { calibrationTokens, evaluationTokens, operations, gemmRate, parts, notCounted, memory, disk, size, graphics } = found;
  const { peak, ...purposes } = disk;
  const columns = [{ title: "" }, { title: "", numeric: true }];
  return [
    `tokens  ${count(calibrationTokens)} for calibration, ${count(evaluationTokens)} for evaluation (all models)`,
    `work    ${(operations / 1e12).toFixed(2)} TFLOP in matrix products; measured peak ${(gemmRate / 1e9).toFixed(0)} GFLOPS`,
    `time    ${timeText(found)}`,
    `memory  ${formatBytes(memory)}`,
    `disk    ${formatBytes(peak)} at most`,
    ...(graphics === undefined ? [] : graphicsText(graphics)),
    ...(size === undefined ? [] : [`size    about ${formatBytes(size.bytes)} from ${formatBytes(size.sourceBytes)}`]),
    ...(notCounted.length === 0 ? [] : [`stages  not counted: ${notCounted.join(", ")}`]),
    "",
    formatTable({
      columns,
      rows: [
        ...parts.map((part) => [`time: ${part.name}`, `${part.seconds.toFixed(1)} s`]),
        ...Object.entries(purposes).map(([name, bytes]) => [`disk: ${name}`, formatBytes(bytes)]),
      ],
    }).trimStart(),
  ].join("\n");
}

/** `mbs estimate`: what a recipe will take, before anything runs. */
export function estimateCommand({ signal }: CommandContext): Command {
  const command = plainCommand("estimate", "Estimate how many tokens, how much time, memory and disk a recipe needs.", [
    "mbs estimate recipe.yaml",
  ]).addArgument(new Argument("<recipe>", "YAML file, as for mbs run"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (path: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { threads, device, memory: limit, workers, json, offline } = parseOptions(options, given, "estimate");
    if (offline) forbidNetwork();
    const reporter = createReporter("mbs estimate", progressStyle(quiet));
    const { progress, warn } = reporter;
    const stages = await loadStages();
    const memory = limit === undefined ? undefined : parseMemory(limit);
    const found = await estimate(await readRecipe(path), {
      stages,
      threads,
      device,
      memory,
      workers,
      signal,
      progress,
      warn,
    }).finally(reporter.stop);
    await printText(json ? `${JSON.stringify(found, null, 2)}\n` : estimateText(found));
  });
}
