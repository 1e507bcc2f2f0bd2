import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  collect,
  encodeLayers,
  encodeSegments,
  parseMetadata,
  readDamage,
  readLayers,
  readStates,
  readStatistics,
  encodeStatistics,
  unpackFiles,
} from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { runStage } from "../fixtures/stage-runs.ts";
import { relativeDifference } from "../../../../tools/test/relative-difference.ts";

const fixtures = fileURLToPath(new URL("../../../models/test/fixtures/forward/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-scaled-"));
test.after(() => rm(root, { recursive: true }));

const stage = (name: string, inputs: Readonly<Record<string, ArtifactStream>>, options: object): Promise<ArtifactStream> =>
  runStage(name, Object.fromEntries(Object.entries(inputs).map(([key, stream]) => [key, [stream]])), options);

/** Segments of one language. */
const segmentsFor = (model: Model): ArtifactStream =>
  encodeSegments(
    Array.from({ length: 4 }, (_, segment) => ({
      segment,
      language: "en",
      documents: 1,
      tokens: Int32Array.from(
        { length: 24 },
        (_, position) => 4 + ((segment * 13 + position * position * 7 + position) % (model.vocabularySize - 4)),
      ),
    })),
    {
      tokenizer: model.tokenizerAddress,
      length: 24,
      corpus: "c".repeat(64),
      distribution: "",
      mix: "equal",
      seed: 0,
      counts: {},
      shortfall: {},
    },
  );

/** Scales by powers of two, which no dtype rounds, and changes nothing else. */
const doubling = join(root, "doubling.mjs");
await writeFile(
  doubling,
  `export default {
  name: "doubling", source: "test", summary: "scales channels by powers of two", needs: [], options: {},
  solve({ values, columns, scalable }) {
    if (!scalable) return { values };
    const inputScale = Float32Array.from({ length: columns }, (_, column) => 2 ** (column % 3));
    return { values: values.map((value, index) => value * inputScale[index % columns]), inputScale };
  },
};
`,
);

async function compressed(model: Model, solver: string, options: object = {}) {
  const folder = { model: model.path };
  const captured = await stage("capture", { source: segmentsFor(model) }, folder);
  const metadata = parseMetadata("statistics", captured.schema);
  const statistics = await collect(readStatistics(captured));
  const again = (): ArtifactStream => encodeStatistics(statistics, metadata);
  const factors = await stage("factor", { statistics: again() }, { upper: "off" });
  const layers = await stage("compress", { factors }, { ...folder, solver, ...options });
  return { statistics: again, records: await collect(readLayers(layers)), metadata: parseMetadata("layers", layers.schema) };
}

async function statesAfter(model: Model): Promise<Float32Array> {
  const forward = await model.forward({ threads: 1 });
  let states = await forward.embed(Int32Array.from({ length: 24 }, (_, position) => 4 + ((position * 11) % 50)));
  for (const index of model.blocks.keys()) states = await forward.block(index, states);
  await forward.close();
  return states.values;
}

const scaledTensors = (records: readonly LayerRecord[]): readonly string[] =>
  records.filter(({ inputScale }) => inputScale !== undefined).map(({ tensor }) => tensor);

// The norms of an encoder-decoder are not scaled: awq clips its weights alone.
const decoders = (await readdir(fixtures)).filter((fixture) => !/^(u?m?t5|m2m|mbart)-/.test(fixture));

for (const fixture of decoders) {
  test(`${fixture}: scales that norms take the inverse of change nothing that the model does`, async () => {
    const model = await openModel(`${fixtures}${fixture}`);
    const { records, metadata } = await compressed(model, doubling);
    const scalable = model.blocks.flatMap(({ sites }) => sites.filter(({ scaledBy }) => scaledBy !== undefined));
    assert.equal(
      scaledTensors(records),
      scalable.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)),
    );
    for (const { tensor, summary } of records) assert.ok(summary.damage < 1e-9, tensor);
    // sites of experts have other names: they share their norm with the router; and a residual may be taken after the norm.
    // Linear attention shares its norm with layers of a row a head, which are not compressed.
    const behindNorms = model.blocks.flatMap(({ sites }) =>
      sites.filter(
        ({ name, weights }) =>
          /^(attention-qkv|conv-in|mlp-up|attention-qkv-mlp-up)$/.test(name) && !at(weights, 0).tensor.includes(".linear_attn."),
      ),
    );
    // EXAONE 4 and OLMo 2 have norms after attention and MLP alone
    assert.equal(scalable, /^(residual-after-norm|exaone4|olmo2)/.test(fixture) ? [] : behindNorms);
    const files = await stage("assemble", { layers: encodeLayers(records, metadata) }, { model: model.path });
    await unpackFiles(files, join(root, fixture), { force: false });
    const written = await openModel(join(root, fixture));
    // Some 10 products, with sums of at most 96 terms in float32: √(10 · 96) · 2⁻²⁴ = 2e-6 as a rule.
    // Gemma and Qwen 3.5 store a norm's weight less one, which its dtype rounds again
    const rounded = /^(gemma|qwen3-5)/.test(fixture) ? { f32: 1e-5, f16: 0.01, bf16: 0.05 }[model.dtype] : 1e-5;
    const off = relativeDifference(await statesAfter(written), await statesAfter(model));
    assert.ok(off < rounded, `${off}`);
    await written.close();
    await model.close();
  });
}

const tiny = join(root, "tiny");
await writeTinyModel(tiny, { hiddenSize: 64 });

for (const [name, source, packedFormats] of [
  ["bloom", tiny, ["gptq", "gptq-v2", "compressed-tensors"]],
  // its matrices are too small to be packed
  ["llama", `${fixtures}llama-grouped-f32`, []],
] as const) {
  test(`${name}: propagate and the written folders take awq's norms, predict its scales`, async () => {
    const model = await openModel(source);
    const options = { bits: 4, groupSize: 16 };
    const { records, metadata, statistics } = await compressed(model, "awq", options);
    assert.ok(scaledTensors(records).length > 0);
    const layers = (): ArtifactStream => encodeLayers(records, metadata);
    const folder = async (format: string): Promise<Model> => {
      const path = join(root, `${name}-${format}`);
      await unpackFiles(await stage("assemble", { layers: layers() }, { model: model.path, format }), path, { force: false });
      return openModel(path);
    };
    const dense = await folder("dense");
    const expected = await statesAfter(dense);
    for (const format of packedFormats) {
      const packed = await folder(format);
      assert.ok(relativeDifference(await statesAfter(packed), expected) < 0.02, format);
      await packed.close();
    }

    const first = records.filter(({ block }) => block === at(model.blocks, 0).name);
    const start = await stage("propagate", { source: segmentsFor(model) }, { model: model.path });
    const given = { source: start, layers: encodeLayers(first, metadata) };
    const [state] = await collect(readStates(await stage("propagate", given, { model: model.path })));
    const forward = await dense.forward({ threads: 1 });
    const [segment] = await collect(readStates(await stage("propagate", { source: segmentsFor(model) }, { model: model.path })));
    assert.ok(state && segment);
    const { rows, width, values } = segment;
    const states = await forward.block(0, { rows, columns: width, values });
    // one block: four products with sums of at most 256 terms, √(4 · 256) · 2⁻²⁴ = 2e-6 as a rule
    assert.ok(relativeDifference(state.values, states.values) < 1e-5);
    await forward.close();
    await dense.close();

    const damage = await collect(
      readDamage(await stage("predict", { statistics: statistics(), layers: layers() }, { model: model.path })),
    );
    for (const { tensor, error } of damage) {
      const { summary } = present(
        records.find((record) => record.tensor === tensor),
        tensor,
      );
      // one and the same ΔW, but for the rounding of w / s · s: 2⁻²⁴ of each weight, some 1e-5 of a change of 4 bits
      assert.ok(Math.abs(error / summary.error - 1) < 1e-3, `${tensor}: ${error}, its layer says ${summary.error}`);
    }
    await model.close();
  });
}

test.run();
