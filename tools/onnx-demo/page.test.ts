import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "@mbs/assembly";
import { unpackFiles } from "@mbs/artifacts";
import { findChromium } from "../browser/chromium.ts";
import { generateInBrowser } from "./browser-run.ts";
import { generateInNode, generation } from "./node-generation.ts";
import { readPrompts } from "./prompts.ts";
import { serveFolder } from "./static-server.ts";
import { writePage } from "./write-page.ts";

const folder = await mkdtemp(join(tmpdir(), "onnx-page-test-"));
test.after(() => rm(folder, { recursive: true }));

const title = "the page of the ONNX demo writes in Chromium what transformers.js writes in Node";

async function comparePage(chromium: string): Promise<void> {
  const context = { signal: new AbortController().signal, progress: () => {}, warn: () => {}, threads: 1 };
  const model = join(import.meta.dirname, "../../datasets/controlled-bloom");
  const { files } = await assemble.run({ layers: [] }, { model, format: "onnx", embeddings: "int8", card: false }, context);
  const models = join(folder, "models");
  assert.ok(files);
  await unpackFiles(files, join(models, "dense"), { force: false });
  const corpus = join(import.meta.dirname, "../../datasets/controlled-texts/heldout.yaml");
  const prompts = (await readPrompts(corpus)).filter(({ language }) => ["en", "fa", "ta"].includes(language));
  assert.equal(
    prompts.map(({ name }) => name),
    ["English", "Persian", "Tamil"],
  );
  const inNode = await generateInNode(models, "dense", prompts);
  assert.ok(inNode.texts.every((text) => text.length > 10 && !text.includes("\uFFFD")));

  await writePage(folder, { models: [{ name: "dense", title: "dense", bytes: 1 }], prompts, generation });
  const { address, server } = await serveFolder(folder, 0);
  try {
    const { generated } = await generateInBrowser(chromium, address, join(folder, "page.png"));
    assert.equal(
      generated.map(({ texts }) => texts),
      [inNode.texts],
    );
    assert.ok(at(generated, 0).tokensPerSecond > 0);
  } finally {
    server.close();
  }
}

const chromium = findChromium();
if (chromium === undefined) {
  process.stdout.write("skipped: no Chromium found for the page of the ONNX demo (CHROMIUM names one)\n");
  test.skip(title);
} else {
  test(title, () => comparePage(chromium));
}

test.run();
