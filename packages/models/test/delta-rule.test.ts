import { at } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder } from "@mbs/onnx";
import type { Tensor } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { deltaRule } from "../src/graph/delta-rule.ts";

const batch = 2;
const heads = 2;
const keySize = 6;
const valueSize = 5;

/** Numbers in -1 … 1, the same in every run. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

interface Texts {
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
  readonly decay: Float32Array;
  readonly share: Float32Array;
}

/** Rows of length 1. */
function units(values: Float32Array): Float32Array {
  const made = Float32Array.from(values);
  for (let first = 0; first < made.length; first += keySize) {
    const row = made.subarray(first, first + keySize);
    row.set(row.map((value, _, all) => value / Math.hypot(...all)));
  }
  return made;
}

/** Token by token in float64. */
function plainly({ query, key, value, decay, share }: Texts, length: number): Float64Array {
  const made = new Float64Array(batch * heads * length * valueSize);
  for (let text = 0; text < batch * heads; text++) {
    const state = new Float64Array(keySize * valueSize);
    for (let token = text * length; token < (text + 1) * length; token++) {
      const left = Math.exp(at(decay, token));
      for (const [index, held] of state.entries()) state[index] = held * left;
      for (let column = 0; column < valueSize; column++) {
        const read = (vectors: Float32Array): number =>
          Array.from(
            { length: keySize },
            (_, row) => at(vectors, token * keySize + row) * at(state, row * valueSize + column),
          ).reduce((sum, product) => sum + product, 0);
        const change = at(share, token) * (at(value, token * valueSize + column) - read(key));
        for (let row = 0; row < keySize; row++) {
          const place = row * valueSize + column;
          state[place] = at(state, place) + at(key, token * keySize + row) * change;
        }
        made[token * valueSize + column] = read(query);
      }
    }
  }
  return made;
}

async function run(graph: GraphBuilder, result: string, feeds: Readonly<Record<string, Tensor>>): Promise<Float32Array> {
  graph.output("y", result, "float32");
  const session = await createSession(graph.build(), { threads: 1 });
  const values = floatValues(await session.run(feeds), "y");
  await session.release();
  return values;
}

async function inChunks(texts: Texts, length: number): Promise<Float32Array> {
  const graph = new GraphBuilder("delta rule");
  const feeds: Record<string, Tensor> = {};
  const input = (name: keyof Texts, size: number): string => {
    feeds[name] = floatTensor(texts[name], [batch, heads, length, size]);
    return graph.input(name, "float32", [batch, heads, length, size]);
  };
  const inputs = {
    query: input("query", keySize),
    key: input("key", keySize),
    value: input("value", valueSize),
    decay: input("decay", 1),
    share: input("share", 1),
  };
  return run(graph, deltaRule(graph, inputs, { batch, length, heads, keySize, valueSize }), feeds);
}

const usual = (length: number): Texts => {
  const count = batch * heads * length;
  return {
    query: units(numbers(count * keySize, 1)),
    key: units(numbers(count * keySize, 2)),
    value: numbers(count * valueSize, 3),
    decay: numbers(count, 4).map((value) => -Math.exp(4 * value - 2)),
    share: numbers(count, 5).map((value) => (value + 1) / 2),
  };
};

/** Keys of one direction, and next to nothing forgotten: powers of the matrix of all pairs would grow to 1e8. */
const alike = (length: number): Texts => {
  const texts = usual(length);
  return {
    ...texts,
    key: texts.key.map((_, index) => at(texts.key, index % keySize)),
    decay: texts.decay.map(() => -1e-6),
    share: texts.share.map(() => 0.98),
  };
};

/** Most is forgotten at every third token: decays of a chunk add up to far more than an exponential can be. */
const forgetful = (length: number): Texts => {
  const texts = usual(length);
  return { ...texts, decay: texts.decay.map((_, token) => (token % 3 === 0 ? -60 : -0.001)) };
};

for (const [name, textsOf, rounding] of [
  // values of up to 1: sums of some ten products in each of a dozen steps, each rounded to 2⁻²⁴
  ["usual texts", usual, 1e-5],
  ["keys that are alike", alike, 1e-5],
  // decays of a chunk add up to 660, of which 2⁻²⁴ is 4e-5; transformers, with chunks of 64, rounds twice as much
  ["heads that forget", forgetful, 1e-4],
] as const) {
  for (const length of [1, 31, 32, 33, 150]) {
    test(`the delta rule in chunks is that of float64, token by token: ${name} of ${length}`, async () => {
      const texts = textsOf(length);
      const [found, expected] = [await inChunks(texts, length), plainly(texts, length)];
      const furthest = Math.max(...found.map((value, index) => Math.abs(value - at(expected, index))));
      assert.ok(furthest < rounding, `differs by ${furthest}`);
    });
  }
}

test.run();
