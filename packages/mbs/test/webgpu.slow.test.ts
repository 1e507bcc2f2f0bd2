import { readFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, readScores, readStatistics } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeRandomModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";
import { hasWebgpu } from "../../../tools/test/webgpu.ts";
import { contextOf, runStage, segmentsFor } from "./fixtures/stage-runs.ts";

const webgpu = hasWebgpu ? test : (name: string): void => test.skip(name);

const datasets = fileURLToPath(new URL("../../../datasets/", import.meta.url));
const onDevice = { ...contextOf(), device: "webgpu" } as const;

/**
 * How far a Gram may lie from that of the processor, as a share of its largest value. Both add in other orders: 240 tokens, and
 * the inputs of a site behind at most four products of at most 2048 terms, √(4 · 2048) · 2⁻²⁴ = 5e-6.
 */
const rounding = 1e-5;

/** Every site of every block, each from states of the processor. */
async function requireSameGrams(model: string): Promise<void> {
  const opened = await openModel(model);
  const segments = segmentsFor(opened);
  const { blocks } = opened;
  await opened.close();
  let states = await runStage("propagate", { source: [segments] }, { model });
  for (const { name, sites } of blocks) {
    const kept = { schema: states.schema, batches: await collect(states.batches) };
    const source = () => ({
      schema: kept.schema,
      batches: (async function* () {
        yield* kept.batches;
      })(),
    });
    const read = async (context = contextOf()) =>
      collect(readStatistics(await runStage("capture", { source: [source()] }, { model }, context)));
    const [wanted, found] = [await read(), await read(onDevice)];
    assert.ok(wanted.length >= sites.length);
    assert.is(found.length, wanted.length);
    for (const [index, { site, language, kind, values }] of wanted.entries()) {
      const off = relativeDifference(at(found, index).values, values);
      assert.ok(off <= rounding, `${name} ${site} ${language} ${kind}: off by ${off} of the largest value`);
    }
    states = await runStage("propagate", { source: [source()] }, { model });
  }
}

for (const name of ["controlled-llama", "controlled-bloom"]) {
  const model = join(datasets, name);

  webgpu(`${name}: Grams of every site are those of the processor`, () => requireSameGrams(model));

  webgpu(`${name}: perplexity is that of the processor to 0.1%`, async () => {
    const corpus = join(datasets, "controlled-texts/heldout.yaml");
    const options = { model: [model], labels: ["dense"], corpus, languages: ["en", "mr"], length: 64, windows: 2 };
    const perplexities = async (context = contextOf()) => {
      const windows = await collect(readScores(await runStage("evaluate", {}, options, context)));
      return windows.map(({ nll, tokens }) => Math.exp(nll / tokens));
    };
    const [wanted, found] = [await perplexities(), await perplexities(onDevice)];
    assert.is(wanted.length, 4);
    for (const [index, perplexity] of wanted.entries()) {
      assert.ok(Math.abs(at(found, index) / perplexity - 1) < 1e-3, `${at(found, index)} in place of ${perplexity}`);
    }
  });
}

webgpu("a block of Gemma 3 270m's shape: Grams of every site are those of the processor", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-webgpu-"));
  try {
    const like = new URL("../../models/test/fixtures/forward/gemma3-alternating-f32/config.json", import.meta.url);
    const config = JSON.parse(await readFile(like, "utf8")) as Record<string, unknown>;
    const shape = { hidden_size: 640, intermediate_size: 2048, num_attention_heads: 4, num_key_value_heads: 1, head_dim: 256 };
    const layers = { num_hidden_layers: 1, layer_types: ["full_attention"] };
    await writeRandomModel(folder, { ...config, ...shape, ...layers, query_pre_attn_scalar: 256, vocab_size: 512 });
    await requireSameGrams(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
