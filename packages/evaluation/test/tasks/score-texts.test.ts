import { fileURLToPath } from "node:url";
import { BadDataError, FailedPreconditionError, InterruptedError, at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, runBlocks } from "@mbs/models";
import type { Forward, Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { countTokens, scoreTexts } from "../../src/index.ts";
import type { EncodedText, TextScore } from "../../src/index.ts";
import { packTexts } from "../../src/tasks/text-packs.ts";

/**
 * Products of other shapes add in another order: a logit of up to 20 is rounded to 2⁻²⁴ · 20 = 1.2e-6 at each of some 10
 * products, over at most 40 tokens.
 */
const rounding = 1e-4;

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../models/test/fixtures/forward/${name}`, import.meta.url));

const context = (signal = new AbortController().signal) => testContext({ signal });

/** Documents of four choices after one context, every third with the context of the one before. */
function documents(first: number, count: number, vocabulary = 60): EncodedText[] {
  const token = (...seed: readonly number[]): number =>
    seed.reduce((mixed, part) => (mixed * 31 + part * 7 + 11) % vocabulary, 3);
  return Array.from({ length: count }, (_, offset) => {
    const document = first + offset;
    const passage = document % 3 === 1 ? document - 1 : document;
    const prompt = Array.from({ length: 5 + (passage % 9) }, (__, position) => token(passage, position));
    return Array.from({ length: 4 }, (__, choice): EncodedText => {
      const own = Array.from({ length: 1 + ((document + choice) % 4) }, (___, position) => token(document, choice, position));
      return {
        name: `document ${document}, choice ${choice}`,
        tokens: Int32Array.from([...prompt, ...own]),
        predicted: own.length,
        cut: 0,
      };
    });
  }).flat();
}

async function score(model: Model, groups: readonly (readonly EncodedText[])[], signal?: AbortSignal): Promise<TextScore[]> {
  const found: TextScore[] = [];
  const scored = { model, label: "tiny", activations: "float32" } as const;
  for await (const scores of scoreTexts(scored, groups, context(signal))) found.push(...scores);
  return found;
}

/** The plain way: each text by itself. */
async function alone(model: Model, { tokens, predicted }: EncodedText): Promise<number> {
  const forward = await model.forward({ threads: 1 });
  const states = await runBlocks(model, forward, new Map([["hidden", tokens.subarray(0, -1)]]));
  const losses = await forward.score(states, tokens);
  await forward.close();
  return -losses.subarray(losses.length - predicted).reduce((sum, loss) => sum + loss, 0);
}

async function refused(scoring: Promise<unknown>, kind: new (...args: never[]) => Error, message: RegExp): Promise<void> {
  let failure: unknown;
  await scoring.catch((error: unknown) => (failure = error));
  assert.instance(failure, kind);
  assert.match((failure as Error).message, message);
}

/** A model whose forward pass is another one. */
const withForward = (model: Model, change: (forward: Forward) => Forward): Model => ({
  ...model,
  forward: async (options) => change(await model.forward(options)),
});

for (const name of ["plain-f32", "gemma3-alternating-f32", "phi3-longrope-short-f32"]) {
  test(`texts of ${name} have the log-likelihoods that each has alone`, async () => {
    const model = await openModel(fixture(name));
    const group = documents(0, 12);
    // a text that is longer than a pack, and one that is there twice
    const long = Int32Array.from({ length: 90 }, (_, position) => (position * position) % 50);
    const texts = [...group, { name: "long", tokens: long, predicted: 2, cut: 0 }, at(group, 5)];
    const found = await score(model, [texts]);
    assert.is(found.length, texts.length);
    for (const [index, text] of texts.entries()) {
      const difference = Math.abs(at(found, index).logLikelihood - (await alone(model, text)));
      assert.ok(difference < rounding, `${text.name} differs by ${difference}`);
      assert.is(at(found, index).tokens, text.predicted);
    }
    assert.is(at(found, 5).logLikelihood, at(found, texts.length - 1).logLikelihood);
    await model.close();
  });
}

test("what texts share is computed once", () => {
  const group = documents(0, 12);
  const { computed, all } = countTokens(group, { hiddenSize: 32, trees: {} });
  assert.is(
    all,
    group.reduce((sum, { tokens }) => sum + tokens.length, 0),
  );
  assert.ok(computed < all / 2, `${computed} of ${all}`);
  const { computed: plain } = countTokens(group, { hiddenSize: 32, trees: undefined });
  assert.is(plain, all - group.length);
});

test("choices of one letter after a prompt that is too long for a tree are read once, as a whole text", () => {
  const prompt = Array.from({ length: 3000 }, (_, position) => position % 50);
  const choices = [51, 52, 53, 54].map((letter) => ({
    name: `choice ${letter}`,
    tokens: Int32Array.from([...prompt, letter]),
    predicted: 1,
    cut: 0,
  }));
  // a text that is the beginning of that prompt
  const shorter = { name: "shorter", tokens: Int32Array.from([...prompt.slice(0, 1000), 55]), predicted: 1, cut: 0 };
  const packs = [...packTexts([...choices, shorter], { hiddenSize: 32, trees: {} })];
  const long = packs.find(({ texts }) => texts.includes(0));
  assert.equal(long?.run, { tokens: Int32Array.from(prompt), batch: 1 });
  assert.equal(
    long?.predictions.get(2999),
    [51, 52, 53, 54].map((token, index) => ({ token, texts: [index] })),
  );
  const own = packs.find(({ texts }) => texts.includes(4));
  const row = own === undefined ? -1 : at(at(own.rows, own.texts.indexOf(4)), 999);
  assert.equal(own?.predictions.get(row)?.at(-1), { token: 55, texts: [4] });
});

test("a group has the same bits whatever other groups there are", async () => {
  const model = await openModel(fixture("llama-grouped-f32"));
  const groups = [documents(0, 8), documents(8, 8), documents(16, 3)];
  const together = await score(model, groups);
  const apart: TextScore[] = [];
  for (const group of groups) apart.push(...(await score(model, [group])));
  assert.equal(together, apart);
  await model.close();
});

test("a model without trees runs whole texts, and finds the same", async () => {
  const model = await openModel(fixture("gpt2-f32"));
  const group = documents(0, 9);
  const trees = await score(model, [group]);
  const whole = await score(
    withForward(model, ({ tree, ...forward }) => {
      assert.ok(tree);
      return forward;
    }),
    [group],
  );
  for (const [index, { logLikelihood }] of whole.entries()) {
    assert.ok(Math.abs(logLikelihood - at(trees, index).logLikelihood) < rounding);
  }
  await model.close();
});

test("an encoder-decoder is refused", async () => {
  const model = await openModel(fixture("mt5-f32"));
  await refused(score(model, [documents(0, 1)]), FailedPreconditionError, /is an encoder-decoder/);
  await model.close();
});

test("a state that is not finite is reported with the text", async () => {
  const model = await openModel(fixture("plain-f32"));
  const broken = withForward(model, (forward) => ({
    ...forward,
    ...(forward.tree && {
      tree: {
        ...forward.tree,
        block: async (index, states) => {
          const values = Float32Array.from(states.values);
          if (index === 1) values[values.length - 1] = NaN;
          return { ...states, values };
        },
      },
    }),
  }));
  const [first, ...others] = documents(0, 1);
  assert.ok(first);
  await refused(score(broken, [[first, ...others]]), BadDataError, /^tiny, \S+: NaN in document 0, choice \d, channel/);
  await model.close();
});

test("a log-likelihood that is not finite is reported with the text", async () => {
  const model = await openModel(fixture("plain-f32"));
  const broken = withForward(model, (forward) => ({
    ...forward,
    ...(forward.tree && {
      tree: {
        ...forward.tree,
        score: async (states, next) => (await forward.tree?.score(states, next))?.fill(NaN) ?? new Float64Array(),
      },
    }),
  }));
  await refused(score(broken, [documents(0, 1)]), BadDataError, /log-likelihood of document 0, choice 0 is NaN/);
  await model.close();
});

test("scoring stops when it is told to", async () => {
  const model = await openModel(fixture("plain-f32"));
  await refused(score(model, [documents(0, 1)], AbortSignal.abort()), InterruptedError, /stopped/);
  await model.close();
});

test.run();
