import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { unpackFiles } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { assemble } from "../src/index.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const datasets = new URL("../../../datasets/", import.meta.url);
/** The trained model: rounding that harms shows in its perplexity. */
const source = fileURLToPath(new URL("controlled-bloom", datasets));
const heldout = new URL("controlled-texts/heldout/", datasets);
const languages = (await readdir(heldout)).filter((name) => name.endsWith(".jsonl")).slice(0, 5);
const windowTokens = 256;

const root = await mkdtemp(join(tmpdir(), "round-trip-test-"));
test.after(() => rm(root, { recursive: true }));

/** Perplexity of one window of held-out text in each language, together. */
async function perplexity(model: Model): Promise<number> {
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads: 2 });
  let [nats, count] = [0, 0];
  try {
    for (const language of languages) {
      const lines = (await readFile(new URL(language, heldout), "utf8")).trim().split("\n");
      const texts = lines.slice(0, 40).map((line) => (JSON.parse(line) as { text: string }).text);
      const tokens = tokenizer.encode(texts.join("\n")).subarray(0, windowTokens);
      let states = await forward.embed(tokens);
      for (const index of model.steps.keys()) states = (await forward.step(index, states)).states ?? states;
      for (const loss of await forward.score(states, tokens)) nats += loss;
      count += tokens.length - 1;
    }
  } finally {
    await forward.close();
  }
  return Math.exp(nats / count);
}

async function measure(format: string, rounding: Rounding): Promise<number> {
  const model = await openModel(source);
  const layers = [caseLayers(model, { name: format, format, rounding: () => rounding })];
  const folder = await mkdtemp(join(root, "folder-"));
  await unpackFiles((await assemble.run({ layers }, { model: source, format }, quietContext)).files, folder, { force: true });
  await model.close();
  const written = await openModel(folder);
  try {
    return await perplexity(written);
  } finally {
    await written.close();
  }
}

for (const [rounding, formats] of [
  [{ bits: 4, groupSize: 128, symmetric: true }, ["gptq"]],
  [{ bits: 3, groupSize: 64, symmetric: false, pruned: true }, ["gptq-v2", "compressed-tensors"]],
] as [Rounding, string[]][]) {
  test(`a trained model in ${rounding.bits ?? 0} bits, written and read back, has the dense folder's perplexity`, async () => {
    const dense = await measure("dense", rounding);
    for (const format of formats) {
      const packed = await measure(format, rounding);
      assert.is(packed, dense, format);
    }
  });
}

test.run();
