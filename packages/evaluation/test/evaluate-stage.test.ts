import { collect, contentAddress, parseMetadata, readScores, type Score } from "@mbs/artifacts";
import {
  BadDataError,
  FailedPreconditionError,
  InterruptedError,
  UsageError,
  at,
  type ArtifactStream,
  type Matrix,
  type Progress,
} from "@mbs/contracts";
import { failure, testContext } from "@mbs/contracts/testing";
import { evaluate, joinScores, scoresReport } from "@mbs/evaluation";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("evaluate");
let folder = "";
let model = "";
let other = "";
let corpus = "";
const warnings: string[] = [];

function run(options: Record<string, unknown>, signal = new AbortController().signal) {
  const context = testContext({ signal, warn: (message: string) => warnings.push(message) });
  return evaluate.run({}, { model: [model], corpus, ...options }, context);
}

/** The scores of a run. */
async function streamOf(options: Record<string, unknown> = {}, signal?: AbortSignal): Promise<ArtifactStream> {
  const { scores } = await run(options, signal);
  assert.ok(scores);
  return scores;
}

const scored = async (options: Record<string, unknown> = {}): Promise<Score[]> => collect(readScores(await streamOf(options)));

const addressOf = async (): Promise<string> => (await contentAddress(await streamOf())).address;

const english = Array.from({ length: 12 }, (_, index) => `English text number ${index}.`);

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-evaluate-"));
  [model, other, corpus] = [join(folder, "model"), join(folder, "other"), join(folder, "corpus")];
  await writeTinyModel(model, { contextLength: 32 });
  await writeTinyModel(other, { contextLength: 64, seed: 1 });
  await mkdir(corpus);
  await writeFile(
    join(corpus, "en.jsonl"),
    english.map((text, index) => JSON.stringify({ text, source: index % 3 ? "a" : "b" })).join("\n"),
  );
  await writeFile(join(corpus, "mr.txt"), "मराठी मजकूर ".repeat(8));
  await writeFile(join(corpus, "te.txt"), "క");
});

test.after(async () => rm(folder, { recursive: true, force: true }));

test.before.each(() => {
  warnings.length = 0;
});

test("without packed weights activations stay in float32, with a warning, and the scores say nothing else", async () => {
  const plain = await addressOf();
  const { address } = await contentAddress(await streamOf({ activations: "int8" }));
  assert.is(address, plain);
  assert.ok(warnings.some((warning) => warning.includes("--activations int8 changes nothing")));
});

test("progress counts the scoring and the distances too: it does not stand still at the end", async () => {
  const seen: Progress[] = [];
  const context = testContext({ progress: (one) => void seen.push(one) });
  const models = { model: [model, other], labels: ["model", "other"], length: 16, distances: "on" };
  const { scores } = await evaluate.run({}, { corpus, ...models }, context);
  assert.ok(scores);
  await collect(readScores(scores));
  const own = seen.filter(({ activity }) => activity === "evaluate");
  const done = own.map((one) => one.done);
  assert.equal(
    done,
    done.toSorted((a, b) => a - b),
  );
  const { total = NaN } = at(own, own.length - 1);
  assert.is(at(done, done.length - 1), total);
  assert.is(total % 2, 0, "of both models");
  // blocks of both are three fifths of the work: before the last model's scores it is 70% done
  const beforeLast = own.findLastIndex((one) => one.done < 0.71 * total);
  assert.ok(own.length - 1 - beforeLast > 0 && beforeLast > 0, JSON.stringify(done));
  assert.ok(
    own.slice(0, -1).every((one) => one.done < total),
    "the end comes with the last score",
  );
});

test("scores in int8 say so below their table", async () => {
  const scores = await scored();
  const { notes } = scoresReport(scores, { models: new Map([["model", { bytes: 1, activations: "int8" }]]) });
  assert.ok(notes.some((note) => note.startsWith("model: evaluated with activations rounded to 8 bits")));
});

test("every window's loss is that of the model run by hand on the joined text", async () => {
  const scores = await scored();
  const opened = await openModel(model);
  const tokenizer = await opened.tokenizer();
  const tokens = tokenizer.encode(english.join("\n\n"));
  const forward = await opened.forward({ threads: 1 });
  const own = scores.filter(({ language }) => language === "en");
  assert.is(own.length, Math.floor(tokens.length / 32));
  for (const { window, nll, tokens: count, bytes } of own) {
    const ids = tokens.slice(window * 32, (window + 1) * 32);
    let states = await forward.embed(ids);
    for (let block = 0; block < opened.blocks.length; block++) states = await forward.block(block, states);
    const expected = (await forward.score(states, ids)).reduce((sum, loss) => sum + loss, 0);
    // Windows are run in batches, for which kernels may add in another order: some 10 products, with sums of at most 128 terms
    // in float32, come to √(10 · 128) · 2⁻²⁴ = 2e-6 as a rule.
    assert.ok(Math.abs(nll - expected) < 1e-4 * expected, `${nll} ${expected}`);
    assert.equal([count, bytes], [31, 31]);
  }
  await forward.close();
  await opened.close();
  assert.equal(warnings, ["te: 3 tokens of text, too few for one window of 32; left out"]);
});

test("several models are scored on the same windows, at the shortest context", async () => {
  await writeFile(join(model, "distribution.json"), JSON.stringify({ unit: "tokens", source: "test", shares: { en: 3, mr: 1 } }));
  const stream = await streamOf({ model: [model, other], labels: "dense,other" });
  const { shares, length, bos, corpus: address } = parseMetadata("scores", stream.schema);
  assert.equal([shares, length, bos], [{ en: 0.75, mr: 0.25 }, 32, "auto"]);
  assert.match(address, /^[0-9a-f]{64}$/);
  const scores = await collect(readScores(stream));
  await rm(join(model, "distribution.json"));
  const { pairs, notes, averages, results } = scoresReport(scores, { shares });
  assert.equal(notes, []);
  assert.equal(
    pairs.map(({ model: name, reference, language }) => [name, reference, language]),
    [
      ["other", "dense", "en"],
      ["other", "dense", "mr"],
    ],
  );
  assert.ok(averages.every(({ weighted }) => weighted !== undefined));
  assert.is(results.length, 4);
});

test("a model against itself has no rise at all", async () => {
  const { pairs } = scoresReport(await scored({ model: [model, model], labels: ["a", "b"] }));
  for (const { rise, interval, excludesZero } of pairs) assert.equal([rise, ...interval, excludesZero], [0, 0, 0, false]);
});

/** KL(first ‖ second) of two rows of logits, plainly in float64. */
function plainDivergence(first: readonly number[], second: readonly number[]): number {
  const [p, q] = [first, second].map((logits) => {
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return logits.map((logit) => logit - total);
  });
  assert.ok(p && q);
  return p.reduce((sum, log, token) => sum + Math.exp(log) * (log - at(q, token)), 0);
}

const rowsOf = ({ rows, columns, values }: Matrix): number[][] =>
  Array.from({ length: rows }, (_, row) => [...values.subarray(row * columns, (row + 1) * columns)]);

/** Logits of the tokens, of a model run by hand. */
async function logitsByHand(path: string, tokens: Int32Array): Promise<number[][]> {
  const opened = await openModel(path);
  const forward = await opened.forward({ threads: 1 });
  let states = await forward.embed(tokens);
  for (let block = 0; block < opened.blocks.length; block++) states = await forward.block(block, states);
  const logits = rowsOf(await forward.logits(states));
  await forward.close();
  await opened.close();
  return logits;
}

test("distances from the first model are those of the models run by hand", async () => {
  const scores = await scored({ model: [model, other, model], labels: "dense,other,same", length: 16 });
  const opened = await openModel(model);
  const tokens = (await opened.tokenizer()).encode(english.join("\n\n"));
  await opened.close();
  for (const { model: name, window, tokens: count, distance } of scores.filter(({ language }) => language === "en")) {
    if (name === "dense") {
      assert.is(distance, undefined);
      continue;
    }
    assert.ok(distance);
    const ids = tokens.slice(window * 16, (window + 1) * 16);
    const [first, second] = [await logitsByHand(model, ids), await logitsByHand(name === "other" ? other : model, ids)];
    const expected = Array.from({ length: count }, (_, token) => plainDivergence(at(first, token), at(second, token)));
    // as of the losses above: in batches kernels add in another order
    for (const [token, kl] of distance.kl.entries())
      assert.ok(Math.abs(kl - at(expected, token)) < 1e-5, `${kl} ${at(expected, token)}`);
    const tops = [first, second].map((rows) => rows.slice(0, count).map((row) => row.indexOf(Math.max(...row))));
    assert.is(distance.agreed, at(tops, 0).filter((top, token) => top === tops[1]?.[token]).length);
    if (name === "same") assert.equal([...distance.kl, distance.agreed], [...Array.from({ length: count }, () => 0), count]);
  }
  const { distances } = scoresReport(scores);
  assert.equal(
    distances.map(({ model: name, reference, language }) => [name, reference, language]),
    [
      ["other", "dense", "en"],
      ["other", "dense", "mr"],
      ["same", "dense", "en"],
      ["same", "dense", "mr"],
    ],
  );
  assert.ok(distances.every(({ model: name, kl, agreement }) => (name === "same" ? kl === 0 && agreement === 1 : kl > 0)));
});

test("distances change no loss beyond its rounding and no order, and are off where they are not wanted", async () => {
  const options = { model: [model, other], labels: "dense,other" };
  const [on, off] = [await scored(options), await scored({ ...options, distances: "off" })];
  assert.equal(
    on.map(({ distance: _distance, nll: _nll, ...score }) => score),
    off.map(({ nll: _nll, ...score }) => score),
  );
  for (const [index, { nll, tokens }] of on.entries()) {
    // logarithms below 16 in float32 beside sums in double precision: 2^-20 a token
    assert.ok(Math.abs(nll - at(off, index).nll) <= tokens * 2 ** -19, `${nll} and ${at(off, index).nll}`);
  }
  assert.equal(scoresReport(off).distances, []);
});

/** Edits the tokenizer.json of a model. */
async function editTokenizer(path: string, edit: (text: string) => string): Promise<void> {
  const tokenizer = join(path, "tokenizer.json");
  await writeFile(tokenizer, edit(await readFile(tokenizer, "utf8")));
}

test("models with another vocabulary or that read other tokens are left out with one line each, and scored", async () => {
  const [larger, spaced, swapped] = [join(folder, "larger"), join(folder, "spaced"), join(folder, "swapped")];
  await writeTinyModel(larger, { contextLength: 32, vocabularySize: 300 });
  for (const path of [spaced, swapped]) await writeTinyModel(path, { contextLength: 32 });
  // another file and address, the same tokens
  await editTokenizer(spaced, (text) => JSON.stringify(JSON.parse(text), null, 3));
  await editTokenizer(swapped, (text) => {
    const json = JSON.parse(text) as { model: { vocab: Record<string, number> } };
    const { vocab } = json.model;
    const { e = 0, t = 0 } = vocab;
    return JSON.stringify({ ...json, model: { ...json.model, vocab: { ...vocab, e: t, t: e } } });
  });
  const models = ["dense", "larger", "spaced", "swapped", "other"];
  const scores = await scored({ model: [model, larger, spaced, swapped, other], labels: models });
  assert.equal(
    warnings.filter((warning) => warning.includes("KL")),
    [
      "larger: no KL divergence from dense, since its vocabulary has 300 tokens and that of dense 260",
      "swapped: no KL divergence from dense, since its tokenizer reads the texts as other tokens",
    ],
  );
  assert.equal([...new Set(scores.map(({ model: name }) => name))], models);
  const compared = scores.filter(({ distance }) => distance);
  assert.equal([...new Set(compared.map(({ model: name }) => name))], ["spaced", "other"]);
  for (const { distance } of compared.filter(({ model: name }) => name === "spaced"))
    assert.ok(distance?.kl.every((kl) => kl === 0));
});

test("NaN logits are named with model, language and window", async () => {
  const broken = join(folder, "broken");
  await writeTinyModel(broken, { contextLength: 32, dtype: "f32" });
  const path = join(broken, "model.safetensors");
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<string, { data_offsets: [number, number] }>;
  const [, norm] = Object.entries(header).find(([name]) => name.endsWith("ln_f.weight")) ?? [];
  assert.ok(norm);
  const [first, end] = norm.data_offsets;
  for (let offset = first; offset < end; offset += 4) bytes.writeFloatLE(3e38, start + offset);
  await writeFile(path, bytes);
  const error = await failure(() => scored({ model: [model, broken], labels: "dense,broken" }));
  assert.instance(error, BadDataError);
  assert.match(error.message, /^broken: loss of en window 0 is (NaN|Infinity); /);
});

test("windows, length, sources and the beginning token are options", async () => {
  const some = await scored({ windows: 3, length: 16, bySource: true });
  assert.equal(
    some.filter(({ language }) => language === "en").map(({ source, window, tokens }) => [source, window, tokens]),
    [
      ["b", 0, 15],
      ["a", 1, 15],
      ["b", 2, 15],
    ],
  );
  const plain = await scored({ length: 16 });
  const begun = await scored({ length: 16, bos: "on" });
  // The beginning token has no bytes; 15 of the text's tokens are in each window, and all are predicted.
  assert.ok(begun.length > plain.length);
  assert.equal([at(begun, 0).tokens, at(begun, 0).bytes], [15, 15]);
  assert.is.not(at(begun, 0).nll, at(plain, 0).nll);
});

test("some languages of the corpus alone are scored; one that it does not have is refused, also before there are all models", async () => {
  assert.equal([...new Set((await scored({ languages: "mr" })).map(({ language }) => language))], ["mr"]);
  const planned = { solver: "rtn", codes: "none" } as const;
  for (const call of [
    () => scored({ languages: ["mr", "zz"] }),
    async () => evaluate.checkPlan?.({ model: [model, "to-be-made"], corpus, languages: "mr,zz" }, planned),
  ]) {
    const error = await failure(call);
    assert.instance(error, UsageError);
    assert.match(
      error.message,
      /^--languages mr,zz: corpus corpus has no texts of zz \(no known language\), but of en, mr, te; name/,
    );
  }
  const tasks = await failure(() => scored({ corpus: undefined, tasks: "xnli", taskPath: "tasks", languages: "mr" }));
  assert.match(tasks.message, /^--languages chooses languages of --corpus; tasks are chosen by their names$/);
});

test("a key of config.json that nobody knows is named, once a model", async () => {
  const odd = join(folder, "odd");
  await writeTinyModel(odd, { contextLength: 32 });
  const config = JSON.parse(await readFile(join(odd, "config.json"), "utf8")) as object;
  await writeFile(join(odd, "config.json"), JSON.stringify({ ...config, key_of_tomorrow: 2, temperature: 0.7 }));
  await run({ model: [model, odd], labels: ["a", "b"] });
  assert.is(warnings.length, 1);
  assert.match(
    at(warnings, 0),
    /odd\/config\.json has keys that are not read for this model type: key_of_tomorrow; if the model/,
  );
});

test("the same call gives the same address", async () => {
  assert.is(await addressOf(), await addressOf());
});

test("what would be refused is refused before there are all models", async () => {
  const planned = { solver: "rtn", codes: "none" } as const;
  const check = (options: Record<string, unknown>) =>
    evaluate.checkPlan?.({ model: [model, join(folder, "to-be-made")], corpus, ...options }, planned);
  for (const [options, kind, message, option] of [
    [{ labels: "a" }, UsageError, /--labels names 1 models, --model 2/, "--labels"],
    [{ labels: "a,a" }, UsageError, /two models have one name/, "--labels"],
    [{ targetField: "goal" }, UsageError, /--target-field goes with --source-target/, "--target-field"],
    [{ sourceTarget: true }, FailedPreconditionError, /model is a decoder, .*; leave out --source-target/, undefined],
  ] as const) {
    const error = await failure(async () => check(options));
    assert.instance(error, kind);
    assert.match(error.message, message);
    assert.is((error as UsageError).facts["option"], option);
  }
  await check({ labels: "a,b" });
});

test("a length beyond a table of positions is refused, also before there are all models", async () => {
  const gpt2 = fileURLToPath(new URL("../../models/test/fixtures/forward/gpt2-f32", import.meta.url));
  for (const call of [
    () => run({ model: [gpt2], length: 321 }),
    async () => evaluate.checkPlan?.({ model: [gpt2, "to-be-made"], corpus, length: 321 }, { solver: "rtn", codes: "none" }),
  ]) {
    const error = await failure(call);
    assert.instance(error, UsageError, String(error));
    assert.match(error.message, /^--length 321 is beyond the 320 positions that .*gpt2-f32 has; take 320 or less$/);
  }
});

test("wrong calls, no text at all and a stop are errors", async () => {
  assert.instance(await failure(() => scored({ model: [model, model] })), UsageError);
  assert.instance(await failure(() => scored({ labels: "a,b" })), UsageError);
  const error = await failure(() => scored({ length: 5000 }));
  assert.instance(error, BadDataError);
  assert.ok(error.message.includes("no language has text for one window of 5000"));
  const stop = new AbortController();
  stop.abort();
  const stopped = await failure(async () => {
    for await (const score of readScores(await streamOf({}, stop.signal))) assert.unreachable(score.language);
  });
  assert.instance(stopped, InterruptedError);
});

const joinShards = async (...shards: readonly ArtifactStream[]): Promise<ArtifactStream> => {
  const context = testContext();
  const { scores } = await joinScores.run({ scores: shards }, {}, context);
  assert.ok(scores);
  return scores;
};

const withoutLoss = (scores: readonly Score[]): readonly object[] =>
  scores.map((score) => ({ ...score, nll: undefined, distance: undefined }));

test("windows that are scored apart and joined are those of one evaluation", async () => {
  const options = { model: [model, other], labels: ["a", "b"], length: 8 };
  const whole = await streamOf(options);
  const expected = await collect(readScores(whole));
  // the last one has more shards than windows
  for (const of of [2, 3, expected.length + 1]) {
    const shards = await Promise.all(
      Array.from({ length: of }, (_, index) => streamOf({ ...options, shard: `${index + 1}/${of}` })),
    );
    const joined = await joinShards(...shards.toReversed());
    assert.equal(joined.schema, whole.schema);
    const scores = await collect(readScores(joined));
    assert.equal(withoutLoss(scores), withoutLoss(expected));
    // other windows beside it in a batch: products of other shapes, in float32
    for (const [index, { nll, distance }] of scores.entries()) {
      const whole = at(expected, index);
      assert.ok(Math.abs(nll / whole.nll - 1) < 1e-5);
      assert.is(distance?.agreed, whole.distance?.agreed);
      for (const [token, kl] of (distance?.kl ?? []).entries())
        assert.ok(Math.abs(kl - (whole.distance?.kl[token] ?? NaN)) < 1e-5);
    }
  }
  const [first, second] = [await streamOf({ ...options, shard: "1/2" }), await streamOf({ ...options, shard: "2/2" })];
  assert.match((await failure(async () => collect(readScores(first)))).message, "shard 1 of 2; join all shards");
  assert.match((await failure(() => joinShards(second))).message, "only 2/2 of the scores is given");
  assert.match((await failure(() => joinShards(whole))).message, "whole already");
  const without = await streamOf({ ...options, shard: "2/2", distances: "off" });
  const measured = await streamOf({ ...options, shard: "1/2" });
  assert.match((await failure(() => joinShards(measured, without))).message, "make all shards with the same --distances");
  assert.match((await failure(() => streamOf({ shard: "0/2" }))).message, "--shard takes PLACE/COUNT");
});

test.run();
