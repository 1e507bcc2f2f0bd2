import { fileURLToPath } from "node:url";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { canCount, CountingDevice } from "../../../tools/test/counting-device.ts";
import { embedStreams, openModel, statesOf } from "../src/index.ts";
import type { Forward, Model, TokenTree } from "../src/index.ts";
import { walkBlock } from "../src/testing.ts";

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));

const counted = canCount ? test : (name: string): void => test.skip(name);
const device = new CountingDevice();

/** Batches of another size are multiplied in another order. */
const rounding = 1e-4;

type Values = Float32Array | Float64Array;

function requireNear(found: Values, wanted: Values, name: string): void {
  assert.is(found.length, wanted.length, name);
  const worst = Array.from(wanted).reduce((most, value, index) => Math.max(most, Math.abs(value - at(found, index))), 0);
  assert.ok(worst <= rounding, `${name} is off by ${worst}`);
}

/** What a forward pass makes of some states, all in one list. */
type Work = (forward: Forward, model: Model) => Promise<readonly Values[]>;

/**
 * How often work went on, and how often not, with a fault in every fifth of its runs, each time in a new forward pass: it
 * remembers what did not fit.
 */
async function withFaults(
  model: Model,
  fault: "full" | "lost",
  work: Work,
  check: (made: readonly Values[]) => void,
): Promise<{ readonly done: number; readonly failed: number }> {
  const made = await device.withFaults(fault, 5, async () => {
    const forward = await model.forward({ threads: 1, device: "webgpu" });
    try {
      const own = await work(forward, model);
      check(own);
      return own;
    } finally {
      await forward.close();
    }
  });
  const done = made.filter((one) => one !== undefined).length;
  return { done, failed: made.length - done };
}

/** Two texts with one beginning. */
const tree: TokenTree = {
  tokens: Int32Array.of(5, 6, 7, 8, 9, 10),
  parents: Int32Array.of(-1, 0, 1, 2, 1, 4),
  positions: Int32Array.of(0, 1, 2, 3, 2, 3),
};

/** A text, in two parts. */
const chain: TokenTree = {
  tokens: Int32Array.of(5, 6, 7, 8, 9, 10),
  parents: Int32Array.of(-1, 0, 1, 2, 3, 4),
  positions: Int32Array.of(0, 1, 2, 3, 4, 5),
};

const rows = ({ values }: Matrix): Float32Array => values;

const heads: Readonly<Record<string, Work>> = {
  score: async (forward, { stateWidth }) => [await forward.score(someStates(stateWidth), chain.tokens)],
  logits: async (forward, { stateWidth }) => [rows(await forward.logits(someStates(stateWidth)))],
  "logits by tokens": async (forward, { stateWidth }) => {
    const found: Float32Array[] = [];
    for (const [count, turned] of [
      [6, false],
      [6, true],
      [1, true],
    ] as const) {
      const made = await forward.logitsByTokens?.(someStates(stateWidth, count), { turned });
      for (const tokens of [
        { first: 0, count: 7 },
        { first: 7, count: 20 },
      ]) {
        const part = await made?.(tokens);
        assert.ok(part);
        assert.equal([part.rows, part.columns], turned ? [tokens.count, count] : [count, tokens.count]);
        found.push(rows(part));
      }
    }
    return found;
  },
  spread: async (forward, { stateWidth }) => [(await forward.embeddings?.spread(someStates(stateWidth))) ?? new Float32Array(0)],
};

const trees: Readonly<Record<string, Work>> = {
  tree: async ({ tree: own }, { blocks }) => {
    assert.ok(own);
    let states = await own.embed(tree);
    for (const index of blocks.keys()) states = await own.block(index, states, tree);
    return [rows(states)];
  },
  "tree that goes on": async ({ tree: own }) => {
    assert.ok(own);
    const cache = own.startCache();
    const begun = {
      tokens: chain.tokens.slice(0, 4),
      parents: chain.parents.slice(0, 4),
      positions: chain.positions.slice(0, 4),
    };
    return [rows(await own.readOn(cache, begun)), rows(await own.readOn(cache, chain))];
  },
};

function someStates(columns: number, count = 6): Matrix {
  return {
    rows: count,
    columns,
    values: Float32Array.from({ length: count * columns }, (_, index) => Math.sin(1 + 1.3 * index)),
  };
}

for (const [name, works] of [
  ["llama-grouped-f32", { ...heads, ...trees }],
  ["gemma4-per-layer-untied-biases-f32", trees],
] as const) {
  counted(`head and trees of ${name} run in pieces where there is no space for all, and nothing stays there`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1 });
    for (const [kind, work] of Object.entries(works)) {
      const wanted = await work(forward, model);
      const check = (found: readonly Values[]): void => {
        for (const [index, own] of wanted.entries()) requireNear(at(found, index), own, kind);
      };
      assert.is((await withFaults(model, "full", work, check)).failed, 0, kind);
      assert.is((await withFaults(model, "lost", work, check)).done, 1, kind);
    }
    await forward.close();
    await model.close();
  });
}

for (const name of ["llama-grouped-f32", "lfm2-f32", "t5-relu-tied-f32"]) {
  counted(`what a block of ${name} leaves on a graphics processor is freed once, whichever run fails`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1 });
    const segments = [3, 4].map(
      (first) => new Map(model.streams.map((stream) => [stream, Int32Array.from({ length: 6 }, (_, token) => first + token)])),
    );
    const states = await embedStreams(forward, ...segments);
    const index = model.blocks.length - 1;
    const own = statesOf(states, at(model.blocks, index).stream);
    const work: Work = async (given) => {
      const { sites, states: end } = await walkBlock(model, given, index, own, { batch: 2, reads: states });
      return [...(model.blocks[index]?.sites.map((site) => rows(statesOf(sites, site.name))) ?? []), rows(end)];
    };
    const wanted = await work(forward, model);
    const check = (found: readonly Values[]): void => {
      for (const [place, values] of wanted.entries()) requireNear(at(found, place), values, `value ${place}`);
    };
    const { done, failed } = await withFaults(model, "full", work, check);
    // only copies back have nothing to make way for them
    assert.ok(done > failed, `${done} of ${done + failed} times`);
    assert.is((await withFaults(model, "lost", work, check)).done, 1);
    await forward.close();
    await model.close();
  });
}

test.run();
