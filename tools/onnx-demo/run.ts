/**
 * Writes the controlled model as ONNX, dense and compressed to 4 and 3 bits, and lets transformers.js continue texts with
 * each: in Node, and in the system's Chromium through a static page.
 *
 * usage: ./scripts/demo --onnx [--output FOLDER] [--serve PORT]
 */
import { availableParallelism } from "node:os";
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sizeReport } from "@mbs/assembly";
import { createReporter, progressStyle } from "@mbs/host-cli";
import { formatTable } from "@mbs/reporting";
import { loadStages } from "../../packages/mbs/src/stages.ts";
import { findChromium } from "../browser/chromium.ts";
import { generateInBrowser } from "./browser-run.ts";
import { generateInNode, newTokens } from "./node-generation.ts";
import type { Generated } from "./node-generation.ts";
import { readPrompts } from "./prompts.ts";
import { serveFolder } from "./static-server.ts";
import { demoModels, writeModels } from "./write-models.ts";

const { values } = parseArgs({
  options: { onnx: { type: "boolean" }, output: { type: "string", default: "demo-output/onnx" }, serve: { type: "string" } },
});
const output = resolve(values.output);
const models = join(output, "models");

/** The page with all that it needs: it is served as it stands, and asks no other server. */
async function writePage(data: unknown): Promise<void> {
  const vendor = join(output, "vendor");
  await mkdir(vendor, { recursive: true });
  await cp(join(import.meta.dirname, "page"), output, { recursive: true });
  const transformers = dirname(fileURLToPath(import.meta.resolve("@huggingface/transformers")));
  const runtime = join(dirname(fileURLToPath(import.meta.resolve("onnxruntime-web"))));
  await cp(join(transformers, "transformers.min.js"), join(vendor, "transformers.min.js"));
  for (const name of (await readdir(runtime)).filter((file) => /^ort-wasm-simd-threaded\.asyncify\.(wasm|mjs)$/.test(file))) {
    await cp(join(runtime, name), join(vendor, name));
  }
  await writeFile(join(output, "demo.json"), `${JSON.stringify(data, null, 2)}\n`);
}

const reporter = createReporter("onnx demo", progressStyle(false));
const context = {
  signal: new AbortController().signal,
  progress: reporter.progress,
  warn: reporter.warn,
  threads: availableParallelism(),
};
await mkdir(output, { recursive: true });
await writeModels({ stages: await loadStages(), context, runs: join(output, "runs"), models });
const prompts = await readPrompts("datasets/controlled-texts/heldout.yaml");
const sized = await Promise.all(
  demoModels.map(async (model) => ({ ...model, bytes: (await sizeReport(join(models, model.name))).bytesOnDisk })),
);
const inNode: Generated[] = [];
for (const { name } of demoModels) inNode.push(await generateInNode(models, name, prompts));
reporter.stop();

await writePage({ models: sized, prompts, newTokens });
const { address, server } = await serveFolder(output, Number(values.serve ?? 0));
const chromium = findChromium();
const inBrowser = chromium === undefined ? undefined : await generateInBrowser(chromium, address, join(output, "page.png"));

const speed = (generated: readonly Generated[] | undefined, index: number): string =>
  generated?.[index]?.tokensPerSecond.toFixed(0) ?? "–";
const rows = sized.map(({ title, bytes }, index) => [
  title,
  `${(bytes / 1e6).toFixed(1)} MB`,
  speed(inNode, index),
  speed(inBrowser, index),
]);
const columns = ["model", "onnx/", "tokens/s in Node", "tokens/s in Chromium"].map((title, index) => ({
  title,
  numeric: index > 0,
}));
const lines = [formatTable({ columns, rows })];
for (const [index, { language, text }] of prompts.entries()) {
  lines.push(`${language}: ${text}`);
  for (const [place, { title }] of sized.entries())
    lines.push(`  ${title}: …${inNode[place]?.texts[index]?.replaceAll("\n", " ⏎ ") ?? ""}`);
}
const same = inBrowser?.flatMap(({ texts }, place) => texts.map((text, index) => text === inNode[place]?.texts[index]));
lines.push(
  "",
  same === undefined
    ? "No Chromium found, the page was not opened: set CHROMIUM to where it lies."
    : `Chromium and Node wrote the same in ${same.filter(Boolean).length} of ${same.length} texts; picture: ${join(values.output, "page.png")}`,
  values.serve === undefined
    ? `The page: ./scripts/demo --onnx --serve 8080, then http://127.0.0.1:8080/`
    : `The page is at ${address} until you stop this with Ctrl-C.`,
);
process.stdout.write(`${lines.join("\n")}\n`);
if (values.serve === undefined) server.close();
