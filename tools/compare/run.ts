/**
 * Compresses a real model by every method and mix of the comparison, and scores each in every language.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/run.ts --model M --texts FOLDER --output FOLDER
 *          [--size quick|full] [--methods gptq-3,sparsegpt-50,…] [--threads N]
 *   --texts   what tools/compare/texts.ts has made
 *   --output  a folder a row (recipe, run, scores); what is there and finished is not made again
 *
 * Every row is an ordinary `mbs run` and `mbs evaluate`, so a stopped comparison goes on where it ended.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { methods, mixes, rowsOf, sizes } from "./rows.ts";
import type { Row } from "./rows.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    texts: { type: "string" },
    output: { type: "string" },
    size: { type: "string", default: "quick" },
    methods: { type: "string", default: Object.keys(methods).join(",") },
    threads: { type: "string", default: "1" },
  },
});
const { model, texts, output } = values;
const size = values.size === "quick" || values.size === "full" ? sizes[values.size] : undefined;
const wanted = values.methods.split(",");
const unknown = wanted.filter((name) => !Object.hasOwn(methods, name));
if (model === undefined || texts === undefined || output === undefined || size === undefined || unknown.length > 0) {
  throw new Error(
    `usage: run.ts --model M --texts FOLDER --output FOLDER [--size quick|full] [--methods ${Object.keys(methods).join(",")}] [--threads N]`,
  );
}

const program = fileURLToPath(new URL("../../packages/mbs/bin/mbs.js", import.meta.url));

function mbs(args: readonly string[]): void {
  process.stderr.write(`compare: mbs ${args.join(" ")}\n`);
  const { status } = spawnSync(process.execPath, [program, ...args, "--threads", values.threads], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`mbs ${args[0] ?? ""} ended with ${status ?? "a signal"}; run again to go on`);
}

const folders = { model: resolve(model), texts: resolve(texts), output: resolve(output) };
const { segments, length, windows } = size;

/** Scores a model in every language on the held-out windows. */
function evaluate(path: string, label: string, scores: string): void {
  if (existsSync(scores)) return;
  const corpus = join(folders.texts, "heldout.yaml");
  const limits = ["--length", "512", "--windows", String(windows)];
  mbs(["evaluate", "--model", path, "--labels", label, "--corpus", corpus, ...limits, "--output", scores, "--quiet"]);
}

async function compressRow({ name, method, mix }: Row): Promise<void> {
  const folder = join(folders.output, name.replaceAll(" ", "-"));
  const scores = `${folder}.scores.arrow`;
  if (existsSync(scores)) return;
  const recipe = {
    model: folders.model,
    corpus: join(folders.texts, "calibration.yaml"),
    sample: {
      mix: mixes[mix],
      segments,
      length,
      ...(mix === "proportional" && { distribution: join(folders.texts, "shares.json") }),
    },
    compress: methods[method]?.compress,
    output: folder,
  };
  await writeFile(`${folder}.yaml`, stringify(recipe));
  mbs(["run", `${folder}.yaml`, "--quiet"]);
  evaluate(join(folder, "model"), name, scores);
  // the layers and the recorded recipe stay; the model can be written again from them
  await rm(join(folder, "model"), { recursive: true, force: true });
}

await mkdir(folders.output, { recursive: true });
evaluate(folders.model, "dense", join(folders.output, "dense.scores.arrow"));
for (const row of rowsOf(wanted)) await compressRow(row);
