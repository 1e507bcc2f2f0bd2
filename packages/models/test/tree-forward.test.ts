import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel, plantTree, runBlocks } from "../src/index.ts";
import type { Activations, Forward, Model, TokenTree, TreeForward } from "../src/index.ts";

/**
 * How far the loss of a text may be from that of the same text alone: products of other shapes add in another order, and a
 * logit of up to 20 is rounded to 2⁻²⁴ · 20 = 1.2e-6 at each of some 10 products, over at most 40 tokens.
 */
const rounding = 1e-4;

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));
/** All but encoder-decoders, and models that read tokens one after the other: these have no pass over trees. */
const cases = (await readdir(fixtures)).filter((name) => !/^(u?m?t5|m2m|mbart|qwen3-5)/.test(name));

const requireTree = (forward: Forward): TreeForward => {
  assert.ok(forward.tree);
  return forward.tree;
};

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** Texts that share beginnings of several lengths: one is a beginning of another, two have nothing in common with the rest. */
function textsOf(tokens: Int32Array, vocabulary: number): Int32Array[] {
  const turned = (from: number): Int32Array =>
    Int32Array.from(tokens, (token, position) => (position < from ? token : (token + 1 + (position % 3)) % vocabulary));
  const length = tokens.length;
  return [
    tokens,
    tokens.subarray(0, Math.ceil(length / 3)),
    tokens.subarray(0, 2),
    turned(length - 2),
    turned(Math.floor(length / 2)),
    turned(Math.floor(length / 4)).subarray(0, length - 3),
    turned(0),
    turned(0).subarray(0, Math.ceil(length / 2)),
  ].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

/** The states after the last block, of all tokens at once. */
async function statesAtOnce(model: Model, forest: TreeForward, tree: TokenTree, activations: Activations): Promise<Matrix> {
  let states = await forest.embed(tree);
  for (const index of model.blocks.keys()) states = await forest.block(index, states, tree, { activations });
  return states;
}

/** The same in parts, some of them one token, each with the keys and values of those before. */
async function statesInParts(forest: TreeForward, tree: TokenTree, activations: Activations): Promise<Matrix> {
  const { longTexts = Infinity } = forest;
  const all = tree.tokens.length;
  // a part of long texts would be short ones, which have other positions
  const isLong = tree.positions.some((position) => position >= longTexts);
  const first = Math.ceil(all / 3);
  const upTo = (end: number): TokenTree => ({
    tokens: tree.tokens.subarray(0, end),
    parents: tree.parents.subarray(0, end),
    positions: tree.positions.subarray(0, end),
  });
  const cache = forest.startCache();
  const parts: Matrix[] = [];
  for (const end of isLong ? [all] : [...new Set([first, first + 1, first + 2, first + 3, all])].filter((rows) => rows <= all)) {
    parts.push(await forest.readOn(cache, upTo(end), { activations }));
    assert.is(cache.length, end);
  }
  const { columns } = at(parts, 0);
  return { rows: all, columns, values: Float32Array.from(parts.flatMap(({ values }) => [...values])) };
}

async function treeLosses(
  model: Model,
  forward: Forward,
  texts: readonly Int32Array[],
  activations: Activations,
  inParts = false,
) {
  const forest = requireTree(forward);
  const { tree, rows } = plantTree(texts);
  const states = inParts ? await statesInParts(forest, tree, activations) : await statesAtOnce(model, forest, tree, activations);
  const next = Array.from({ length: tree.tokens.length }, (): number[] => []);
  for (const [index, text] of texts.entries()) {
    for (let position = 1; position < text.length; position++) {
      at(next, at(at(rows, index), position - 1)).push(at(text, position));
    }
  }
  const losses = await forest.score(states, next);
  // the predictions of a row stand in the order of the texts
  const starts: number[] = [];
  let count = 0;
  for (const tokens of next) {
    starts.push(count);
    count += tokens.length;
  }
  assert.is(losses.length, count);
  const found = texts.map((text, index) => {
    let total = 0;
    for (let position = 1; position < text.length; position++) {
      const row = at(at(rows, index), position - 1);
      total += at(losses, at(starts, row));
      starts[row] = at(starts, row) + 1;
    }
    return total;
  });
  return { found, tokens: tree.tokens.length };
}

for (const name of cases) {
  test(`texts in a tree have the losses that each has alone: ${name}`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1 });
    const golden = JSON.parse(await readFile(`${fixtures}${name}/golden.json`, "utf8")) as { tokens: number[] };
    const texts = textsOf(Int32Array.from(golden.tokens), model.vocabularySize);
    const { longTexts = Infinity } = requireTree(forward);
    for (const own of [texts.filter(({ length }) => length <= longTexts), texts.filter(({ length }) => length > longTexts)]) {
      if (own.length === 0) continue;
      const { found, tokens } = await treeLosses(model, forward, own, "float32");
      const { found: inParts } = await treeLosses(model, forward, own, "float32", true);
      assert.ok(tokens < own.reduce((all, { length }) => all + length, 0));
      for (const [index, text] of own.entries()) {
        const alone = sum(await forward.score(await runBlocks(model, forward, new Map([["hidden", text]])), text));
        for (const made of [found, inParts]) {
          const difference = Math.abs(at(made, index) - alone);
          assert.ok(difference < rounding, `text ${index} of ${text.length} tokens differs by ${difference}`);
        }
      }
    }
    await forward.close();
    await model.close();
  });
}

test("texts of both kinds of positions are refused in one tree", async () => {
  const model = await openModel(`${fixtures}phi3-longrope-long-f16`);
  const forward = await model.forward({ threads: 1 });
  const forest = requireTree(forward);
  const limit = forest.longTexts;
  assert.ok(limit);
  const long = Int32Array.from({ length: limit + 1 }, (_, position) => position % 7);
  const { tree } = plantTree([long.subarray(0, limit), Int32Array.of(9, 3)]);
  const states = await forest.embed(tree);
  await forest.block(0, states, tree);
  const mixed = plantTree([long, Int32Array.of(9, 3)]).tree;
  try {
    await forest.block(0, await forest.embed(mixed), mixed);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
    assert.match((error as Error).message, /positions differ/);
  }
  await forward.close();
  await model.close();
});

test("a tree whose tokens do not follow their parents is refused", async () => {
  const model = await openModel(`${fixtures}plain-f32`);
  const forward = await model.forward({ threads: 1 });
  const tree = { tokens: Int32Array.of(1, 2), parents: Int32Array.of(-1, 0), positions: Int32Array.of(0, 2) };
  try {
    await requireTree(forward).embed(tree);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
  }
  await forward.close();
  await model.close();
});

test("an encoder-decoder has no trees", async () => {
  const model = await openModel(`${fixtures}mt5-f32`);
  const forward = await model.forward({ threads: 1 });
  assert.is(forward.tree, undefined);
  await forward.close();
  await model.close();
});

test.run();
