/**
 * Writes the controlled model as ONNX, dense and compressed to 4 and 3 bits, and lets transformers.js continue texts with
 * each: in Node, and in the system's Chromium through a static page.
 *
 * usage: ./scripts/demo --onnx [--output FOLDER] [--serve PORT]
 */
import { availableParallelism } from "node:os";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sizeReport } from "@mbs/assembly";
import { createReporter, progressStyle } from "@mbs/host-cli";
import { loadStages } from "../../packages/mbs/src/stages.ts";
import { findChromium } from "../browser/chromium.ts";
import { generateInBrowser } from "./browser-run.ts";
import { generateInNode, generation } from "./node-generation.ts";
import type { Generated } from "./node-generation.ts";
import { readPrompts } from "./prompts.ts";
import { formatComparison, formatGenerated } from "./screen.ts";
import { serveFolder } from "./static-server.ts";
import { demoModels, writeModels } from "./write-models.ts";
import { writePage } from "./write-page.ts";

const { values } = parseArgs({
  options: { onnx: { type: "boolean" }, output: { type: "string", default: "demo-output/onnx" }, serve: { type: "string" } },
});
const output = resolve(values.output);
const models = join(output, "models");
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const reporter = createReporter("onnx demo", progressStyle(false));
const context = {
  signal: new AbortController().signal,
  progress: reporter.progress,
  warn: reporter.warn,
  threads: availableParallelism(),
};
await mkdir(output, { recursive: true });
await writeModels({ stages: await loadStages(), context, runs: join(output, "runs"), models });
reporter.stop();
const prompts = await readPrompts("datasets/controlled-texts/heldout.yaml");
const sized = await Promise.all(
  demoModels.map(async (model) => ({ ...model, bytes: (await sizeReport(join(models, model.name))).bytesOnDisk })),
);
const inNode: Generated[] = [];
for (const { name } of demoModels) inNode.push(await generateInNode(models, name, prompts));

const data = { models: sized, prompts, generation };
await writePage(output, data);
const { address, server } = await serveFolder(output, Number(values.serve ?? 0));
const picture = join(output, "page.png");
const chromium = findChromium();
if (chromium === undefined) {
  print(formatGenerated(data, inNode, undefined));
  print("\nSkipped: no Chromium found, so the page was not opened. Name one by CHROMIUM=/path/to/chromium.");
} else {
  try {
    const inBrowser = await generateInBrowser(chromium, address, picture);
    print(formatGenerated(data, inNode, inBrowser.generated));
    print(`\n${formatComparison(inNode, inBrowser, join(values.output, "page.png"))}`);
  } catch (error) {
    print(formatGenerated(data, inNode, undefined));
    process.stderr.write(`onnx demo: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
if (values.serve === undefined) {
  print("The page: ./scripts/demo --onnx --serve 8080, then http://127.0.0.1:8080/");
  server.close();
} else {
  print(`The page is at ${address} until you stop this with Ctrl-C.`);
}
