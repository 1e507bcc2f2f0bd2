import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  collect,
  encodeFactors,
  encodeLayers,
  encodeSegments,
  encodeStatistics,
  layerShape,
  layerValues,
  parseMetadata,
  readFactors,
  readLayers,
  readStatistics,
  unpackFiles,
} from "@mbs/artifacts";
import type { FactorRecord, LayerRecord, Statistic, TensorData } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream, StageInputs } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { decodeHalf, encodeWeights } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import { createSession, elementTypeNumbers } from "@mbs/onnx";
import type { Tensor } from "@mbs/onnx";
import { feedOf, tokensFeed } from "../../../models/src/onnx-model/graph-feeds.ts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { firstDifferences } from "../fixtures/first-differences.ts";
import type { Walked } from "../fixtures/first-differences.ts";
import { present } from "../fixtures/present.ts";
import { contextOf, runStage } from "../fixtures/stage-runs.ts";

const fixtures = fileURLToPath(new URL("../../../models/test/fixtures/", import.meta.url));
const datasets = fileURLToPath(new URL("../../../../datasets/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-onnx-models-"));
test.after(() => rm(root, { recursive: true }));

const warnings: string[] = [];
const context = contextOf((message) => void warnings.push(message));

const stage = (name: string, inputs: StageInputs, options: object): Promise<ArtifactStream> =>
  runStage(name, inputs, options, context);

/** An export beside the configuration and tokenizer of its model, as a user has it. */
async function exported(name: string, twin: string): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  await cp(`${fixtures}onnx/${name}`, folder, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/${twin}/${file}`, join(folder, file));
  return folder;
}

/** What our own exporter makes of a model, uncompressed. */
async function written(twin: string): Promise<string> {
  const folder = join(root, basename(twin));
  const files = await stage("assemble", { layers: [] }, { model: twin, format: "onnx" });
  await unpackFiles(files, folder, { force: false });
  return folder;
}

/** Tokens of one of six calibration segments, or of a later one, which is for evaluation. */
type Tokens = (segment: number) => Int32Array;

const anyTokens: Tokens = (segment) =>
  Int32Array.from({ length: 40 }, (_, position) => 4 + ((segment * 13 + position * position * 7 + position) % 58));

function segments(model: Model, tokensOf: Tokens): ArtifactStream {
  const made = Array.from({ length: 6 }, (_, segment) => ({
    segment,
    language: segment % 2 === 0 ? "en" : "mr",
    documents: 1,
    tokens: tokensOf(segment),
  }));
  const unknown = { corpus: "c".repeat(64), distribution: "", mix: "equal", seed: 0, counts: {}, shortfall: {} };
  return encodeSegments(made, { tokenizer: model.tokenizerAddress, length: tokensOf(0).length, ...unknown });
}

interface Compressed {
  readonly statistics: readonly Statistic[];
  readonly factors: readonly FactorRecord[];
  readonly layers: readonly LayerRecord[];
  /** These layers as an artifact, as often as wanted; default its own. */
  readonly stream: (layers?: readonly LayerRecord[]) => ArtifactStream;
}

/** @param change what becomes of each value of the statistics; default nothing */
async function compressed(
  model: Model,
  solver: object,
  tokensOf: Tokens,
  change: (value: number, index: number) => number = (value) => value,
): Promise<Compressed> {
  const folder = { model: model.path };
  const captured = await stage("capture", { source: [segments(model, tokensOf)] }, folder);
  const metadata = parseMetadata("statistics", captured.schema);
  const measured: Statistic[] = await collect(readStatistics(captured));
  const statistics = measured.map((statistic): Statistic => ({ ...statistic, values: statistic.values.map(change) }));
  const factors = await stage("factor", { statistics: [encodeStatistics(statistics, metadata)] }, { damping: 0.01 });
  const factorMetadata = parseMetadata("factors", factors.schema);
  const solved: FactorRecord[] = await collect(readFactors(factors));
  const made = await stage("compress", { factors: [encodeFactors(solved, factorMetadata)] }, { ...folder, ...solver });
  const layersMetadata = parseMetadata("layers", made.schema);
  const layers: LayerRecord[] = await collect(readLayers(made));
  return { statistics, factors: solved, layers, stream: (chosen = layers) => encodeLayers(chosen, layersMetadata) };
}

/** The values of a layer in another dtype, which holds each of them. */
function inDtype(layer: LayerRecord, dtype: string): Pick<LayerRecord, "values"> {
  const data = encodeWeights(dtype as WeightDtype, layerValues(layer));
  return { values: { ...layerShape(layer), dtype: dtype as WeightDtype, data } };
}

/** The same values alone, as a weight that no grid says anything of. */
function withoutCodes({ codes: _codes, scales: _scales, zeros: _zeros, groups: _groups, ...layer }: LayerRecord): LayerRecord {
  const { bits: _bits, groupSize: _groupSize, symmetric: _symmetric, ...summary } = layer.summary;
  return { ...layer, summary };
}

/** The values that its codes stand for in the dtype of the values, which may be finer than the one they were rounded to. */
function withCodes(layer: LayerRecord): LayerRecord {
  const { rows, columns, dtype } = layerShape(layer);
  const part = (name: "codes" | "scales" | "zeros" | "groups"): TensorData => present(layer[name], `${name} of ${layer.tensor}`);
  const [codes, zeros] = [part("codes").data, part("zeros").data];
  const scales = new Float32Array(new Uint8Array(part("scales").data).buffer);
  const groupOf = new Int32Array(new Uint8Array(part("groups").data).buffer);
  const groups = part("scales").columns;
  const values = Float32Array.from(codes, (code, index) => {
    const grid = Math.floor(index / columns) * groups + at(groupOf, index % columns);
    return (code - at(zeros, grid)) * at(scales, grid);
  });
  return { ...layer, values: { dtype, rows, columns, data: encodeWeights(dtype as WeightDtype, values) } };
}

async function assembled(model: Model, layers: ArtifactStream, format: string, name: string): Promise<Model> {
  const files = await stage("assemble", { layers: [layers] }, { model: model.path, format });
  await unpackFiles(files, join(root, name), { force: false });
  return openModel(join(root, name));
}

async function perplexity(model: Model, tokensOf: Tokens): Promise<number> {
  const forward = await model.forward({ threads: 1 });
  let [nats, count] = [0, 0];
  for (const segment of [11, 12, 13]) {
    const tokens = tokensOf(segment);
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    for (const loss of await forward.score(states, tokens)) [nats, count] = [nats + loss, count + 1];
  }
  await forward.close();
  return Math.exp(nats / count);
}

const logitValues = (tensor: Tensor | undefined): Float32Array => {
  if (tensor?.type === "float16") return decodeHalf(tensor.data);
  return tensor?.type === "float32" ? tensor.data : (assert.unreachable("no logits") as never);
};

/** Logits by the file as other programs load it, whole. */
async function wholeLogits(model: Model, tokens: Int32Array): Promise<Float32Array> {
  if (model.kind !== "graph") throw new Error("no graph");
  const session = await createSession(model.graph.path, { threads: 1 });
  const batch = { batch: 1, length: tokens.length };
  const feeds = model.graph.inputs.map((input): [string, Tensor] => {
    if (input.name === "input_ids") return [input.name, tokensFeed(tokens, batch, input)];
    const feed = feedOf(input, batch, 1);
    const half = input.type === elementTypeNumbers.float16;
    return [input.name, half ? { type: "float16", dims: feed.dims, data: new Uint16Array(0) } : feed];
  });
  const { logits } = await session.run(Object.fromEntries(feeds));
  await session.release();
  return logitValues(logits);
}

async function ownLogits(model: Model, tokens: Int32Array): Promise<Float32Array> {
  const forward = await model.forward({ threads: 1 });
  let states = await forward.embed(tokens);
  for (const index of model.blocks.keys()) states = await forward.block(index, states);
  const { values } = await forward.logits(states);
  await forward.close();
  return values;
}

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const distance = (a: Float32Array, b: Float32Array): number => {
  assert.is(a.length, b.length);
  return largest(a.map((value, index) => value - at(b, index))) / largest(b);
};

interface Case {
  readonly name: string;
  /** The safetensors model of the same weights. */
  readonly twin: string;
  readonly folder: () => Promise<string>;
  /** Statistics equal the twin's to this share of a matrix's largest value, perplexity to this share of its own. */
  readonly tolerance: number;
  readonly bits: number;
  readonly groupSize: number;
  readonly tokens: Tokens;
  /** Whether its products can be replaced. */
  readonly packs: boolean;
}

const twinOf = (name: string): string => `${fixtures}forward/${name}`;
// Single precision on both sides: a state is the outcome of some 10 sums of at most 1024 products. Sums in another order end
// 1024·2⁻²⁴ = 6e-5 apart at worst, √1024·2⁻²⁴ = 2e-6 as a rule; 10 of them √10 times that.
const common = { tolerance: 1e-5, bits: 4, groupSize: 16, tokens: anyTokens, packs: true };

const foreign = (name: string, twin: string, more: Partial<Case> = {}): Case => ({
  ...common,
  name,
  twin: twinOf(twin),
  folder: () => exported(name, twin),
  ...more,
});

const own = (twin: string, more: Partial<Case> = {}): Case => ({
  ...common,
  name: `our own ${basename(twin)}`,
  twin,
  folder: () => written(twin),
  ...more,
});

const texts = await readFile(`${datasets}controlled-texts/heldout/de.jsonl`, "utf8");
const controlled = await openModel(`${datasets}controlled-bloom`);
const trainedTokens = (await controlled.tokenizer()).encode(texts.slice(0, 60_000));
await controlled.close();

const cases: readonly Case[] = [
  foreign("bloom-cache-external", "plain-f32", { bits: 2 }),
  // The export itself has rounded to half precision what positions turn heads by: by up to 2⁻¹¹ = 5e-4, in each of two blocks
  // in queries and in keys, whose products the softmax takes.
  foreign("qwen2-cache-f16", "qwen2-tied-f16", { tolerance: 5e-3 }),
  foreign("bloom-merged", "twelve-heads-f16", { packs: false }),
  foreign("gpt2-no-cache", "gpt2-f32", { bits: 3 }),
  foreign("llama-nameless-external", "llama-grouped-f32"),
  own(twinOf("gemma3-softcap-untied-f16")),
  own(twinOf("mixtral-f32")),
  own(twinOf("lfm2-f32")),
  own(`${datasets}controlled-bloom`, {
    bits: 3,
    groupSize: 64,
    // more than the widest site has channels, so that H is regular
    tokens: (segment) => trainedTokens.slice(segment * 256, (segment + 1) * 256),
  }),
];

/** The walk of GPTQ alone, its grids fitted beforehand, on the weights: what lies near a tie is then a code, never a grid. */
const gptq = ({ bits, groupSize }: Pick<Case, "bits" | "groupSize">) => ({
  solver: "gptq",
  bits,
  groupSize,
  staticGroups: true,
  search: "error",
  sweeps: 0,
});

/** The largest relative distance of two models' Grams. */
function gramDistance(expected: Compressed, found: Compressed): number {
  const gramsOf = ({ statistics }: Compressed): readonly Statistic[] => statistics.filter(({ kind }) => kind === "gram");
  const [grams, others] = [gramsOf(expected), gramsOf(found)];
  assert.is(others.length, grams.length);
  return Math.max(
    ...grams.map((gram, index) => {
      const other = at(others, index);
      assert.equal([other.language, other.tokens, other.width], [gram.language, gram.tokens, gram.width]);
      return distance(other.values, gram.values);
    }),
  );
}

/**
 * Asserts that codes are the same but in rows whose first difference lies at the boundary of two codes, nearer than what is
 * rounded there moves when statistics move by `apart`. Where it falls is a matter of the last bits of sums, which processors
 * add in different orders.
 *
 * @returns rows that differ
 */
async function expectSameCodes(dense: Model, expected: Compressed, found: Compressed, apart: number): Promise<number> {
  assert.is(found.layers.length, expected.layers.length);
  let differing = 0;
  for (const [index, layer] of expected.layers.entries()) {
    const other = at(found.layers, index);
    const { dtype, ...shape } = layerShape(layer);
    const { columns } = shape;
    const { dtype: otherDtype, ...otherShape } = layerShape(other);
    assert.equal(otherShape, shape);
    // an export that holds a weight in another dtype has scales of that dtype
    if (otherDtype !== dtype) continue;
    for (const part of ["scales", "zeros", "groups"] as const) {
      const what = `${part} of ${layer.tensor}`;
      assert.ok(Buffer.from(present(other[part], what).data).equals(present(layer[part], what).data), `${what} differ`);
    }
    const walkOf = ({ factors }: Compressed, made: LayerRecord): Walked => {
      const factor = factors.find(({ block, site }) => block === made.block && site === made.site);
      return { layer: made, factor: present(factor, `factor of ${made.tensor}`) };
    };
    const walks = [walkOf(expected, layer), walkOf(found, other)] as const;
    const differences = firstDifferences(await dense.readWeight(layer.tensor), walks);
    differing += differences.length;
    const levels = 2 ** present(layer.summary.bits, "bits");
    // The walk's own sums: `columns` subtractions in float32 of what is at most `levels` steps.
    const walking = columns * 2 ** -24 * levels;
    // U moves by what H moves times the condition number of H, which damping by 1% holds below 100·columns.
    const moving = 100 * columns * apart * levels;
    for (const { row, column, codes, values } of differences) {
      const where = `${layer.tensor} [${row}, ${column}]: codes ${codes.join(" and ")} of ${values.join(" and ")}`;
      assert.is(Math.abs(codes[0] - codes[1]), 1, where);
      const moved = Math.abs(values[0] - values[1]);
      assert.ok(moved <= moving + walking, where);
      assert.ok(Math.abs(values[0] - Math.max(...codes) + 0.5) <= moved + walking, where);
    }
  }
  return differing;
}

const rowsOf = ({ layers }: Compressed): number => layers.reduce((sum, layer) => sum + layerShape(layer).rows, 0);

for (const options of cases) {
  const { name, twin, folder, tolerance, tokens, packs } = options;
  test(`${name}: statistics, codes and outputs are those of the safetensors model`, async () => {
    const [dense, graph] = [await openModel(twin), await openModel(await folder())];
    assert.is(graph.kind, "graph");
    const solver = gptq(options);
    const [expected, found] = [await compressed(dense, solver, tokens), await compressed(graph, solver, tokens)];
    const apart = gramDistance(expected, found);
    assert.ok(apart < tolerance, `statistics differ by ${apart}`);
    const differing = await expectSameCodes(dense, expected, found, apart);
    // What is rounded moves by 1e-5 of a step (measured): a row of 1024 columns has a code that near with a chance of 2%.
    assert.ok(differing <= 0.02 * rowsOf(expected), `${differing} of ${rowsOf(expected)} rows differ`);

    const safetensors = await assembled(dense, expected.stream(), "dense", `${name}-safetensors`);
    const [uncompressed, wanted] = [await perplexity(dense, tokens), await perplexity(safetensors, tokens)];
    assert.ok(Math.abs(wanted / uncompressed - 1) > 1e-3, "compression changed nothing");
    // outputs are compared where codes are equal: the twin's layers, by the names of the graph
    const own = expected.layers.map((layer, index): LayerRecord => {
      const other = at(found.layers, index);
      const { block, site, tensor } = other;
      return { ...layer, block, site, tensor, ...inDtype(layer, layerShape(other).dtype) };
    });
    const made = [await assembled(graph, found.stream(own.map(withoutCodes)), "dense", `${name}-dense`)];
    if (packs) made.push(await assembled(graph, found.stream(own.map(withCodes)), "onnx", `${name}-packed`));
    else {
      const refusal = await assembled(graph, found.stream(own.map(withCodes)), "onnx", `${name}-packed`).then(
        () => "written",
        (error: Error) => error.message,
      );
      assert.match(refusal, /in two branches, .*assemble with --format dense/);
    }
    for (const [index, model] of made.entries()) {
      const has = await perplexity(model, tokens);
      // packed codes times scales are not rounded to the half precision of the twin's values, each by up to 2⁻¹¹
      const rounded = index > 0 && expected.layers.some(({ values }) => values?.dtype === "f16") ? 2 ** -11 : 0;
      assert.ok(Math.abs(has / wanted - 1) < tolerance + rounded, `${model.path}: ${has}, safetensors ${wanted}`);
      const text = tokens(14);
      const most = distance(await wholeLogits(model, text), await ownLogits(model, text));
      // logits, unlike means over 240 tokens, show the largest rounding of any
      assert.ok(most < tolerance * 10, `${model.path}: logits of the whole file differ by ${most}`);
    }
    for (const model of [dense, graph, safetensors, ...made]) await model.close();
  });
}

test("statistics that differ a little move codes at boundaries alone; a code moved without reason is found", async () => {
  const model = await openModel(twinOf("gpt2-f32"));
  const solver = gptq({ bits: 3, groupSize: 16 });
  const expected = await compressed(model, solver, anyTokens);
  const moved = await compressed(model, solver, anyTokens, (value, index) => value * (1 + (index % 2) * 1e-3));
  const apart = gramDistance(expected, moved);
  assert.ok(apart > 1e-4 && apart <= 1.01e-3, `${apart}`);
  const differing = await expectSameCodes(model, expected, moved, apart);
  assert.ok(differing > 0 && differing < 0.1 * rowsOf(expected), `${differing} of ${rowsOf(expected)} rows differ`);

  const [first, ...others] = expected.layers;
  assert.ok(first?.codes);
  const { codes } = first;
  const wrong = { ...first, codes: { ...codes, data: codes.data.map((code, index) => (index === 7 ? code ^ 1 : code)) } };
  const found = await expectSameCodes(model, expected, { ...expected, layers: [wrong, ...others] }, 0).then(
    () => "nothing",
    (error: Error) => error.message,
  );
  assert.match(found, /^transformer\.h\.0\.attn\.c_attn\.weight \[0, 7\]: codes /);
  await model.close();
});

test("capture prints the notes of a model, and they are in mbs.json", async () => {
  const record = JSON.parse(await readFile(join(root, "llama-nameless-external-dense/mbs.json"), "utf8")) as { notes: string[] };
  assert.match(record.notes[0] ?? "", /cut into 4 blocks, wherever all data flows through one value/);
  assert.ok(warnings.includes(record.notes[0] ?? ""));
});

test.run();
