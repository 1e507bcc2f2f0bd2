/**
 * Prints what run.sh has measured: each stage's seconds and the peak memory, beside the estimate of the same recipe.
 *
 * usage: table.ts FOLDER, where FOLDER holds ours.json and the estimates
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Estimate } from "@mbs/pipeline";

interface Measured {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly nodes: readonly {
    readonly id: string;
    readonly stage: string;
    readonly seconds: number;
    readonly processorSeconds: number;
    readonly peakBytes: number;
  }[];
}

const [folder = "."] = process.argv.slice(2);
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
const measured = read("ours.json") as Measured;
const estimateOf = (name: string): Estimate => read(`estimate-${name}.json`) as Estimate;
const estimated = estimateOf("part");
const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(2);
const line = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);

line("node", "seconds", "processor seconds", "peak so far, GiB");
line("---", "---", "---", "---");
for (const { id, seconds, processorSeconds, peakBytes } of measured.nodes) {
  line(id, seconds.toFixed(1), processorSeconds.toFixed(1), gibibytes(peakBytes));
}
const off = (estimate: number, value: number): string => `${((estimate / value - 1) * 100).toFixed(0)}%`;
console.log("");
line("", "estimate", "measured", "off by");
line("---", "---", "---", "---");
line("seconds", estimated.seconds.toFixed(0), measured.seconds.toFixed(0), off(estimated.seconds, measured.seconds));
line("memory, GiB", gibibytes(estimated.memory), gibibytes(measured.peakBytes), off(estimated.memory, measured.peakBytes));

const hours = (seconds: number): string => (seconds / 3600).toFixed(1);
console.log("");
line("estimate", "hours", "memory, GiB", "disk, GiB");
line("---", "---", "---", "---");
for (const name of ["part", "all-blocks"]) {
  const { seconds, memory, disk } = estimateOf(name);
  line(name, hours(seconds), gibibytes(memory), gibibytes(disk.peak));
}
