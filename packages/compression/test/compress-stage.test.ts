import { writeFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  collect,
  contentAddress,
  layerShape,
  layerValues,
  parseMetadata,
  readLayers,
  type FactorRecord,
  type LayerRecord,
  type TensorData,
} from "@mbs/artifacts";
import {
  at,
  BadDataError,
  FailedPreconditionError,
  InternalError,
  InterruptedError,
  UsageError,
  type ArtifactStream,
  type StageInputs,
} from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { putValue } from "@mbs/models/testing";
import { roundTo, unpackUpper } from "@mbs/numbers";
import { outputByRow } from "@mbs/solvers";
import { plainBlas } from "@mbs/solvers/conformance";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compress, joinLayers } from "../src/index.ts";
import { rejects } from "./rejects.ts";
import { factorsOf, factorStream, makeFactor, recordingContext, runCompress, withTinyModel } from "./tiny-site.ts";

const floats = ({ data }: TensorData): Float32Array => new Float32Array(data.slice().buffer);

/** (code - zero)·scale in float32. */
function dequantise({ codes, scales, zeros, groups }: LayerRecord): Float32Array {
  assert.ok(codes && scales && zeros && groups);
  const { rows, columns, data } = codes;
  const scale = floats(scales);
  const groupOf = new Int32Array(groups.data.slice().buffer);
  const count = scales.columns;
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const grid = Math.floor(index / columns) * count + at(groupOf, index % columns);
    return (at(data, index) - at(zeros.data, grid)) * at(scale, grid);
  });
}

test("with a grid, layers hold the blocks of that GGUF type, or of its fallback, and no values beside them", async () => {
  await withTinyModel({}, async (model) => {
    const context = recordingContext();
    const inputs = { factors: [factorStream(model.address, await factorsOf(model))] };
    const { layers } = await compress.run(inputs, { model: model.path, solver: "gptq", grid: "Q4_K" }, context);
    assert.ok(layers);
    assert.equal(parseMetadata("layers", layers.schema).options["grid"], "Q4_K");
    const made = await collect(readLayers(layers));
    assert.is(made.length, 8);
    for (const layer of made) {
      const { tensor, summary, values, blocks, codes } = layer;
      assert.is(summary.grid, "Q5_0");
      assert.equal([summary.bits, codes, values], [undefined, undefined, undefined]);
      assert.ok(blocks);
      const [rows = NaN, columns = NaN] = model.checkpoint.info(tensor).shape;
      assert.equal(layerShape(layer), { dtype: "f32", rows, columns });
      assert.equal([blocks.dtype, blocks.rows, blocks.columns], ["u8", rows, (columns / 32) * 22]);
      const decoded = new Float32Array(rows * columns);
      quantisationTypeNamed("Q5_0").decode?.(blocks.data.slice(), decoded);
      assert.equal(layerValues(layer), decoded);
    }
    assert.equal(context.warnings, [
      "weights of 32 columns take Q5_0, since these are no whole blocks of Q4_K",
      "weights of 128 columns take Q5_0, since these are no whole blocks of Q4_K",
    ]);
  });
  await withTinyModel({ hiddenSize: 24 }, async (model) => {
    const context = recordingContext();
    const inputs = { factors: [factorStream(model.address, await factorsOf(model))] };
    const { layers } = await compress.run(inputs, { model: model.path, solver: "rtn", grid: "Q4_0" }, context);
    assert.ok(layers);
    assert.equal(
      (await collect(readLayers(layers))).map(({ summary }) => summary.grid),
      ["Q4_0", "Q4_0"],
    );
    assert.is(context.warnings.length, 6);
    assert.match(at(context.warnings, 0), /^tensor .* has 24 columns, no whole blocks; it stays uncompressed$/);
  });
});

test("every weight of every site becomes a layer, in order, whose codes give the written values", async () => {
  await withTinyModel({}, async (model) => {
    const layers = await runCompress(model, await factorsOf(model), { solver: "gptq", bits: 3, groupSize: 16 });
    const tensors = model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
    assert.equal(
      layers.map(({ tensor }) => tensor),
      tensors,
    );
    for (const layer of layers) {
      const { dtype, rows, columns } = layerShape(layer);
      assert.is(dtype, "f16");
      const values = layerValues(layer);
      assert.equal([values.length, [...values]], [rows * columns, [...roundTo("f16", dequantise(layer))]]);
      const { bits, groupSize, symmetric, solver, error, damage, sparsity } = layer.summary;
      assert.equal(
        { bits, groupSize, symmetric, solver, sparsity },
        { bits: 3, groupSize: 16, symmetric: false, solver: "gptq", sparsity: 0 },
      );
      assert.ok(error > 0 && damage > 0 && damage < 0.2, `${damage}`);
    }
  });
});

test("the metadata says on which grids the layers lie, where no option did", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const records = await factorsOf(model);
    const optionsOf = async (options: object) => {
      const inputs = { factors: [factorStream(model.address, records)] };
      const { layers } = await compress.run(inputs, { model: model.path, ...options }, recordingContext());
      assert.ok(layers);
      return parseMetadata("layers", layers.schema).options;
    };
    assert.is((await optionsOf({ solver: "rtn", bits: 3 }))["symmetric"], false);
    assert.is((await optionsOf({ solver: "rtn", bits: 3, symmetric: true }))["symmetric"], true);
    assert.is((await optionsOf({ solver: "rtn" }))["symmetric"], true);
    const half = await optionsOf({ solver: "sparsegpt" });
    assert.not.ok("symmetric" in half, "no grid");
  });
});

test("by hand nothing says what a format holds, nor that there are dense states: each weight has the grid of its own bits", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const inputs = { factors: [factorStream(model.address, await factorsOf(model))] };
    const { layers } = await compress.run(inputs, { model: model.path, solver: "gptq", bits: 3 }, recordingContext());
    assert.ok(layers);
    const { options } = parseMetadata("layers", layers.schema);
    assert.equal([options["symmetric"], options["minZeroPoint"], options["qep"]], [false, undefined, undefined]);
    // embedding and head by theirs, not by those of the other weights
    for (const [bits, embeddings] of [
      [4, 3],
      [3, 4],
    ] as const) {
      const own = { model: model.path, solver: "rtn", withoutFactors: true, bits, embeddings };
      const made = await compress.run({}, own, recordingContext());
      assert.ok(made.layers);
      const found = await collect(readLayers(made.layers));
      assert.is(found.at(0)?.summary.symmetric, bits > 3);
      assert.is(found.at(-1)?.summary.symmetric, embeddings > 3);
    }
  });
});

test("errors are tr(ΔW·H·ΔWᵀ) of the written values", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const { width, name } = at(at(model.blocks, 0).sites, 0);
    const record = await makeFactor("h.0", name, width);
    const layer = at(await runCompress(model, [record], { solver: "magnitude", pattern: "2:4" }), 0);
    const before = await model.checkpoint.readF32(layer.tensor);
    const change = layerValues(layer).map((value, index) => value - at(before, index));
    let expected = 0;
    for (let start = 0; start < change.length; start += width) {
      for (let column = 0; column < width; column += 1) {
        const d = at(change, start + column);
        expected += at(record.diagonal, column) * d * d + (column > 2 ? at(change, start + column - 1) * d : 0);
      }
    }
    // each product sums 32 terms in float32: 32 · 2⁻²⁴ = 2e-6 at worst of what is then added in float64
    assert.ok(Math.abs(layer.summary.error / expected - 1) < 1e-5, `${layer.summary.error} and ${expected}`);
    assert.is(layer.summary.sparsity, 0.5);
    const bits = layer.mask;
    assert.ok(bits);
    assert.equal([bits.dtype, bits.data.length], ["u1", layerShape(layer).rows * Math.ceil(width / 8)]);
    const values = layerValues(layer);
    const agrees = values.every((value, index) => {
      const row = Math.floor(index / width);
      const column = index % width;
      const kept = (at(bits.data, row * Math.ceil(width / 8) + (column >> 3)) >> (column & 7)) & 1;
      return kept === 1 ? value === before[index] : value === 0;
    });
    assert.ok(agrees);
    const { gram: _gram, ...diagonalOnly } = record;
    const coarse = at(await runCompress(model, [diagonalOnly], { solver: "magnitude", pattern: "2:4" }), 0);
    const fromDiagonal = change.reduce((sum, d, index) => sum + at(record.diagonal, index % width) * d * d, 0);
    assert.ok(Math.abs(coarse.summary.error / fromDiagonal - 1) < 1e-5);
  });
});

/** Runs compress without factors. */
async function runPlain(model: Model, options: Readonly<Record<string, unknown>>): Promise<LayerRecord[]> {
  const { layers } = await compress.run({}, { model: model.path, withoutFactors: true, ...options }, recordingContext());
  assert.ok(layers);
  assert.equal(parseMetadata("layers", layers.schema).weights, {}, "no mix");
  return collect(readLayers(layers));
}

const written = ({ summary: _summary, ...parts }: LayerRecord) => parts;
const squaresOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
const momentsOf = (layers: readonly LayerRecord[]) => [...new Set(layers.map(({ summary }) => summary.moment))];

test("a solver that needs no statistics makes the same layers without factors", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    for (const options of [{ solver: "rtn", bits: 3, groupSize: 16 }, { solver: "magnitude" }]) {
      const [factored, plain] = [await runCompress(model, await factorsOf(model), options), await runPlain(model, options)];
      assert.equal(plain.map(written), factored.map(written));
      const [first] = plain as [LayerRecord];
      const { tensor, summary } = first;
      const before = await model.checkpoint.readF32(tensor);
      const change = squaresOf(layerValues(first).map((value, index) => value - at(before, index)));
      // both are sums of the same float32 values, in the one case of their products rounded to float32: 2⁻²⁴ each
      assert.ok(Math.abs(summary.error / change - 1) < 1e-6, `${summary.error} and ${change}`);
      assert.ok(Math.abs(summary.damage / (change / squaresOf(before)) - 1) < 1e-6);
    }
  });
});

test("a summary says what stood for the Gram", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const records = await factorsOf(model);
    const diagonals = records.map(({ gram: _gram, ...record }) => record);
    assert.equal(momentsOf(await runCompress(model, records, { solver: "rtn" })), [undefined]);
    assert.equal(momentsOf(await runCompress(model, diagonals, { solver: "rtn" })), ["diagonal"]);
    assert.equal(momentsOf(await runPlain(model, { solver: "rtn" })), ["identity"]);
  });
});

test("factors are left out by the flag alone, and by a solver that does without", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const run = (inputs: StageInputs, options: object) =>
      compress.run(inputs, { model: model.path, ...options }, recordingContext());
    const factors = [factorStream(model.address, await factorsOf(model))];
    await rejects(run({}, { solver: "rtn" }), UsageError, /compress: give it factors/);
    await rejects(run({ factors }, { solver: "rtn", withoutFactors: true }), UsageError, /--without-factors takes no factors/);
    const needing = { model: model.path, solver: "wanda", withoutFactors: true };
    await rejects(run({}, needing), UsageError, /solver wanda needs statistics \(diagonal\); give compress factors/);
    const check = async (): Promise<void> => compress.checkPlan?.(needing, { solver: "wanda", codes: "none" });
    await rejects(check(), UsageError, /solver wanda needs statistics/);
  });
});

test("a model that is packed already is refused, as assemble would its layers", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const file = join(model.path, "config.json");
    const config = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(
      file,
      JSON.stringify({ ...config, quantization_config: { quant_method: "compressed-tensors", format: "dense" } }),
    );
    const options = { model: model.path, solver: "rtn", withoutFactors: true };
    const packed = compress.run({}, options, recordingContext());
    await rejects(packed, FailedPreconditionError, /is quantised already; give the model it was made from$/);
  });
});

test("the same factors give the same address", async () => {
  await withTinyModel({ dtype: "bf16" }, async (model) => {
    const records = await factorsOf(model);
    const address = async () => {
      const options = { model: model.path, solver: "sparsegpt", bits: "4" };
      const { layers } = await compress.run({ factors: [factorStream(model.address, records)] }, options, recordingContext());
      assert.ok(layers);
      return (await contentAddress(layers)).address;
    };
    assert.is(await address(), await address());
  });
});

test("further options are the solver's, and unknown ones are refused", async () => {
  const { moreOptions } = compress;
  assert.ok(moreOptions);
  assert.ok("useVariant" in (await moreOptions({ solver: "wanda" })));
  assert.ok("groupSize" in (await moreOptions({})));
  await withTinyModel({}, async (model) => {
    await rejects(runCompress(model, [], { solver: "wanda", bits: 3 }), UsageError, /compress: unknown option --bits/);
    await rejects(runCompress(model, [], { solver: "gptq", bits: 9 }), UsageError, /--bits must be at least 2 and at most 8/);
    await rejects(runCompress(model, [], { solver: "wandar" }), UsageError, /no solver "wandar"/);
  });
});

const without = ({ upper: _upper, ...record }: FactorRecord, summary: Partial<FactorRecord["summary"]> = {}): FactorRecord => ({
  ...record,
  summary: { ...record.summary, factorised: false, ...summary },
});

test("grids for a solver that only prunes are refused with the solvers that round", async () => {
  for (const given of [
    { solver: "wanda", bits: 3 },
    { solver: "magnitude", groupSize: 32 },
    { solver: "alps", grid: "Q4_K" },
  ]) {
    const name = Object.keys(given)[1]?.replace("groupSize", "group-size") ?? "";
    await rejects(
      compress.moreOptions?.(given) ?? Promise.resolve(),
      UsageError,
      new RegExp(`^${given.solver} takes no --${name}, since it does not round weights; gptq, rtn`),
    );
  }
  assert.ok(Object.hasOwn((await compress.moreOptions?.({ solver: "sparsegpt", bits: 3 })) ?? {}, "bits"));
});

test("what does not fit the solver or the model is refused with the remedy", async () => {
  await withTinyModel({}, async (model) => {
    const record = await makeFactor("h.0", "mlp-down", 128);
    const run = (records: FactorRecord[], options = {}) => runCompress(model, records, options);
    const activation = { ...record, summary: { ...record.summary, orderName: "activation" } };
    await rejects(run([activation], { solver: "sparsegpt" }), UsageError, /order is activation; factor with --order natural/);
    assert.is((await run([activation], { solver: "wanda" })).length, 1);
    await rejects(run([without(record)]), BadDataError, /has no triangular matrix; capture grams/);
    await rejects(run([{ ...record, block: "h.9" }]), BadDataError, /the model has no such site/);
    await rejects(run([await makeFactor("h.0", "mlp-down", 16)]), BadDataError, /16 wide, the model has width 128 there/);
    const other = compress.run({ factors: [factorStream("0".repeat(64), [])] }, { model: model.path }, recordingContext());
    await rejects(other, BadDataError, /factors are of model 0{64}/);
    const stopped = { ...recordingContext(), signal: AbortSignal.abort() };
    await rejects(runCompress(model, [record], {}, stopped), InterruptedError, /stopped/);
  });
});

test("m-wanda reads the diagonals of languages, and says how to get them", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const record = await makeFactor("h.0", "mlp-down", 128);
    const weights = { en: 0.5, mr: 0.5 };
    const halves = Object.keys(weights).map((language, half) => ({
      language,
      values: record.diagonal.map((value, column) => (column % 2 === half ? 2 * value : 0)),
    }));
    const asked = { ...record, summary: { ...record.summary, weights }, languageDiagonals: halves };
    const plain = await runCompress(model, [record], { solver: "wanda", sparsity: 0.6 });
    const same = await runCompress(model, [asked], { solver: "m-wanda", sparsity: 0.6, variance: 0 });
    assert.equal(at(same, 0).mask, at(plain, 0).mask);
    await rejects(
      runCompress(model, [record], { solver: "m-wanda" }),
      BadDataError,
      /h\.0 mlp-down: the factor has no diagonals of languages; factor with --language-diagonals/,
    );
  });
});

test("a site without a factor falls back where solve said so, and is counted", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const records = (await factorsOf(model)).map((record, index) =>
      index === 0 ? without(record, { fallback: "rtn" }) : record,
    );
    for (const [solver, fallback, part] of [
      ["gptq", "rtn", "codes"],
      ["sparsegpt", "magnitude", "mask"],
    ] as const) {
      const context = recordingContext();
      const layers = await runCompress(model, records, { solver }, context);
      assert.equal(
        layers.map(({ summary }) => summary.fallback),
        [fallback, undefined, undefined, undefined],
      );
      assert.ok(layers.every((layer) => layer[part] !== undefined));
      assert.match(context.warnings.join(), /1 of 4 sites had no factor/);
    }
    // magnitude has no bits, and would leave the site unrounded
    const both = runCompress(model, records, { solver: "sparsegpt", bits: 4 });
    await rejects(
      both,
      BadDataError,
      /h\.0 \S+ has no factor; .*sparsegpt prunes and rounds at once: factor again with more --damping/,
    );
  });
});

test("a site that too few tokens reached is rounded to nearest, whatever the solver reads, and one with a stand-in says so", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const records = (await factorsOf(model)).map((record, index): FactorRecord => {
      if (index === 0) return without(record, { reached: 3, starved: "rtn" });
      return index === 1 ? { ...record, summary: { ...record.summary, reached: 3, starved: "block" } } : record;
    });
    for (const [solver, fallback] of [
      ["gptq", "rtn"],
      ["awq", "rtn"],
      ["wanda", "magnitude"],
      ["rtn", undefined],
    ] as const) {
      const layers = await runCompress(model, records, { solver });
      const [first, second, third] = layers.filter(
        ({ site }, index) => layers.findIndex((layer) => layer.site === site) === index,
      );
      assert.equal(
        [first, second, third].map((layer) => layer?.summary.fallback),
        [fallback, undefined, undefined],
      );
      assert.equal(
        [first, second, third].map((layer) => layer?.summary.standIn),
        [undefined, "block", undefined],
      );
    }
  });
});

test("a tensor with NaN is refused, or left alone on request", async () => {
  await withTinyModel({ blocks: 1 }, async ({ path: folder }) => {
    const name = putValue(folder, "h.0.mlp.dense_h_to_4h.weight", 0, NaN);
    const { openModel } = await import("@mbs/models");
    const model = await openModel(folder, { allowNonfinite: true });
    const records = await factorsOf(model);
    await rejects(runCompress(model, records, {}), BadDataError, /dense_h_to_4h.weight has NaN at index 0/);
    const context = recordingContext();
    const layers = await runCompress(model, records, { allowNonfinite: true }, context);
    assert.is(layers.length, 3);
    assert.ok(!layers.some(({ tensor }) => tensor === name));
    assert.match(context.warnings.join(), /dense_h_to_4h.weight has NaN or Inf and stays uncompressed/);
    await model.close();
  });
});

test("a weight that is too large for any scale is refused with its tensor", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-large-"));
  try {
    const model = join(folder, "model");
    await cp(new URL("../../models/test/fixtures/forward/llama-grouped-f32", import.meta.url), model, { recursive: true });
    const name = putValue(model, "layers.0.mlp.up_proj.weight", 3, -3.3e38);
    const run = async (more: object) => {
      const { layers } = await compress.run({}, { model, withoutFactors: true, ...more }, recordingContext());
      assert.ok(layers);
      return collect(readLayers(layers));
    };
    const expected = new RegExp(`tensor ${name} has -3\\.\\d+e\\+38, which is too large for any scale`);
    await rejects(run({ solver: "rtn" }), BadDataError, expected);
    assert.ok((await run({ solver: "magnitude", sparsity: 0.5 })).some(({ tensor }) => tensor === name));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("without factors, a norm with Inf is refused before a weight is compressed", async () => {
  await withTinyModel({ blocks: 1 }, async ({ path: model }) => {
    const name = putValue(model, "post_attention_layernorm.weight", 3, Infinity);
    const run = (more: object) => compress.run({}, { model, solver: "rtn", withoutFactors: true, ...more }, recordingContext());
    await rejects(run({}), BadDataError, new RegExp(`tensor ${name} has Infinity at index 3; .*--allow-nonfinite`));
    const { layers } = await run({ allowNonfinite: true });
    assert.ok(layers);
    assert.is((await collect(readLayers(layers))).length, 4);
  });
});

test("an input scale goes into the norm before the site, and errors are of what acts on the input as it was", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const path = join(model.path, "scaling.mjs");
    writeFileSync(
      path,
      `export default { name: "scaling", source: "here", summary: "scales", needs: [], options: {},
        solve({ values, columns, scalable }) {
          if (!scalable) return { values };
          const inputScale = Float32Array.from({ length: columns }, (_, channel) => 1 + channel / 10);
          return { inputScale, values: values.map((value, position) => Math.round(value * inputScale[position % columns] * 8) / 8) };
        } };`,
    );
    const width = 32;
    const record = await makeFactor("h.0", "mlp-up", width);
    const [layer, weight, bias, ...rest] = await runCompress(model, [record], { solver: path });
    assert.equal(rest, []);
    assert.ok(layer?.inputScale && weight && bias && record.gram);
    const scale = floats(layer.inputScale);
    assert.is(scale[10], 2);
    for (const [norm, kind] of [
      [weight, "weight"],
      [bias, "bias"],
    ] as const) {
      assert.match(norm.tensor, new RegExp(`h.0.post_attention_layernorm.${kind}$`));
      assert.equal(layerShape(norm), { dtype: "f16", rows: 1, columns: width });
      const stored = await model.readWeight(norm.tensor);
      assert.equal(
        [...layerValues(norm)],
        [
          ...roundTo(
            "f16",
            stored.map((value, channel) => value / at(scale, channel)),
          ),
        ],
      );
    }
    const gram = unpackUpper(record.gram, width, "mirror");
    const stored = await model.readWeight(layer.tensor);
    const change = layerValues(layer).map((value, position) => at(stored, position) - value / at(scale, position % width));
    const error = (await outputByRow(plainBlas, change, change.length / width, { gram })).reduce((sum, value) => sum + value, 0);
    // plain products against the engine's, each with sums of 32 terms in float32: 32 · 2⁻²⁴ = 2e-6 at worst of Σ|ΔW|·|H|·|ΔW|
    assert.ok(Math.abs(layer.summary.error / error - 1) < 1e-4, `${layer.summary.error}, expected ${error}`);
    // nothing but an activation makes what the last matrix reads
    const unscaled = await runCompress(model, [await makeFactor("h.0", "mlp-down", 128)], { solver: path });
    assert.equal([unscaled.length, at(unscaled, 0).inputScale], [1, undefined]);
  });
});

test("gptaq without cross-moments is refused with the remedy", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const running = runCompress(model, await factorsOf(model), { solver: "gptaq" });
    await rejects(running, BadDataError, /has no cross moment; capture with --dense-states, or take gptq/);
  });
});

/** A solver that makes all weights 0, with `wrong` in its `quantised`. */
const quantising = (wrong: string): string => `({ rows, columns, values }) => {
  const codes = new Uint8Array(rows * columns);
  const [scales, zeros, groupOf] = [new Float32Array(rows).fill(1), new Uint8Array(rows), new Int32Array(columns)];
  const quantised = { bits: 4, groupSize: columns, symmetric: false, codes, scales, zeros, groupOf };
  return { values: values.fill(0), quantised: { ...quantised, ${wrong} } };
}`;

const solverModule = (solve: string, options = "{}"): string =>
  `export default { name: "mine", source: "here", summary: "mine", needs: [], options: ${options}, solve: ${solve} };`;

test("a solver whose option is named like the stage's own is refused with its options", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    for (const option of ["model", "solver", "allowNonfinite"]) {
      const solver = join(model.path, `${option}.mjs`);
      writeFileSync(solver, solverModule("() => {}", `{ ${option}: { kind: "flag", description: "mine" } }`));
      const pattern = new RegExp(`^solver mine declares an option ${option}, which is the stage's own; rename it there$`);
      assert.ok(compress.moreOptions);
      await rejects(compress.moreOptions({ solver }), UsageError, pattern);
      await rejects(runCompress(model, [], { solver }), UsageError, pattern);
    }
  });
});

test("an error of a third-party solver is reported as its own, whatever code, name or tag it has", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const record = await makeFactor("h.0", "mlp-down", 128);
    const run = async (name: string, solve: string, context = recordingContext()) => {
      const path = join(model.path, `${name}.mjs`);
      writeFileSync(path, solverModule(solve));
      return runCompress(model, [record], { solver: path }, context);
    };
    const thrown = {
      code: `Object.assign(new Error("gone"), { code: "EPIPE" })`,
      name: `Object.assign(new Error("gone"), { name: "AbortError" })`,
      tag: `Object.assign(new Error("gone"), { tag: "broken-pipe" })`,
      text: `"gone"`,
    };
    for (const [name, error] of Object.entries(thrown)) {
      await rejects(
        run(name, `() => { throw ${error}; }`),
        InternalError,
        /^solver mine failed at h\.0 mlp-down: '?gone'?; fix it/,
      );
    }
    await rejects(run("later", `async () => { throw ${thrown.code}; }`), InternalError, /failed at h\.0 mlp-down: gone/);
    const refusal = `Object.assign(new Error("bits must be even"), { tag: "usage" })`;
    await rejects(
      run("refusing", `() => { throw ${refusal}; }`),
      UsageError,
      /^solver mine at h\.0 mlp-down: bits must be even$/,
    );
    const controller = new AbortController();
    const stopping = { ...recordingContext(), signal: controller.signal, warn: () => controller.abort() };
    const stoppable = `(weight, statistics, options, { signal, warn }) => { warn("begun"); throw signal.reason; }`;
    await rejects(run("stoppable", stoppable, stopping), InterruptedError, /stopped/);
  });
});

test("a third-party solver that breaks the contract is refused", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const record = await makeFactor("h.0", "mlp-down", 128);
    for (const [solve, pattern] of [
      ["() => undefined", /solver mine at h\.0 mlp-down handed back undefined, not a solution; it breaks the contract/],
      ["() => ({})", /solver mine at h\.0 mlp-down handed back values that are no Float32Array; it breaks the contract/],
      [
        "() => ({ values: new Float32Array(3) })",
        /solver mine at h\.0 mlp-down handed back 3 values for a weight of 32×128; it breaks/,
      ],
      ["({ values }) => ({ values, mask: [1] })", /solver mine at h\.0 mlp-down handed back a mask that is no Uint8Array/],
      ["({ values }) => ({ values, inputScale: new Float32Array(128).fill(1) })", /scales an input that nothing can scale/],
      [
        "({ values }) => ({ values: values.fill(NaN) })",
        /solver mine at h\.0 mlp-down made NaN at row 0, column 0; factor with more --damping/,
      ],
      [quantising("scales: undefined"), /solver mine at h\.0 mlp-down handed back scales that are no Float32Array; it breaks/],
      [
        quantising("codes: codes.fill(200)"),
        /solver mine at h\.0 mlp-down made codes that hold 200 at row 0, column 0, which 4 bits do not; it breaks/,
      ],
      [quantising("groupOf: groupOf.fill(1)"), /solver mine at h\.0 mlp-down made groups that put column 0 in group 1 of 1; it/],
      [quantising("groupSize: columns + 1"), /made groups that are of 129 columns, not of 1 to 128; it breaks the contract/],
      [quantising('bits: "4"'), /made codes that are of 4 bits, not of 1 to 8; it breaks the contract/],
      [
        quantising("codes: codes.fill(1)"),
        /solver mine at h\.0 mlp-down made values that hold 0 at row 0, column 0, its codes say 1; it breaks/,
      ],
      [quantising("scales: scales.fill(0.1)"), /solver mine at h\.0 mlp-down has the scale 0\.1\d+, which is none of f16/],
      [
        "(weight, { gram }) => gram[0]",
        /solver mine failed at h\.0 mlp-down: it reads the statistic gram, which its needs do not name; fix it/,
      ],
      ["() => new Promise(() => {})", /solver mine never settles its promise at h\.0 mlp-down; fix it/],
    ] as const) {
      const path = join(model.path, `solver-${pattern.source.length}-${solve.length}.mjs`);
      writeFileSync(path, solverModule(solve));
      await rejects(runCompress(model, [record], { solver: path }), InternalError, pattern);
    }
  });
});

const joinParts = async (...parts: readonly ArtifactStream[]): Promise<ArtifactStream> => {
  const { layers } = await joinLayers.run({ layers: parts }, {}, recordingContext());
  assert.ok(layers);
  return layers;
};

test("rows that are compressed apart and joined are the whole", async () => {
  await withTinyModel({}, async (model) => {
    const records = await factorsOf(model);
    const options = { model: model.path, solver: "gptq", bits: 3, groupSize: 16 };
    const made = async (more: object = {}): Promise<ArtifactStream> => {
      const inputs = { factors: [factorStream(model.address, records)] };
      const { layers } = await compress.run(inputs, { ...options, ...more }, recordingContext());
      assert.ok(layers);
      return layers;
    };
    const whole = await made();
    const inBlocks = { bits: undefined, groupSize: undefined, grid: "Q4_0" };
    // more parts than the smaller sites have strips of 32 rows
    for (const [of, form] of [
      [2, {}],
      [3, {}],
      [7, {}],
      [3, inBlocks],
    ] as const) {
      const whole = await made(form);
      const expected = await collect(readLayers(whole));
      const parts = await Promise.all(Array.from({ length: of }, (_, index) => made({ ...form, rows: `${index + 1}/${of}` })));
      const joined = await joinParts(...parts.toReversed());
      assert.equal(parseMetadata("layers", joined.schema), parseMetadata("layers", whole.schema));
      const layers = await collect(readLayers(joined));
      assert.is(layers.length, expected.length);
      for (const [index, layer] of layers.entries()) {
        const { summary, ...data } = at(expected, index);
        const { error, damage, ...others } = layer.summary;
        assert.equal({ ...layer, summary: undefined }, { ...data, summary: undefined }, `${of} parts, ${layer.tensor}`);
        const { error: wholeError, damage: wholeDamage, ...wholeOthers } = summary;
        assert.equal(others, wholeOthers);
        // sums of the same rows in another order
        assert.ok(Math.abs(error / wholeError - 1) < 1e-6 && Math.abs(damage / wholeDamage - 1) < 1e-6);
      }
    }
    const [first, second, third] = [await made({ rows: "1/3" }), await made({ rows: "2/3" }), await made({ rows: "3/3" })];
    await rejects((async () => collect(readLayers(first)))(), FailedPreconditionError, /part 1 of 3 of the rows; join all parts/);
    await rejects(joinParts(second, third), BadDataError, /only 2 to 3 of 3 of the rows is given/);
    await rejects(
      joinParts(await made({ rows: "1/2" }), await made({ rows: "2/2", bits: 4 })),
      BadDataError,
      /their options differs/,
    );
    await rejects(joinParts(whole), UsageError, /whole already/);
    await rejects(
      made({ solver: "sparsegpt", bits: undefined, groupSize: undefined, rows: "1/2" }),
      UsageError,
      /all rows of a site together/,
    );
    await rejects(made({ rows: "3/2" }), UsageError, /--rows takes PLACE\/COUNT/);
  });
});

test.run();
