/**
 * Compresses a real model by every method and mix of the comparison, and scores each in every language.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/run.ts --model M --texts FOLDER --output FOLDER
 *          [--size controlled|short|quick|full] [--methods gptq-3,sparsegpt-50,…] [--mixes proportional,…] [--draws N [--first-draw D]] [--threads N]
 *          [--python PYTHON --peer-model FOLDER --gptq CLONE --sparsegpt CLONE --llama FOLDER]
 *   --texts       what tools/compare/texts.ts has made, or datasets/controlled-texts with --size controlled
 *   --methods     without it all but options of GPTQ, GGUF files and blocks of floats: "options-3" are all options at 3 bits,
 *                 "rotations-3" the defaults on a rotated model, "gguf" all files and those of llama-quantize
 *   --draws       how many draws of calibration text each row is made with (default 1)
 *   --first-draw  which of them is the first that is made here (default 0): those before it may be on the page already
 *   --output      a folder a row (recipe, run, scores); what is there and finished is not made again
 *   --python      runs the peers too, with tools/compare/peers/requirements.txt installed
 *   --peer-model  the model as a Hugging Face folder, where --model is a GGUF file
 *   --gptq, --sparsegpt   checkouts of IST-DASLab/gptq and IST-DASLab/sparsegpt
 *   --llama       a folder in which node-llama-cpp 3.21.1 and koffi are installed, for llama-quantize
 *
 * Every row is an ordinary `mbs run` and `mbs evaluate`, so a stopped comparison goes on where it ended.
 */
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { StageOptions } from "@mbs/contracts";
import { allMethods, allPeers, drawName, fileStem, methodGroups, methods, mixes, peers, rowsOf, sizes } from "./rows.ts";
import type { Peer, Row } from "./rows.ts";
import { program, start, startMbs } from "./start.ts";
import { scoresFile, spentFile } from "./row-files.ts";
import type { Spent } from "./row-files.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    texts: { type: "string" },
    output: { type: "string" },
    size: { type: "string", default: "quick" },
    methods: { type: "string" },
    mixes: { type: "string" },
    draws: { type: "string", default: "1" },
    "first-draw": { type: "string", default: "0" },
    threads: { type: "string", default: "1" },
    python: { type: "string" },
    "peer-model": { type: "string" },
    gptq: { type: "string" },
    sparsegpt: { type: "string" },
    llama: { type: "string" },
  },
});
const { model, texts, output, python } = values;
const [draws, firstDraw] = [Number(values.draws), Number(values["first-draw"])];
const size = Object.entries(sizes).find(([name]) => name === values.size)?.[1];
const known = [...Object.keys(methods), ...(python === undefined ? [] : Object.keys(peers))];
const wanted = values.methods?.split(",").flatMap((name) => methodGroups[name] ?? [name]) ?? known;
const chosenMixes = values.mixes?.split(",") ?? Object.keys(mixes);
const unknown = [
  ...wanted.filter((name) => allMethods[name] === undefined && allPeers[name] === undefined),
  ...chosenMixes.filter((name) => mixes[name] === undefined),
];
const areDraws = Number.isInteger(firstDraw) && firstDraw >= 0 && Number.isInteger(draws) && draws > firstDraw;
if (model === undefined || texts === undefined || output === undefined || size === undefined || unknown.length > 0 || !areDraws) {
  throw new Error(
    `usage: run.ts --model M --texts FOLDER --output FOLDER [--size ${Object.keys(sizes).join("|")}] [--methods ${[...known, ...Object.keys(methodGroups)].join(",")}] [--mixes ${Object.keys(mixes).join(",")}] [--draws N [--first-draw D]] [--threads N] [--python PYTHON --peer-model FOLDER --gptq CLONE --sparsegpt CLONE --llama FOLDER]`,
  );
}

const lacking = wanted.flatMap((name): readonly string[] => {
  const peer = allPeers[name];
  if (peer === undefined) return [];
  const { script, source } = peer;
  if (source !== undefined && values[source] === undefined) return [`${name} needs --${source}`];
  return script.endsWith(".py") && python === undefined ? [`${name} needs --python`] : [];
});
if (lacking.length > 0) throw new Error(`${lacking.join(", ")}; see the usage of run.ts`);

const mbs = (args: readonly string[]): string => startMbs(args, values.threads);

const folders = { model: resolve(model), texts: resolve(texts), output: resolve(output) };
const { segments, length, windows, windowLength } = size;
const corpus = join(folders.texts, "calibration.yaml");
const sharesPath = join(folders.texts, "shares.json");
/** How much text of which language a mix draws, as `mbs sample --mix` takes it. */
const textOf = (mix: string): string => mixes[mix]?.text ?? mix;
/** Options of `mbs sample` for a draw of a mix. */
function sampleOf({ mix, draw }: Pick<Row, "mix" | "draw">): StageOptions {
  const distribution = distributionOf(mix);
  return {
    mix: textOf(mix),
    segments,
    length,
    seed: draw,
    ...(distribution !== undefined && { distribution }),
  };
}
/** The shares that a mix follows, where it follows any; without the file they are those that the model's folder states. */
const distributionOf = (mix: string): string | undefined =>
  /^(proportional|temperature:)/.test(textOf(mix)) && existsSync(sharesPath) ? sharesPath : undefined;

/** Scores a model in every language on the held-out windows. */
function evaluate(path: string, label: string): void {
  const scores = join(folders.output, scoresFile(label));
  if (existsSync(scores)) return;
  const heldOut = join(folders.texts, "heldout.yaml");
  const limits = ["--length", String(windowLength), "--windows", String(windows)];
  mbs(["evaluate", "--model", path, "--labels", label, "--corpus", heldOut, ...limits, "--output", scores, "--quiet"]);
}

async function compressRow({ name, method, mix, draw }: Row): Promise<void> {
  const folder = join(folders.output, fileStem(name));
  const wasBegun = existsSync(folder);
  const stages = allMethods[method]?.stages;
  const recipe = {
    model: folders.model,
    corpus,
    sample: sampleOf({ mix, draw }),
    // stated, so that rows of two versions with other defaults can be compared
    propagation: "true-sequential",
    // the same for a GGUF file, whose folders are bf16 by default: what is dense is scored as it is read
    ...(folders.model.toLowerCase().endsWith(".gguf") && { assemble: { dtype: "f32" } }),
    ...stages,
    compress: allMethods[method]?.compress,
    output: folder,
  };
  await writeFile(`${folder}.yaml`, stringify(recipe));
  const spent = `${folder}.spent.json`;
  const measured = ["--import", new URL("spent-at-exit.mjs", import.meta.url).href];
  // in one process, as the peers are
  const words = [...measured, program, "run", `${folder}.yaml`, "--workers", "0", "--quiet", "--threads", values.threads];
  start(process.execPath, words, { ...process.env, SPENT_FILE: spent });
  const model = join(folder, "model");
  // what a row took before it was stopped is not known
  if (!wasBegun) await recordSpent(name, JSON.parse(await readFile(spent, "utf8")) as Spent, model);
  evaluate(model, name);
  // the layers and the recorded recipe stay; the model can be written again from them
  await rm(model, { recursive: true, force: true });
}

/** Adds what a row took, and the size of its GGUF file if it is one, to the comparison's record. */
async function recordSpent(name: string, spent: Spent, folder: string): Promise<void> {
  const file = join(folder, "model.gguf");
  const size = existsSync(file) ? { fileBytes: (await stat(file)).size } : {};
  await appendFile(join(folders.output, spentFile), `${JSON.stringify({ name, spent: { ...spent, ...size } })}\n`);
}

/** The tokens that a recipe with this mix draws, for programs that take no recipe. */
function sampleTokens({ mix, draw }: Pick<Row, "mix" | "draw">): string {
  const path = join(folders.output, `segments-${fileStem(drawName({ mix, draw }))}.arrow`);
  if (existsSync(path)) return path;
  const drawn = Object.entries(sampleOf({ mix, draw })).flatMap(([option, value]) => [`--${option}`, String(value)]);
  mbs(["sample", "--model", folders.model, "--corpus", corpus, ...drawn, "--output", path, "--quiet"]);
  return path;
}

async function runPeer({ script, args, source }: Peer, { name, mix, draw }: Row): Promise<void> {
  const clone = source === undefined ? undefined : values[source];
  const folder = join(folders.output, fileStem(name));
  if (!existsSync(folder)) {
    const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url));
    const isOurs = script.endsWith(".ts");
    // a script of ours reads the model whose tokenizer drew the tokens
    const read = isOurs ? folders.model : resolve(values["peer-model"] ?? folders.model);
    const from = [read, sampleTokens({ mix, draw }), folder];
    const given = [...args, ...(clone === undefined ? [] : ["--source", resolve(clone)]), "--threads", values.threads];
    const words = [...(isOurs ? process.execArgv : []), path, ...from, ...given];
    const printed = start(isOurs ? process.execPath : (python ?? "python3"), words);
    // the peers print lines of their own before it
    await recordSpent(name, JSON.parse(printed.trimEnd().split("\n").at(-1) ?? "") as Spent, folder);
  }
  evaluate(folder, name);
  await rm(folder, { recursive: true, force: true });
}

/** Angles between the languages at every site of the dense model, which the losses are compared with. */
async function measureSimilarity(): Promise<void> {
  const path = join(folders.output, "similarity.arrow");
  if (existsSync(path)) return;
  const statistics = join(folders.output, "statistics.arrow");
  const read = ["--model", folders.model, "--source", sampleTokens({ mix: "equal", draw: 0 }), "--statistics", "diagonal"];
  mbs(["capture", ...read, "--output", statistics, "--force", "--quiet"]);
  mbs(["similarity", "--sites", "all", "--statistics", statistics, "--output", path, "--quiet"]);
  await rm(statistics);
}

await mkdir(folders.output, { recursive: true });
evaluate(folders.model, "dense");
// the distances between languages explain what several mixes do
if (chosenMixes.length > 1) await measureSimilarity();
for (const row of rowsOf(wanted, chosenMixes, draws)) {
  if (row.draw < firstDraw) continue;
  if (existsSync(join(folders.output, scoresFile(row.name)))) continue;
  const peer = allPeers[row.method];
  await (peer === undefined ? compressRow(row) : runPeer(peer, row));
}
