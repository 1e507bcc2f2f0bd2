/**
 * Tables asymmetric and symmetric grids of as many bits a weight, at 3 and 2 bits, and grids with zero points from 1. One
 * capture of the dense model serves all.
 *
 * usage: npx tsx tools/variants/run-grids.ts OUTPUT_FOLDER MODEL   (resumes; needs a build)
 */
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import { scoresTable, type Report } from "./scores-table.ts";
import { symmetricOfEqualBits } from "./variants.ts";

const root = resolve(import.meta.dirname, "../..");
const mbs = join(root, "node_modules/.bin/mbs");
const [output = "out/grids", model = "datasets/controlled-llama"] = process.argv.slice(2);
const texts = (split: string): string => `datasets/controlled-texts/${split}.yaml`;

/** Runs a command into a file or folder of that name, from the one of another name; what is there is not made again. */
function make(name: string, from: string | undefined, ...args: string[]): void {
  const path = join(output, name);
  if (existsSync(path)) return;
  const input = from === undefined ? "ignore" : openSync(join(output, from), "r");
  execFileSync(mbs, [...args, "--quiet", "--output", path], { cwd: root, stdio: [input, "ignore", "inherit"] });
  if (typeof input === "number") closeSync(input);
}

const grids = {
  asymmetric: { groupSize: 64, flags: [] },
  "asymmetric, zero points from 1": { groupSize: 64, flags: ["--min-zero-point", "1"] },
  symmetric: { groupSize: symmetricOfEqualBits.groupSize, flags: ["--symmetric"] },
} as const;

const solvers: readonly (readonly [string, (groupSize: number) => string, ...string[]])[] = [
  ["rtn", () => "natural"],
  ["awq", () => "natural"],
  ["gptq", (groupSize) => `group-aware:${groupSize}`],
  ["sparsegpt", () => "natural", "--sparsity", "0.5"],
];

mkdirSync(output, { recursive: true });
const sample = ["--mix", "proportional", "--segments", "64", "--length", "256"];
make("segments.arrow", undefined, "sample", "--model", model, "--corpus", texts("calibration"), ...sample);
make("statistics.arrow", "segments.arrow", "capture", "--model", model);
const made: { readonly label: string; readonly folder: string }[] = [{ label: "dense", folder: model }];
for (const bits of [3, 2]) {
  for (const [solver, orderFor, ...own] of solvers) {
    for (const [name, { groupSize, flags }] of Object.entries(grids)) {
      const order = orderFor(groupSize);
      const factors = `factors-${order.replace(":", "-")}.arrow`;
      make(factors, "statistics.arrow", "factor", "--order", order);
      const label = `${solver}; ${bits} bits; ${name.replaceAll(",", ";")}`;
      const layers = `${label.replaceAll(/\W+/g, "-")}.arrow`;
      const grid = ["--bits", String(bits), "--group-size", String(groupSize), ...flags];
      make(layers, factors, "compress", "--model", model, "--solver", solver, ...own, ...grid);
      const folder = layers.replace(".arrow", "");
      make(folder, layers, "assemble", "--model", model, "--no-card");
      made.push({ label, folder: join(output, folder) });
    }
  }
}
const models = made.flatMap(({ folder }) => ["--model", folder]);
const labels = made.map(({ label }) => label).join(",");
const scored = ["--corpus", texts("heldout"), "--length", "256", "--windows", "12", "--json", "--quiet"];
const report = execFileSync(mbs, ["evaluate", ...models, "--labels", labels, ...scored], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 1 << 28,
  stdio: ["ignore", "pipe", "inherit"],
});
process.stdout.write(`${scoresTable(JSON.parse(report) as Report)}\n`);
