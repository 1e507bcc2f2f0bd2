/**
 * Tables a set of variants on a controlled model.
 *
 * usage: npx tsx tools/variants/run-variants.ts OUTPUT_FOLDER [gptq|solvers-3bit|solvers-4bit|grids]   (resumes; needs a build)
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { at } from "@mbs/contracts";
import { stringify } from "yaml";
import { scoresTable, type Report } from "./scores-table.ts";
import { variantSets, type Variant } from "./variants.ts";

const root = resolve(import.meta.dirname, "../..");
const mbs = join(root, "node_modules/.bin/mbs");
const texts = (split: string): string => `datasets/controlled-texts/${split}.yaml`;
const [output = "out/variants", setName = "gptq"] = process.argv.slice(2);
const set = variantSets[setName];
if (set === undefined) throw new Error(`no set ${setName}; there are ${Object.keys(variantSets).join(", ")}`);
const { model, segments, windows, heldOut, variants } = set;

function run(...args: string[]): string {
  return execFileSync(mbs, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });
}

function compress(variant: Variant, index: number): string {
  const folder = join(output, String(index));
  const recipe = {
    model,
    corpus: texts("calibration"),
    sample: { mix: "proportional", segments, length: 256, seed: 0 },
    propagation: variant.propagation,
    ...(variant.normaliseTokens !== undefined && { capture: { normaliseTokens: variant.normaliseTokens } }),
    factor: variant.order === undefined ? {} : { order: variant.order },
    compress: variant.compress,
    output: folder,
  };
  const path = join(output, `${index}.yaml`);
  writeFileSync(path, stringify(recipe));
  run("run", path, "--quiet");
  return join(folder, "model");
}

function evaluate(split: string, named: readonly { readonly name: string; readonly folder: string }[]): Report {
  const models = [{ name: "dense", folder: model }, ...named];
  const flags = models.flatMap(({ folder }) => ["--model", folder]);
  // Names hold commas; labels are a list of its own.
  const labels = models.map(({ name }) => name.replaceAll(",", ";")).join(",");
  return JSON.parse(
    run("evaluate", ...flags, "--labels", labels, "--corpus", texts(split), "--windows", String(windows), "--json", "--quiet"),
  ) as Report;
}

mkdirSync(output, { recursive: true });
const compressed = variants.map((variant, index) => ({ name: variant.name, folder: compress(variant, index) }));
if (heldOut === "only") {
  const report = evaluate("heldout", compressed);
  writeFileSync(join(output, "results.json"), `${JSON.stringify({ heldout: report }, null, 2)}\n`);
  process.stdout.write(`${scoresTable(report)}\n`);
} else {
  const validation = evaluate("validation", compressed);
  const [baseline, plain] = [at(variants, 0), at(variants, 1)];
  const tabled = validation.averages.filter(({ model: name }) => name !== "dense" && name !== baseline.name.replaceAll(",", ";"));
  const best = tabled.reduce((a, b) => ((b.unweighted.rise ?? Infinity) < (a.unweighted.rise ?? Infinity) ? b : a));
  const bestName = best.model.replaceAll(";", ",");
  const named = new Set([bestName, plain.name, baseline.name]);
  const heldout = evaluate("heldout", heldOut === "all" ? compressed : compressed.filter(({ name }) => named.has(name)));
  writeFileSync(join(output, "results.json"), `${JSON.stringify({ best: bestName, validation, heldout }, null, 2)}\n`);
  process.stdout.write(`Validation\n\n${scoresTable(validation)}\n\nBest: ${bestName}\n\nHeld out\n\n${scoresTable(heldout)}\n`);
}
