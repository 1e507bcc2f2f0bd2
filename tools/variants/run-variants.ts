/**
 * Tables a set of variants on the controlled model: the best on the validation texts is then measured on the held-out
 * ones.
 *
 * usage: npx tsx tools/variants/run-variants.ts OUTPUT_FOLDER [gptq|solvers-3bit|solvers-4bit]   (resumes; needs a build)
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
const { segments, windows, variants } = set;
const model = "datasets/controlled-bloom";

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
const validation = evaluate("validation", compressed);
const [baseline, plain] = [at(variants, 0), at(variants, 1)];
const tabled = validation.averages.filter(({ model: name }) => name !== "dense" && name !== baseline.name.replaceAll(",", ";"));
const best = tabled.reduce((a, b) => ((b.unweighted.rise ?? Infinity) < (a.unweighted.rise ?? Infinity) ? b : a));
const bestName = best.model.replaceAll(";", ",");
// solvers are few enough to measure all of them again
const chosen =
  setName === "gptq" ? compressed.filter(({ name }) => [bestName, plain.name, baseline.name].includes(name)) : compressed;
const heldout = evaluate("heldout", chosen);
writeFileSync(join(output, "results.json"), `${JSON.stringify({ best: bestName, validation, heldout }, null, 2)}\n`);
process.stdout.write(`Validation\n\n${scoresTable(validation)}\n\nBest: ${bestName}\n\nHeld out\n\n${scoresTable(heldout)}\n`);
