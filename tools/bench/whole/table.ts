/**
 * Prints what run.sh has measured as a table, and as JSON in the last line.
 *
 * usage: table.ts FOLDER WIDTH BLOCKS SEGMENTS LENGTH, where FOLDER holds ours.json, torch.json, peak-before.json and
 * peak-after.json
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { neededOperations, total, usualOperations } from "./operations.ts";
import type { Operations } from "./operations.ts";

interface Measured {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakBytes: number;
}

interface OwnMeasured extends Measured {
  readonly nodes: readonly { readonly stage: string; readonly seconds: number; readonly processorSeconds: number }[];
}

interface Peak {
  readonly perSecond: number;
  readonly perProcessorSecond: number;
}

const [folder = ".", ...numbers] = process.argv.slice(2);
const [width = 0, blocks = 0, segments = 0, length = 0] = numbers.map(Number);
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
const ours = read("ours.json") as OwnMeasured;
const torch = read("torch.json") as Measured;
const peaks = ["peak-before.json", "peak-after.json"].map((name) => read(name) as Peak);
const peak = {
  perSecond: Math.max(...peaks.map(({ perSecond }) => perSecond)),
  perProcessorSecond: Math.max(...peaks.map(({ perProcessorSecond }) => perProcessorSecond)),
};
const shape = { width, blocks, segments, length };
const needed = neededOperations(shape);

/** Stage → what of the operations it does. */
const parts: ReadonlyMap<string, (operations: Operations) => number> = new Map([
  ["capture", ({ capture, grams }) => capture + grams],
  ["factor", ({ factors }) => factors],
  ["compress", ({ compress }) => compress],
  ["propagate", ({ propagate }) => propagate],
]);
const stages = [...new Set(ours.nodes.map(({ stage }) => stage))].map((stage) => {
  const own = ours.nodes.filter((node) => node.stage === stage);
  const sum = (key: "seconds" | "processorSeconds"): number => own.reduce((all, node) => all + node[key], 0);
  const operations = parts.get(stage)?.(needed) ?? 0;
  return { stage, seconds: sum("seconds"), processorSeconds: sum("processorSeconds"), operations };
});

const giga = (value: number): string => (value / 1e9).toFixed(0);
const line = (...cells: (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);
line("stage", "seconds", "processor seconds", "operations, thousand million", "a processor second");
line("---", "---", "---", "---", "---");
for (const { stage, seconds, processorSeconds, operations } of stages) {
  line(stage, seconds.toFixed(1), processorSeconds.toFixed(1), giga(operations), giga(operations / processorSeconds));
}
const result = {
  shape,
  operations: { needed: total(needed), usual: total(usualOperations(shape)) },
  seconds: { ours: ours.seconds, torch: torch.seconds, ratio: torch.seconds / ours.seconds },
  processorSeconds: {
    ours: ours.processorSeconds,
    torch: torch.processorSeconds,
    ratio: torch.processorSeconds / ours.processorSeconds,
  },
  peakBytes: { ours: ours.peakBytes, torch: torch.peakBytes, share: ours.peakBytes / torch.peakBytes },
  gemmPeak: peak,
  shareOfPeak: {
    seconds: total(needed) / ours.seconds / peak.perSecond,
    processorSeconds: total(needed) / ours.processorSeconds / peak.perProcessorSecond,
  },
  stages,
};
console.log(JSON.stringify(result));
