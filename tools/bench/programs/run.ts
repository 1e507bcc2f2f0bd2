/**
 * Times whole compressions against the public programs: the same model, tokens, threads and machine, in turn.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/programs/run.ts --output FOLDER --python PYTHON
 *          --gptq CLONE --sparsegpt CLONE [--model FOLDER --corpus C] [--cases smollm2-gptq,…] [--threads 1] [--repeats 3]
 *   --python  with tools/compare/peers/requirements.txt installed
 *   --gptq, --sparsegpt   checkouts of IST-DASLab/gptq (2d65066) and IST-DASLab/sparsegpt (147d215)
 *   --model   Gemma 3 270m as a Hugging Face folder, and --corpus texts for it (docs/measured/real-models.md); without them its cases
 *             are left out
 *
 * Give --cases to measure some only: all of them take hours. Seconds, processor seconds (user + system) and peak memory are of the whole process, by GNU time. Each measurement is a
 * line of FOLDER/measured.jsonl; those that are there are not made again. table.ts sums them up.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { cases } from "./cases.ts";
import type { BenchCase } from "./cases.ts";
import { parseMeasured } from "./measured.ts";
import type { Measured, Program } from "./measured.ts";

const { values } = parseArgs({
  options: {
    output: { type: "string" },
    python: { type: "string" },
    gptq: { type: "string" },
    sparsegpt: { type: "string" },
    model: { type: "string" },
    corpus: { type: "string" },
    cases: { type: "string" },
    threads: { type: "string", default: "1" },
    repeats: { type: "string", default: "3" },
  },
});
const { output, python, model, corpus, threads } = values;
if (output === undefined || python === undefined || values.gptq === undefined || values.sparsegpt === undefined) {
  throw new Error("usage: run.ts --output FOLDER --python PYTHON --gptq CLONE --sparsegpt CLONE [--model FOLDER --corpus C]");
}
const sources = { gptq: resolve(values.gptq), sparsegpt: resolve(values.sparsegpt) };
const folder = resolve(output);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const mbs = join(root, "packages/mbs/bin/mbs.js");
const controlled = join(root, "datasets/controlled-bloom");
const log = join(folder, "measured.jsonl");

function start(command: string, args: readonly string[], stdout: "ignore" | "pipe" = "ignore"): string {
  const made = spawnSync(command, args, { stdio: ["ignore", stdout, "pipe"], encoding: "utf8" });
  if (made.status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${made.stderr}`);
  return made.stderr;
}

/** Seconds, processor seconds and peak memory of a command. */
function time(command: string, args: readonly string[]): Pick<Measured, "seconds" | "processorSeconds" | "peakBytes"> {
  const lines = start("/usr/bin/time", ["-f", "measured %e %U %S %M", command, ...args])
    .trim()
    .split("\n");
  const [seconds = NaN, user = NaN, system = NaN, kibibytes = NaN] = (lines.at(-1) ?? "").split(" ").slice(1).map(Number);
  return { seconds, processorSeconds: user + system, peakBytes: kibibytes * 1024 };
}

/** The model of a case, made where it is not there yet. */
function modelOf({ shape }: BenchCase): string {
  if (shape === undefined) return resolve(model ?? "");
  const path = join(folder, shape);
  if (!existsSync(path)) start(python ?? "python3", [join(root, "tools/bench/programs/make_model.py"), shape, controlled, path]);
  return path;
}

const corpusOf = ({ shape }: BenchCase): string =>
  shape === undefined ? resolve(corpus ?? "") : join(root, "datasets/controlled-texts/calibration.yaml");

async function measure(each: BenchCase, program: Program): Promise<Pick<Measured, "seconds" | "processorSeconds" | "peakBytes">> {
  const { name, size, recipe, peer, source } = each;
  const { segments, length } = size;
  const made = join(folder, `${name}-${program}`);
  await rm(made, { recursive: true, force: true });
  try {
    const [from, texts] = [modelOf(each), corpusOf(each)];
    if (program === "ours") {
      const sample = { mix: "equal", segments, length, reuse: true };
      const settings = { model: from, corpus: texts, sample, propagation: "true-sequential", ...recipe, output: made };
      await writeFile(`${made}.yaml`, stringify(settings));
      return time(process.execPath, [mbs, "run", `${made}.yaml`, "--threads", threads, "--quiet"]);
    }
    const tokens = join(folder, `${name}.arrow`);
    const drawn = ["--mix", "equal", "--reuse", "--segments", String(segments), "--length", String(length)];
    if (!existsSync(tokens)) {
      start(process.execPath, [mbs, "sample", "--model", from, "--corpus", texts, ...drawn, "--output", tokens, "--quiet"]);
    }
    const script = join(root, "tools/compare/peers/public_programs.py");
    return time(python ?? "python3", [script, from, tokens, made, ...peer, "--source", sources[source], "--threads", threads]);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

await mkdir(folder, { recursive: true });
const wanted = cases.filter(
  ({ name, shape }) => (values.cases?.split(",").includes(name) ?? true) && (shape !== undefined || model !== undefined),
);
for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
  for (const each of wanted) {
    for (const program of ["ours", "public"] as const) {
      const key = { case: each.name, program, threads: Number(threads), repeat };
      const done = existsSync(log) ? parseMeasured(readFileSync(log, "utf8")) : [];
      if (done.some((one) => Object.entries(key).every(([name, value]) => one[name as keyof Measured] === value))) continue;
      process.stderr.write(`bench: ${each.title}, ${program}, ${threads} threads, repeat ${repeat + 1}\n`);
      await appendFile(log, `${JSON.stringify({ ...key, ...(await measure(each, program)) })}\n`);
    }
  }
}
const peak = spawnSync(process.execPath, [...process.execArgv, join(root, "tools/bench/programs/gemm-peak.ts"), threads], {
  encoding: "utf8",
});
if (peak.status !== 0) throw new Error(`gemm-peak.ts failed:\n${peak.stderr}`);
await writeFile(join(folder, `peak-${threads}.json`), peak.stdout);
