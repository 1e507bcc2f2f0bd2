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
  parseMetadata,
  readFactors,
  readLayers,
  readStatistics,
  unpackFiles,
} from "@mbs/artifacts";
import type { LayerRecord, Statistic } from "@mbs/artifacts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { decodeHalf } from "@mbs/numbers";
import { createSession, elementTypeNumbers } from "@mbs/onnx";
import type { Tensor } from "@mbs/onnx";
import { feedOf, tokensFeed } from "../../models/src/graph-model/graph-feeds.ts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/", import.meta.url));
const datasets = fileURLToPath(new URL("../../../datasets/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-onnx-models-"));
test.after(() => rm(root, { recursive: true }));

const stages = await loadStages();
const warnings: string[] = [];
const context: StageContext = {
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: (message) => void warnings.push(message),
  threads: 1,
};

async function stage(
  name: string,
  inputs: Readonly<Record<string, readonly ArtifactStream[]>>,
  options: object,
): Promise<ArtifactStream> {
  const [made] = Object.values((await stages.get(name)?.run(inputs, options, context)) ?? {});
  if (made === undefined) throw new Error(`stage ${name} made nothing`);
  return made;
}

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

const anyTokens: Tokens = (segment) => Int32Array.from({ length: 40 }, (_, at) => 4 + ((segment * 13 + at * at * 7 + at) % 58));

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
  readonly layers: readonly LayerRecord[];
  /** Layers as an artifact, as often as wanted. */
  readonly stream: () => ArtifactStream;
}

async function compressed(model: Model, solver: object, tokensOf: Tokens): Promise<Compressed> {
  const folder = { model: model.folder };
  const captured = await stage("capture", { source: [segments(model, tokensOf)] }, folder);
  const metadata = parseMetadata("statistics", captured.schema);
  const statistics: Statistic[] = await collect(readStatistics(captured));
  const factors = await stage("solve", { statistics: [encodeStatistics(statistics, metadata)] }, { damping: 0.01 });
  const factorMetadata = parseMetadata("factors", factors.schema);
  const found = await collect(readFactors(factors));
  const made = await stage("compress", { factors: [encodeFactors(found, factorMetadata)] }, { ...folder, ...solver });
  const layersMetadata = parseMetadata("layers", made.schema);
  const layers: LayerRecord[] = await collect(readLayers(made));
  return { statistics, layers, stream: () => encodeLayers(layers, layersMetadata) };
}

async function assembled(model: Model, { stream }: Compressed, format: string, name: string): Promise<Model> {
  const files = await stage("assemble", { layers: [stream()] }, { model: model.folder, format });
  await unpackFiles(files, join(root, name), { force: false });
  return openModel(join(root, name));
}

async function perplexity(model: Model, tokensOf: Tokens): Promise<number> {
  const forward = await model.forward({ threads: 1 });
  let [nats, count] = [0, 0];
  for (const segment of [11, 12, 13]) {
    const tokens = tokensOf(segment);
    let states = await forward.embed(tokens);
    for (const index of model.steps.keys()) states = (await forward.step(index, states)).states ?? states;
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
  for (const index of model.steps.keys()) states = (await forward.step(index, states)).states ?? states;
  const { values } = await forward.logits(states);
  await forward.close();
  return values;
}

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const distance = (a: Float32Array, b: Float32Array): number => {
  assert.is(a.length, b.length);
  return largest(a.map((value, at) => value - (b[at] ?? NaN))) / largest(b);
};

const sharesEqual = (a: Uint8Array, b: Uint8Array): number => a.filter((value, at) => value === b[at]).length / b.length;

interface Case {
  readonly name: string;
  /** The safetensors model of the same weights. */
  readonly twin: string;
  readonly folder: () => Promise<string>;
  /** Statistics equal the twin's to this share of a matrix's largest value. */
  readonly tolerance: number;
  /** Whether the twin rounds scales to the same dtype; where it does not, codes and perplexity are no measure. */
  readonly sameScales: boolean;
  readonly bits: number;
  readonly groupSize: number;
  readonly tokens: Tokens;
  /** Whether its products can be replaced. */
  readonly packs: boolean;
}

const twinOf = (name: string): string => `${fixtures}forward/${name}`;
const common = { tolerance: 1e-5, sameScales: true, bits: 4, groupSize: 16, tokens: anyTokens, packs: true };

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
  // the export itself has rounded to half precision what positions turn heads by
  foreign("qwen2-cache-f16", "qwen2-tied-f16", { tolerance: 5e-3 }),
  // exported in single precision, so that scales are not rounded to the half precision of the twin
  foreign("bloom-merged", "twelve-heads-f16", { packs: false, sameScales: false }),
  foreign("gpt2-no-cache", "gpt2-f32", { bits: 3 }),
  foreign("llama-nameless-external", "llama-grouped-f32"),
  own(twinOf("gemma3-softcap-untied-f16")),
  own(twinOf("mixtral-f32")),
  own(`${datasets}controlled-bloom`, {
    bits: 3,
    groupSize: 64,
    // more than the widest site has channels, so that H is regular
    tokens: (segment) => trainedTokens.slice(segment * 256, (segment + 1) * 256),
  }),
];

for (const { name, twin, folder, tolerance, sameScales, bits, groupSize, tokens, packs } of cases) {
  test(`${name}: statistics, codes and perplexity are those of the safetensors model`, async () => {
    const [dense, graph] = [await openModel(twin), await openModel(await folder())];
    assert.is(graph.kind, "graph");
    const solver = { solver: "gptq", bits, groupSize };
    const [expected, found] = [await compressed(dense, solver, tokens), await compressed(graph, solver, tokens)];

    const grams = [expected, found].map(({ statistics }) => statistics.filter(({ kind }) => kind === "gram"));
    assert.is(grams[1]?.length, grams[0]?.length);
    for (const [at, gram] of (grams[0] ?? []).entries()) {
      const other = grams[1]?.[at];
      assert.equal([other?.language, other?.tokens, other?.width], [gram.language, gram.tokens, gram.width]);
      const apart = distance(other?.values ?? new Float32Array(0), gram.values);
      assert.ok(apart < tolerance, `${gram.step} ${gram.site}: ${apart}`);
    }

    assert.is(found.layers.length, expected.layers.length);
    const codes = [expected, found].map(({ layers }) =>
      Buffer.concat(layers.map((layer) => layer.codes?.data ?? new Uint8Array(0))),
    );
    const same = sharesEqual(codes[1] ?? new Uint8Array(0), codes[0] ?? new Uint8Array(0));
    assert.ok(!sameScales || same >= 0.999, `${same} of the codes are the same`);

    const safetensors = await assembled(dense, expected, "dense", `${name}-safetensors`);
    const [uncompressed, wanted] = [await perplexity(dense, tokens), await perplexity(safetensors, tokens)];
    assert.ok(Math.abs(wanted / uncompressed - 1) > 1e-3, "compression changed nothing");
    const made = [await assembled(graph, found, "dense", `${name}-dense`)];
    if (packs) made.push(await assembled(graph, found, "onnx", `${name}-packed`));
    else {
      const refusal = await assembled(graph, found, "onnx", `${name}-packed`).then(
        () => "written",
        (error: Error) => error.message,
      );
      assert.match(refusal, /in two branches, .*assemble with --format dense/);
    }
    for (const model of made) {
      const has = await perplexity(model, tokens);
      assert.ok(!sameScales || Math.abs(has / wanted - 1) < 1e-3, `${model.folder}: ${has}, safetensors ${wanted}`);
      const text = tokens(14);
      const most = distance(await wholeLogits(model, text), await ownLogits(model, text));
      assert.ok(most < tolerance * 10, `${model.folder}: logits of the whole file differ by ${most}`);
    }
    for (const model of [dense, graph, safetensors, ...made]) await model.close();
  });
}

test("the notes of a model are said at capture and stand in mbs.json", async () => {
  const record = JSON.parse(await readFile(join(root, "llama-nameless-external-dense/mbs.json"), "utf8")) as { notes: string[] };
  assert.match(record.notes[0] ?? "", /cut into 4 steps wherever everything flows through one value/);
  assert.ok(warnings.includes(record.notes[0] ?? ""));
});

test.run();
