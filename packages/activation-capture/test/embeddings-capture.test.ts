import { fileURLToPath } from "node:url";
import { collect, headSite, readStatistics, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, createObjectPool, FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { StageInputs } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { capture } from "../src/index.ts";
import { context, keep, makeSegments, rounding, runCapture, runPropagate, segmentStream, withModel } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const languages = ["en", "mr", "te"];

const ofEmbeddings = (statistics: readonly Statistic[]): Statistic[] =>
  statistics.filter(({ block }) => block === embeddingsBlock);

const logSum = (logits: readonly number[]): number => Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));

/** States of the dense model after its last block, segment by segment. */
async function lastStates(folder: string, model: Model) {
  let states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
  for (const _ of model.blocks) states = await runPropagate(states, { model: folder });
  return states;
}

test("embedding and head are captured behind the blocks, from segments as from the states after the last block", async () => {
  await withModel(async (folder, model) => {
    const segments = () => segmentStream(makeSegments(), model.tokenizerAddress);
    const all = await runCapture(segments(), { model: folder, embeddings: true });
    const found = ofEmbeddings(all);
    assert.equal(
      found.map(({ site, language, kind }) => [site, language, kind].join(" ")),
      [
        ...[tokenSites.reads, tokenSites.price, tokenSites.spread].flatMap((site) =>
          languages.map((name) => `${site} ${name} diagonal`),
        ),
        ...languages.map((name) => `${headSite} ${name} gram`),
      ],
    );
    const { statistics } = await capture.run(
      { source: [await lastStates(folder, model)], segments: [segments()] },
      { model: folder },
      context,
    );
    assert.ok(statistics);
    const behind = await collect(readStatistics(statistics));
    assert.is(behind.length, found.length);
    for (const [index, statistic] of behind.entries()) {
      const { values, ...same } = at(found, index);
      const { values: others, ...head } = statistic;
      assert.equal(head, same);
      assert.ok(relativeDifference(others, values) < rounding, `${same.site} ${same.language}`);
    }
    const plain = await runCapture(segments(), { model: folder });
    assert.equal(
      all.slice(0, plain.length).map(({ values }) => [...values]),
      plain.map(({ values }) => [...values]),
    );
  });
});

test("the head has a Gram of each language, also where those of blocks are pooled, up to the budget", async () => {
  await withModel(async (folder, model) => {
    const kindsOf = async (options: object): Promise<string[]> => {
      const segments = segmentStream(makeSegments(), model.tokenizerAddress);
      const found = ofEmbeddings(await runCapture(segments, { model: folder, embeddings: true, ...options }));
      return found.filter(({ site }) => site === headSite).map(({ language, kind }) => `${language} ${kind}`);
    };
    const grams = languages.map((name) => `${name} gram`);
    assert.equal(await kindsOf({ grams: "pooled" }), grams);
    assert.equal(await kindsOf({ budget: "1KiB" }), ["* gram", ...languages.map((name) => `${name} diagonal`)]);
  });
});

test("reads are shares of tokens, and spread is the mean of p(1 - p) over every fourth position", async () => {
  await withModel(async (folder, model) => {
    const found = ofEmbeddings(
      await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder, embeddings: true }),
    );
    const own = makeSegments().filter(({ language }) => language === "mr");
    const tokens = own.flatMap((segment) => [...segment.tokens]);
    const valuesOf = (site: string) => {
      const statistic = found.find((known) => known.site === site && known.language === "mr");
      assert.ok(statistic);
      return statistic.values;
    };
    for (const [token, share] of valuesOf(tokenSites.reads).entries()) {
      assert.is(share, Math.fround(tokens.filter((known) => known === token).length / tokens.length));
    }
    const forward = await model.forward({ threads: 1 });
    const spread = new Float64Array(model.vocabularySize);
    let positions = 0;
    for (const segment of own) {
      let states = await forward.embed(segment.tokens);
      for (const block of model.blocks.keys()) states = await forward.block(block, states);
      const { values } = await forward.logits(states);
      for (let row = 0; row < states.rows; row += 4) {
        const logits = values.subarray(row * spread.length, (row + 1) * spread.length);
        const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
        for (const [token, logit] of logits.entries())
          spread[token] = at(spread, token) + (Math.exp(logit) / sum) * (1 - Math.exp(logit) / sum);
        positions += 1;
      }
    }
    await forward.close();
    // both segments of mr have a length that four divides or are the only batch of theirs, so the positions are the same
    assert.ok(
      relativeDifference(
        valuesOf(tokenSites.spread),
        spread.map((sum) => sum / positions),
      ) < rounding,
    );
  });
});

test("the head does not wait in the pool for a stage that reads all of it", async () => {
  await withModel(async (folder, { tokenizerAddress, vocabularySize, hiddenSize }) => {
    const pool = createObjectPool();
    const source = [segmentStream(makeSegments(), tokenizerAddress)];
    const { statistics } = await capture.run({ source }, { model: folder, embeddings: true }, { ...context, pool });
    assert.ok(statistics);
    await collect(readStatistics(statistics));
    const model = await openModel(folder, { pool });
    const forward = await model.forward({ threads: context.threads });
    const held = forward.heldBytes();
    assert.ok(held > 0, "the weights of the last block wait");
    await forward.logits({ rows: 1, columns: hiddenSize, values: new Float32Array(hiddenSize).fill(1) });
    assert.is(forward.heldBytes() - held, 4 * vocabularySize * hiddenSize);
    await forward.close();
    await model.close();
    await pool.close();
  });
});

test("the price of the embedding predicts what another random change of its rows costs", async () => {
  const folder = fileURLToPath(new URL("../../../datasets/controlled-llama", import.meta.url));
  const model = await openModel(folder);
  const tokens = Int32Array.from({ length: 64 }, (_, position) => 5 + ((position * 53) % 900));
  const segments = segmentStream([{ segment: 0, language: "en", documents: 1, tokens }], model.tokenizerAddress);
  const price = ofEmbeddings(await runCapture(segments, { model: folder, embeddings: true })).find(
    ({ site }) => site === tokenSites.price,
  );
  assert.ok(price);
  const forward = await model.forward({ threads: 1 });
  const logitsOf = async (changes: ReadonlyMap<number, Float32Array>) => {
    assert.ok(forward.embeddings);
    let states = await forward.embeddings.embedChanged(tokens, changes);
    for (const block of model.blocks.keys()) states = await forward.block(block, states);
    return forward.logits(states);
  };
  const size = 0.002;
  const change = (token: number) =>
    Float32Array.from({ length: model.hiddenSize }, (_, column) => (Math.sin(token * 7.1 + column * 3.7) < 0 ? -size : size));
  const [dense, other] = [await logitsOf(new Map()), await logitsOf(new Map([...tokens].map((token) => [token, change(token)])))];
  await forward.close();
  await model.close();
  let nats = 0;
  for (let row = 0; row < dense.rows; row += 1) {
    const [a, b] = [dense, other].map(({ values, columns }) => [...values.subarray(row * columns, (row + 1) * columns)]) as [
      number[],
      number[],
    ];
    const [sumA, sumB] = [logSum(a), logSum(b)];
    nats +=
      a.reduce((sum, logit, token) => sum + Math.exp(logit - sumA) * (logit - sumA - (at(b, token) - sumB)), 0) / dense.rows;
  }
  const predicted = 0.5 * at(price.values, 0) * size ** 2 * model.hiddenSize;
  // two draws of the same size on 64 positions: the loss is a quadratic form of 256 · 64 signs, whose draws differ by some percent
  assert.ok(nats > 0.7 * predicted && nats < 1.4 * predicted, `${nats} against ${predicted}`);
});

test("what does not go together is refused, with the remedy", async () => {
  await withModel(async (folder, model) => {
    const segments = () => keep(segmentStream(makeSegments(), model.tokenizerAddress));
    const first = await runPropagate(await segments(), { model: folder });
    const last = await lastStates(folder, model);
    const run = async (inputs: StageInputs, options: object): Promise<unknown> => {
      const { statistics } = await capture.run(inputs, { model: folder, ...options }, context);
      return statistics && collect(readStatistics(statistics));
    };
    const cases = [
      [{ source: [first] }, { embeddings: true }, "--embeddings goes with segments"],
      [{ source: [last] }, {}, "give it --segments too"],
      [{ source: [first], segments: [await segments()] }, {}, "--segments go with states after the last block"],
      [{ source: [await segments()] }, { embeddings: true, site: "mlp-up" }, "--site is for blocks"],
      [{ source: [last], segments: [await segments()], layers: [last] }, {}, "take neither --layers"],
    ] as const;
    for (const [inputs, options, message] of cases) {
      const error = await run(inputs, options).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      assert.instance(error, UsageError, message);
      assert.match(String(error), message);
    }
  });
});

test("an encoder-decoder's embedding and head stay as they are, and it says so", async () => {
  const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/t5-relu-tied-f32", import.meta.url));
  const model = await openModel(folder);
  await model.close();
  const error = await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder, embeddings: true }).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.instance(error, FailedPreconditionError);
  assert.match(String(error), "an encoder-decoder, whose embedding and head are not compressed");
});

test.run();
