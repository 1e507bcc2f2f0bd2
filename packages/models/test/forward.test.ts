import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { advance, embedStreams, headStates, openModel, runBlocks } from "../src/index.ts";
import type { Forward, Model } from "../src/index.ts";
import { statesOf } from "../src/forward/streams.ts";
import { predictingTypes, walkBlock } from "../src/testing.ts";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";

interface Golden {
  model?: string;
  /** What the encoder reads, of an encoder-decoder. */
  source?: number[];
  /** What linear layers read, by the names of their weights in transformers: how many rows, and the last one. */
  inputs?: Record<string, { rows: number; last: number[] }>;
  tokens: number[];
  rows: number[];
  logits: number[][];
  losses: number[];
}

/**
 * How far single precision may differ from transformers, whose sums run in another order: logits of up to 20 result from some 10
 * products, one after another, with sums of at most 1024 terms: √(10 · 1024) · 2⁻²⁴ · 20 = 1.2e-4 as a rule.
 */
const rounding = 1e-3;

/** The same for states of small models, of size 3 and sums of at most 96 terms: 6e-6 as a rule; and for losses. */
const batchRounding = 1e-4;

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));
const datasets = new URL("../../../datasets/", import.meta.url);

const readGolden = async (path: string): Promise<Golden> => JSON.parse(await readFile(path, "utf8")) as Golden;

const runAll = (model: Model, forward: Forward, tokens: Int32Array, source?: Int32Array): Promise<Matrix> =>
  runBlocks(model, forward, new Map([...(source === undefined ? [] : [["encoder", source] as const]), ["hidden", tokens]]));

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** Largest distance of logits and of losses from the golden ones. */
async function distances(model: Model, golden: Golden): Promise<{ logits: number; losses: number; perplexity: number }> {
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from(golden.tokens);
  const states = await runAll(model, forward, tokens, golden.source && Int32Array.from(golden.source));
  const logits = await forward.logits(states);
  const losses = await forward.score(states, tokens);
  await forward.close();
  let furthest = 0;
  for (const [index, row] of golden.rows.entries()) {
    for (const [column, expected] of at(golden.logits, index).entries()) {
      furthest = Math.max(furthest, Math.abs(expected - at(logits.values, row * logits.columns + column)));
    }
  }
  assert.is(losses.length, golden.losses.length);
  return {
    logits: furthest,
    losses: Math.max(...golden.losses.map((expected, index) => Math.abs(expected - at(losses, index)))),
    perplexity: Math.abs(Math.exp(mean(losses) - mean(golden.losses)) - 1),
  };
}

/** Largest distance of logits in all cases: docs/architectures.md says it. */
let furthestLogits = 0;

const cases = await readdir(fixtures);

test("there are golden models of every architecture", async () => {
  const types = await Promise.all(
    cases.map(
      async (name) => (JSON.parse(await readFile(`${fixtures}${name}/config.json`, "utf8")) as { model_type: string }).model_type,
    ),
  );
  assert.equal([...new Set(types)].sort(), [...predictingTypes].sort());
});

for (const name of cases) {
  test(`logits and losses of ${name} are those of transformers`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const found = await distances(model, await readGolden(`${fixtures}${name}/golden.json`));
    await model.close();
    furthestLogits = Math.max(furthestLogits, found.logits);
    assert.ok(found.logits < rounding, `logits differ by ${found.logits}`);
    assert.ok(found.losses < rounding, `losses differ by ${found.losses}`);
  });
}

test("the largest difference is printed", () => {
  assert.ok(furthestLogits > 0);
  console.log(`logits of the ${cases.length} models differ by ${furthestLogits.toExponential(1)} at most`);
});

for (const name of ["controlled-bloom", "controlled-llama"]) {
  test(`logits of ${name} are those of transformers`, async () => {
    const model = await openModel(fileURLToPath(new URL(name, datasets)));
    const golden = await readGolden(fileURLToPath(new URL(`fixtures/${name}.golden.json`, import.meta.url)));
    assert.is(
      model.address,
      golden.model,
      "the golden numbers are of other weights: run tools/golden/forward/make_fixtures.py on the model",
    );
    const found = await distances(model, golden);
    await model.close();
    assert.ok(found.logits < rounding, `logits differ by ${found.logits}`);
    assert.ok(found.perplexity < rounding, `perplexity differs by ${found.perplexity}`);
  });
}

test("losses summed over tiles of the vocabulary are those of whole rows of logits", async () => {
  const model = await openModel(fileURLToPath(new URL("controlled-bloom", datasets)));
  const forward = await model.forward({ threads: 1 });
  // the first and the last of each tile of 2048
  const tokens = Int32Array.of(7, 0, 2047, 2048, 4095, 300);
  assert.is(model.vocabularySize, 4096);
  const states = await runAll(model, forward, tokens);
  const { values, columns } = await forward.logits(states);
  const losses = await forward.score(states, tokens);
  assert.is(losses.length, tokens.length - 1);
  for (const [row, loss] of losses.entries()) {
    const logits = Float64Array.from(values.subarray(row * columns, (row + 1) * columns));
    const most = logits.reduce((largest, logit) => Math.max(largest, logit), -Infinity);
    const sum = logits.reduce((all, logit) => all + Math.exp(logit - most), 0);
    const expected = most + Math.log(sum) - at(logits, at(tokens, row + 1));
    // a logit and its logarithmic share, both below 32, are rounded to 2^-19 at most
    assert.ok(Math.abs(loss - expected) < batchRounding, `token ${row + 1}: ${loss}, expected ${expected}`);
  }
  await forward.close();
  await model.close();
});

test("segments that run together give what each gives alone", async () => {
  const model = await openModel(`${fixtures}three-heads-f16`);
  const forward = await model.forward({ threads: 1 });
  const segments = [0, 1, 2].map((seed) => Int32Array.from({ length: 20 }, (_, at) => (seed * 17 + at * at * 5) % 64));
  const alone: Matrix[] = [];
  for (const tokens of segments) alone.push(await runAll(model, forward, tokens));
  let states = await forward.embed(Int32Array.from(segments.flatMap((tokens) => [...tokens])));
  for (const index of model.blocks.keys()) {
    states = await forward.block(index, states, { batch: 3 });
  }
  const together = segments.map((_, segment) => states.values.subarray(segment * 20 * 24, (segment + 1) * 20 * 24));
  for (const [segment, values] of together.entries()) {
    const own = at(alone, segment).values;
    const furthest = values.reduce((most, value, index) => Math.max(most, Math.abs(value - at(own, index))), 0);
    assert.ok(furthest < batchRounding, `segment ${segment} differs by ${furthest}`);
  }
  const losses = await forward.score(states, Int32Array.from(segments.flatMap((tokens) => [...tokens])), 3);
  const single = await forward.score(at(alone, 2), at(segments, 2));
  assert.is(losses.length, 3 * 19);
  single.forEach((loss, token) => assert.ok(Math.abs(loss - at(losses, 38 + token)) < batchRounding));
  await forward.close();
  await model.close();
});

test("sites are the inputs of the weights", async () => {
  const model = await openModel(`${fixtures}plain-f32`);
  const forward = await model.forward({ threads: 1 });
  const states = await forward.embed(Int32Array.of(1, 2, 3, 4, 5));
  const { sites } = await walkBlock(model, forward, 0, states);
  assert.equal([...sites.keys()], ["attention-qkv", "attention-output", "mlp-up", "mlp-down"]);
  assert.equal(
    [...sites.values()].map(({ rows, columns }) => [rows, columns]),
    [
      [5, 16],
      [5, 16],
      [5, 16],
      [5, 64],
    ],
  );
  // attention-qkv is the normed input: recomputed here in plain TypeScript
  const gamma = await model.checkpoint.readF32("transformer.h.0.input_layernorm.weight");
  const beta = await model.checkpoint.readF32("transformer.h.0.input_layernorm.bias");
  const row = states.values.subarray(16, 32);
  const mean = row.reduce((sum, value) => sum + value, 0) / 16;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 16;
  const captured = sites.get("attention-qkv")?.values.subarray(16, 32) ?? new Float32Array(0);
  row.forEach((value, column) => {
    const expected = ((value - mean) / Math.sqrt(variance + 1e-5)) * at(gamma, column) + at(beta, column);
    // two sums of 16 terms, a root and a division in float32: 35 roundings of 2⁻²⁴ = 2e-6 of values of up to 3, at worst
    assert.ok(Math.abs(expected - at(captured, column)) < 1e-5);
  });
  await forward.close();
  await model.close();
});

test("positions start again in every segment that is embedded with others", async () => {
  for (const name of ["gpt2-f32", "xglm-f32", "plain-f32"]) {
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1 });
    // more tokens in all than GPT-2 has positions
    const tokens = Int32Array.from({ length: 400 }, (_, at) => 4 + ((at * at * 5) % 60));
    const together = await forward.embed(tokens, 2);
    for (const at of [0, 1]) {
      // looked up and normed token by token: no sum depends on the batch
      const alone = await forward.embed(tokens.subarray(at * 200, (at + 1) * 200));
      assert.equal(together.values.slice(at * alone.values.length, (at + 1) * alone.values.length), alone.values, name);
    }
    await forward.close();
    await model.close();
  }
});

for (const name of cases.filter((name) => /^(lfm2|m2m-100|mbart|qwen3-5-f32)/.test(name))) {
  test(`every site of ${name} is what the layers of transformers read, in all streams`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const golden = await readGolden(`${fixtures}${name}/golden.json`);
    const forward = await model.forward({ threads: 1 });
    let states = await embedStreams(
      forward,
      new Map([
        ...(golden.source === undefined ? [] : [["encoder", Int32Array.from(golden.source)] as const]),
        ["hidden", Int32Array.from(golden.tokens)],
      ]),
    );
    const seen: string[] = [];
    for (const [index, block] of model.blocks.entries()) {
      const { sites } = await walkBlock(model, forward, index, statesOf(states, block.stream), { reads: states });
      for (const site of block.sites) {
        const found = sites.get(site.name);
        for (const { tensor } of site.weights) {
          const expected = golden.inputs?.[tensor];
          assert.is(found?.rows, expected?.rows, tensor);
          const last = found?.values.slice(-site.width) ?? new Float32Array();
          const furthest = Math.max(...last.map((value, column) => Math.abs(value - at(expected?.last ?? [], column))));
          assert.ok(furthest < rounding, `${tensor} differs by ${furthest}`);
          seen.push(tensor);
        }
      }
      states = await advance(forward, model.blocks, index, states, {});
    }
    // layers with a row a head stay as they are
    const read = Object.keys(golden.inputs ?? {}).filter((tensor) => !/in_proj_[ab]/.test(tensor));
    assert.equal(seen.sort(), read.sort());
    await forward.close();
    await model.close();
  });
}

test("source and target of several texts that run together give what each gives alone", async () => {
  const model = await openModel(`${fixtures}mt5-f32`);
  const forward = await model.forward({ threads: 1 });
  const { ofSegment } = await model.passages();
  const passages = [0, 1, 2].map((seed) =>
    ofSegment(
      Int32Array.from({ length: 60 }, (_, at) => 4 + ((seed * 17 + at * at * 5) % 50)),
      [seed],
    ),
  );
  let together = await embedStreams(forward, ...passages.map(({ inputs }) => inputs));
  for (const index of model.blocks.keys()) together = await advance(forward, model.blocks, index, together, { batch: 3 });
  const losses = await forward.score(headStates(together), Int32Array.from(passages.flatMap(({ scored }) => [...scored])), 3);
  for (const [passage, { inputs, scored }] of passages.entries()) {
    const states = await runBlocks(model, forward, inputs);
    // The end of the target is predicted and not read: a row less than tokens.
    const alone = await forward.score(states, scored);
    assert.equal([states.rows, alone.length, losses.length], [scored.length - 1, scored.length - 1, 3 * alone.length]);
    alone.forEach((loss, token) => assert.ok(Math.abs(loss - at(losses, passage * alone.length + token)) < batchRounding));
  }
  await forward.close();
  await model.close();
});

test("a block that reads another stream is refused without it", async () => {
  const model = await openModel(`${fixtures}t5-relu-tied-f32`);
  const forward = await model.forward({ threads: 1 });
  const states = await forward.embed(Int32Array.of(5, 6));
  await forward.block(0, states);
  await forward.block(1, states).then(
    () => assert.unreachable(),
    (error: unknown) => assert.match(String(error), /no states of stream encoder/),
  );
  await forward.close();
  await model.close();
});

test("given weights replace the checkpoint's", async () => {
  const model = await openModel(`${fixtures}plain-f32`);
  const forward = await model.forward({ threads: 1 });
  const states = await forward.embed(Int32Array.of(9, 8, 7));
  const tensor = at(at(at(model.blocks, 0).sites, 3).weights, 0).tensor;
  const own = await model.checkpoint.readF32(tensor);
  const plain = await forward.block(0, states);
  const same = await forward.block(0, states, { weights: new Map([[tensor, own]]) });
  const zero = await forward.block(0, states, { weights: new Map([[tensor, new Float32Array(own.length)]]) });
  assert.equal(same.values, plain.values);
  // Without the last projection, the block adds the same bias to every row's middle states; it cannot equal the full block.
  assert.not.equal(zero.values, plain.values);
  const again = await forward.block(0, states);
  assert.equal(again.values, plain.values);
  await forward.close();
  await model.close();
});

test("a token outside the vocabulary is named", async () => {
  const model = await openModel(`${fixtures}plain-f32`);
  const forward = await model.forward({ threads: 1 });
  try {
    await forward.embed(Int32Array.of(1, 64));
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /token 64 at position 1 is outside the model's vocabulary of 64/);
  }
  await forward.close();
  await model.close();
});

test.run();
