import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  collect,
  contentAddress,
  encodeDamage,
  encodeLayers,
  encodeScores,
  encodeStatistics,
  parseMetadata,
  readDamage,
} from "@mbs/artifacts";
import type { DamageRecord, LayerRecord, Score, Statistic } from "@mbs/artifacts";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { encodeValues, quantisationTypeNamed } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { packUpper } from "@mbs/numbers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { predict } from "../src/predict/predict-stage.ts";
import { randomGram, randomValues } from "./matrices.ts";

interface Fixture {
  folder: string;
  address: string;
  /** Of the first block's two sites. */
  layers: LayerRecord[];
  weights: Map<string, { rows: number; width: number; weight: Float32Array; change: Float32Array }>;
}

const test = suite<Fixture>("predict");
const sites = ["attention-qkv", "mlp-up"];

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-predict-"));
  await writeTinyModel(context.folder, { seed: 4, dtype: "f32", blocks: 2 });
  const model = await openModel(context.folder);
  context.address = model.address;
  context.layers = [];
  context.weights = new Map();
  for (const site of at(model.blocks, 0).sites.filter(({ name }) => sites.includes(name))) {
    for (const { tensor, rows } of site.weights) {
      const weight = await model.readWeight(tensor);
      const noise = randomValues(weight.length, 9);
      const written = weight.map((value, index) => value - at(noise, index) / 10);
      const change = weight.map((value, index) => value - at(written, index));
      context.weights.set(tensor, { rows, width: site.width, weight, change });
      context.layers.push({
        block: "h.0",
        site: site.name,
        tensor,
        summary: { solver: "rtn", error: 0, damage: 0, sparsity: 0 },
        values: { dtype: "f32", rows, columns: site.width, data: new Uint8Array(written.buffer) },
      });
    }
  }
  await model.close();
});
test.after(({ folder }) => rm(folder, { recursive: true }));

/** A layer with what blocks of a type make of its values, as these or in float32. */
function rounded({ values, ...layer }: LayerRecord, grid: string, isInBlocks: boolean): LayerRecord {
  assert.ok(values);
  const type = quantisationTypeNamed(grid);
  const { rows, columns } = values;
  const blocks = encodeValues(type, new Float32Array(values.data.slice().buffer));
  if (isInBlocks) {
    const summary = { ...layer.summary, grid };
    return { ...layer, summary, blocks: { dtype: "u8", rows, columns: blocks.length / rows, data: blocks } };
  }
  const decoded = new Float32Array(rows * columns);
  type.decode?.(blocks, decoded);
  return { ...layer, values: { ...values, data: new Uint8Array(decoded.buffer) } };
}

const width = 32;
const gramOf = (language: string): Float32Array => randomGram(width, 50, language.charCodeAt(0));

function statistic(site: string, language: string, kind: Statistic["kind"], block = "h.0"): Statistic {
  const gram = gramOf(language);
  const values =
    kind === "gram" ? packUpper(gram, width) : Float32Array.from({ length: width }, (_, row) => at(gram, row * (width + 1)));
  return { block, site, language, kind, tokens: 10, width, values };
}

const statisticsOf = (kind: Statistic["kind"]): Statistic[] =>
  ["input", ...sites].flatMap((site) =>
    ["en", "mr"].map((language) => statistic(site, language, site === "input" ? "diagonal" : kind)),
  );

const score = (model: string, address: string, language: string, nll: number): Score => ({
  model,
  address,
  language,
  source: "",
  window: 0,
  nll,
  tokens: 10,
  bytes: 40,
});

interface Given {
  readonly statistics?: readonly (readonly Statistic[])[];
  readonly layers?: readonly LayerRecord[];
  readonly scores?: readonly Score[];
  /** Metadata of the scores. */
  readonly models?: Readonly<Record<string, unknown>>;
  readonly options?: object;
  readonly warnings?: string[];
  /** Damage of another model. */
  readonly measured?: ArtifactStream;
}

const layersArtifact = (address: string, layers: readonly LayerRecord[]) =>
  encodeLayers(layers, { model: address, solver: "rtn", options: {}, order: "natural", weights: {} });

async function run({ folder, address, layers: all }: Fixture, given: Given) {
  const { statistics = [statisticsOf("gram")], layers = all, scores, models, options = {}, warnings = [], measured } = given;
  const outputs = await predict.run(
    {
      statistics: statistics.map((items) =>
        encodeStatistics(items, { model: address, tokenizer: "", propagation: "dense", unit: "", mix: undefined }),
      ),
      layers: [layersArtifact(address, layers)],
      scores: scores ? [encodeScores(scores, { corpus: "", length: 11, bos: "auto", shares: undefined, models })] : [],
      ...(measured && { measured: [measured] }),
    },
    { model: folder, ...options },
    testContext({ warn: (line) => void warnings.push(line) }),
  );
  const { damage } = outputs;
  assert.ok(damage);
  const records: DamageRecord[] = await collect(readDamage(damage));
  return { records, metadata: parseMetadata("damage", damage.schema) };
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("an unknown tensor");
  return value;
}

/** Products with sums of 32 terms in float32, then sums in float64: 32 · 2⁻²⁴ = 2e-6 at worst of Σ|W|·|H|·|W|. */
const rounding = 1e-5;

/** tr(M·H·Mᵀ) by its definition. */
function trace(matrix: Float32Array, rows: number, moment: (row: number, column: number) => number): number {
  let sum = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let i = 0; i < width; i += 1) {
      for (let j = 0; j < width; j += 1) sum += at(matrix, row * width + i) * moment(i, j) * at(matrix, row * width + j);
    }
  }
  return sum;
}

test("damage is that of the definition, by language and tensor, from Grams", async (context) => {
  const { records, metadata } = await run(context, {});
  assert.equal(metadata, { model: context.address, solver: "rtn", scored: "", lossRises: undefined });
  assert.equal(
    records.map(({ site, tensor, language }) => [site, tensor, language]),
    context.layers.flatMap(({ site, tensor }) => ["en", "mr"].map((language) => [site, tensor, language])),
  );
  for (const { tensor, language, moment, error, output, damage } of records) {
    assert.is(moment, "gram");
    const { rows, weight, change } = found(context.weights.get(tensor));
    const gram = gramOf(language);
    const expected = trace(change, rows, (i, j) => at(gram, i * width + j));
    assert.ok(Math.abs(error - expected) < rounding * expected, `${error} ${expected}`);
    const whole = trace(weight, rows, (i, j) => at(gram, i * width + j));
    assert.ok(Math.abs(output - whole) < rounding * whole);
    assert.is(damage, error / output);
  }
  assert.ok(new Set(records.map(({ damage }) => damage)).size === records.length, "languages differ");
});

test("damage of a layer in blocks is that of what these decode to", async (context) => {
  const roundedAll = (isInBlocks: boolean): LayerRecord[] => context.layers.map((layer) => rounded(layer, "Q4_0", isInBlocks));
  assert.equal(await run(context, { layers: roundedAll(true) }), await run(context, { layers: roundedAll(false) }));
});

test("diagonals stand in where there are no Grams, said in the record and in a warning", async (context) => {
  const warnings: string[] = [];
  const pooled = { ...statistic("mlp-up", "en", "gram"), language: "*" };
  const { records } = await run(context, {
    statistics: [[pooled, ...statisticsOf("diagonal").slice(4)], statisticsOf("diagonal").slice(0, 4)],
    warnings,
  });
  for (const { tensor, language, moment, error } of records) {
    assert.is(moment, "diagonal");
    const { rows, change } = found(context.weights.get(tensor));
    const gram = gramOf(language);
    const expected = trace(change, rows, (i, j) => (i === j ? at(gram, i * width + j) : 0));
    assert.ok(Math.abs(error - expected) < rounding * expected);
  }
  assert.equal(warnings.length, 1);
  assert.match(at(warnings, 0), /^2 of 2 sites know only the diagonal/);
});

test("scores give the actual rises in nats a token", async (context) => {
  const scores = [
    score("dense", context.address, "en", 30),
    score("dense", context.address, "mr", 40),
    score("small", "b".repeat(64), "en", 31),
    score("small", "b".repeat(64), "mr", 43),
  ];
  const { metadata } = await run(context, { scores });
  assert.is(metadata.scored, "small");
  assert.ok(
    Math.abs((metadata.lossRises?.["en"] ?? 0) - 0.1) < 1e-12 && Math.abs((metadata.lossRises?.["mr"] ?? 0) - 0.3) < 1e-12,
  );
  const two = [...scores, score("other", "c".repeat(64), "en", 33)];
  assert.match(
    String(await run(context, { scores: two }).catch((error: unknown) => error)),
    /small, other; say with --compressed/,
  );
  assert.is((await run(context, { scores: two, options: { compressed: "other" } })).metadata.scored, "other");
  const otherWindows = scores.map((own) => ({ ...own, window: own.model === "small" ? 1 : 0 }));
  for (const broken of [scores.slice(2), scores.slice(1), otherWindows]) {
    assert.instance(await run(context, { scores: broken }).catch((error: unknown) => error), BadDataError);
  }
});

test("what another model lost is kept with its mean damage by language", async (context) => {
  const { records } = await run(context, {});
  const about = {
    model: context.address,
    solver: "rtn",
    scored: "before",
    lossRises: { en: 0.5, mr: 0.7 },
    lossIntervals: { en: [0.4, 0.6] as const },
  };
  const measured = (rows: readonly DamageRecord[] = records, others: Partial<typeof about> = {}) =>
    encodeDamage(rows, { ...about, ...others });
  const { metadata } = await run(context, { measured: measured() });
  const { damages = {}, ...others } = metadata.measured ?? {};
  assert.equal(others, { model: "before", solver: "rtn", losses: about.lossRises, intervals: about.lossIntervals });
  for (const language of ["en", "mr"]) {
    const own = records.filter((record) => record.language === language).map(({ damage }) => damage);
    const mean = own.reduce((sum, damage) => sum + damage, 0) / own.length;
    assert.ok(Math.abs((damages[language] ?? NaN) - mean) < 1e-12);
  }
  const refusal = (stream: ArtifactStream) => run(context, { measured: stream }).catch((error: unknown) => error);
  assert.match(
    String(await refusal(measured(records, { model: "d".repeat(64) }))),
    /another dense model than .* \(scored: before\)/,
  );
  const unscored = await refusal(encodeDamage(records, { ...about, lossRises: undefined }));
  assert.instance(unscored, UsageError);
  assert.match(String(unscored), /make it by mbs predict --scores/);
  const diagonals = records.map((record) => ({ ...record, moment: "diagonal" as const }));
  assert.match(String(await refusal(measured(diagonals))), /is from its diagonal, these statistics have its gram; predict both/);
  const [first] = records;
  const without = records.filter(({ tensor }) => tensor !== first?.tensor);
  assert.match(String(await refusal(measured(without))), /has no tensor .*, which these layers change; predict both/);
  const more = [...records, ...records.map((record) => ({ ...record, tensor: "other" }))];
  assert.match(String(await refusal(measured(more))), /has tensor other, which these layers do not change/);
});

test("layers that did not make the scored model are refused, with the model that they made", async (context) => {
  const scores = ["dense", "small", "other"].flatMap((model, index) =>
    ["en", "mr"].map((language) => score(model, index === 0 ? context.address : String(index).repeat(64), language, 30 + index)),
  );
  const { address } = await contentAddress(layersArtifact(context.address, context.layers));
  const made = (...layers: string[]) => ({
    bytes: 1,
    made: { source: context.address, format: "dense", methods: [], mix: {}, layers },
  });
  const models = { small: made(address), other: made("f".repeat(64)) };
  const warnings: string[] = [];
  const small = await run(context, { scores, models, options: { compressed: "small" }, warnings });
  assert.equal([small.metadata.scored, warnings], ["small", []]);
  const wrong = { scores, models, options: { compressed: "other" } };
  const error = await run(context, wrong).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.is(
    (error as Error).message,
    `layers ${address} did not make other in the scores; they made small: say --compressed small`,
  );
  const elsewhere = { ...wrong, models: { other: made("f".repeat(64)) } };
  assert.match(
    String(await run(context, elsewhere).catch((thrown: unknown) => thrown)),
    /give the layers that other was assembled from, or evaluate the model that these make$/,
  );
  await run(context, { ...wrong, models: {}, warnings });
  assert.match(warnings.join(), /^the scores do not say which layers made other: /);
});

test("refuses statistics and layers that do not fit each other", async (context) => {
  const failure = (given: Given) => run(context, given).catch((error: unknown) => error);
  const all = statisticsOf("gram");
  const cases: [RegExp, Given][] = [
    [/no statistics of h\.0 mlp-up/, { statistics: [all.slice(0, 4)] }],
    [/come twice/, { statistics: [all, all] }],
    [/has en twice/, { statistics: [[...all.slice(0, 3), at(all, 2)]] }],
    [/are of en, those before of en, mr/, { statistics: [all.slice(0, 5)] }],
    [/two layers change/, { layers: [...context.layers, at(context.layers, 0)] }],
    [/no such tensor/, { layers: [{ ...at(context.layers, 0), tensor: "nothing" }] }],
  ];
  for (const [message, given] of cases) {
    const error = await failure(given);
    assert.instance(error, BadDataError);
    assert.match(String(error), message);
  }
  assert.instance(await failure({ options: { compressed: "small" } }), UsageError);
  assert.match(String(await failure({ statistics: [] })), /give it statistics and layers/);
});

test.run();
