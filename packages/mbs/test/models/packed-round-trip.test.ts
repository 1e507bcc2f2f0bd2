import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeLayers, parseMetadata, readLayers, unpackFiles } from "@mbs/artifacts";
import { openModel, plantTree } from "@mbs/models";
import type { Activations, Model, WeightDtype } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { segmentsFor, stage } from "../fixtures/stage-runs.ts";

const root = await mkdtemp(join(tmpdir(), "packed-round-trip-"));
test.after(() => rm(root, { recursive: true }));

const textTokens = (text: number): Int32Array =>
  Int32Array.from({ length: 48 }, (_, at) => 4 + ((text * 31 + at * at * 5 + at) % 250));

async function perplexity(model: Model, activations: Activations = "float32"): Promise<number> {
  const forward = await model.forward({ threads: 1 });
  let [nats, count] = [0, 0];
  for (let text = 0; text < 4; text++) {
    const tokens = textTokens(text);
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states, { activations });
    for (const loss of await forward.score(states, tokens)) nats += loss;
    count += tokens.length - 1;
  }
  await forward.close();
  return Math.exp(nats / count);
}

/** The same, of all texts in one tree, with activations in int8. */
async function treePerplexity(model: Model): Promise<number> {
  const forward = await model.forward({ threads: 1 });
  assert.ok(forward.tree);
  const texts = [0, 1, 2, 3].map(textTokens);
  const { tree, rows } = plantTree(texts);
  let states = await forward.tree.embed(tree);
  for (const index of model.blocks.keys()) states = await forward.tree.block(index, states, tree, { activations: "int8" });
  const next = Array.from(tree.tokens, (): number[] => []);
  for (const [index, own] of rows.entries()) {
    for (const [position, row] of own.subarray(0, -1).entries()) {
      next[row]?.push(texts[index]?.[position + 1] ?? NaN);
    }
  }
  const losses = await forward.tree.score(states, next);
  await forward.close();
  return Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
}

/** What assemble made of the same layers in several formats: perplexity and every weight. */
async function writeAndRead(source: string, compress: object, order: string, formats: readonly string[]) {
  const model = await openModel(source);
  const statistics = await stage("capture", "source", segmentsFor(model), { model: source });
  const factors = await stage("factor", "statistics", statistics, { order });
  const compressed = await stage("compress", "factors", factors, { model: source, ...compress });
  const metadata = parseMetadata("layers", compressed.schema);
  const layers = await collect(readLayers(compressed));
  const made = new Map<string, { perplexity: number; rounded: number; inTree: number; weights: Map<string, Float32Array> }>();
  for (const format of formats) {
    const folder = await mkdtemp(join(root, "folder-"));
    const stream = encodeLayers(layers, metadata);
    const expected =
      /^(gptqmodel by itself loads asymmetric grids of other programs only in version 2|transformers computes with (MX|NV)FP4 in bf16 alone)/;
    const files = await stage("assemble", "layers", stream, { model: source, format }, expected);
    await unpackFiles(files, folder, { force: true });
    const written = await openModel(folder);
    const weights = new Map<string, Float32Array>();
    for (const { tensor } of layers) weights.set(tensor, await written.readWeight(tensor));
    made.set(format, {
      perplexity: await perplexity(written),
      rounded: await perplexity(written, "int8"),
      inTree: await treePerplexity(written),
      weights,
    });
    await written.close();
  }
  await model.close();
  return made;
}

for (const dtype of ["bf16", "f16", "f32"] as const satisfies readonly WeightDtype[]) {
  for (const [solver, options, order, formats] of [
    ["gptq", { bits: 3, groupSize: 32, minZeroPoint: 1 }, "group-aware:32", ["gptq", "gptq-v2"]],
    ["gptq", { bits: 4, groupSize: 0 }, "activation", ["gptq", "compressed-tensors"]],
    ["rtn", { bits: 2, groupSize: 16, symmetric: true, search: "error" }, "natural", ["gptq", "compressed-tensors"]],
    ["sparsegpt", { bits: 8, sparsity: 0.3, groupSize: 32, symmetric: false }, "natural", ["gptq-v2"]],
  ] as const) {
    test(`${solver} ${options.bits} bits of a ${dtype} model, packed and read back, is the model that was solved`, async () => {
      const source = join(root, dtype);
      await writeTinyModel(source, { hiddenSize: 64, heads: 4, blocks: 2, dtype, contextLength: 64 });
      const made = await writeAndRead(source, { solver, ...options }, order, ["dense", ...formats]);
      const dense = made.get("dense");
      assert.ok(dense !== undefined);
      for (const format of formats) {
        const packed = made.get(format);
        assert.ok(packed !== undefined);
        const change = Math.abs(packed.perplexity / dense.perplexity - 1);
        // where weights are equal, perplexity is; half precision's scales move values by up to 2⁻¹¹ = 5e-4
        assert.ok(change < 1e-3, `${format}: perplexity ${packed.perplexity}, dense ${dense.perplexity}`);
        // activations of 8 bits, each within 1/254 of the largest of its block, in 8 products one after the other
        const rounding = Math.abs(packed.rounded / packed.perplexity - 1);
        assert.ok(
          rounding > 0 && rounding < 0.03,
          `${format}: perplexity ${packed.rounded}, ${rounding} above, with activations in int8`,
        );
        // an activation near a tie may be rounded the other way
        const inTree = Math.abs(packed.inTree / packed.rounded - 1);
        assert.ok(inTree < 1e-3, `${format}: perplexity ${packed.inTree} in a tree, ${packed.rounded} in whole texts`);
        // GPTQ's files hold scales in half precision, also for sources in single
        if (dtype === "f32" && format.startsWith("gptq")) continue;
        for (const [tensor, values] of dense.weights) assert.equal(packed.weights.get(tensor), values, `${format} ${tensor}`);
      }
    });
  }
}

for (const [solver, grid] of [
  ["gptq", "MXFP4"],
  ["rtn", "MXFP4"],
  ["gptq", "NVFP4"],
  ["rtn", "NVFP4"],
] as const) {
  test(`${solver} on blocks of ${grid}, packed and read back, is the model that was solved; other blocks are refused`, async () => {
    const source = join(root, `${grid}-${solver}`);
    await writeTinyModel(source, { hiddenSize: 64, heads: 4, blocks: 2, dtype: "f16", contextLength: 64 });
    const made = await writeAndRead(source, { solver, grid }, "natural", ["dense", "compressed-tensors"]);
    const [dense, packed] = [made.get("dense"), made.get("compressed-tensors")];
    assert.ok(dense !== undefined && packed !== undefined);
    assert.equal(packed.weights, dense.weights);
    assert.is(packed.perplexity, dense.perplexity);
    const other = { solver, grid: "IQ4_NL" };
    const error = await writeAndRead(source, other, "natural", ["compressed-tensors"]).catch((thrown: unknown) => thrown);
    assert.match(String(error), /rounded to IQ4_NL, which --format compressed-tensors does not hold; assemble with/);
  });
}

test.run();
