import { at, UsageError, type Factor, type SolverContext } from "@mbs/contracts";
import { blockGrids, quantisationTypeNamed, encodeValues } from "@mbs/gguf";
import { naturalOrder } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fixBlocks } from "../src/blocks/block-feedback.ts";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { makeSampleSite } from "../src/conformance/sample-site.ts";
import { askedGrid, factorOptionsFor, loadSolver, outputByRow } from "../src/index.ts";

const context: SolverContext = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
const rows = 5;
const columns = 512;
const natural = naturalOrder(columns);
const types = [...blockGrids].flatMap(([name, { codebook }]) => (codebook ? [name] : []));

/** Weights with a few large ones, the same in every run. */
const values = Float32Array.from({ length: rows * columns }, (_, index) => Math.fround(Math.sin(index * 1.7) ** 5 / 8));
const weight = { rows, columns, values, parts: [] };

const decoded = (type: string, blocks: Uint8Array): Float32Array => {
  const found = new Float32Array(values.length);
  quantisationTypeNamed(type).decode?.(blocks, found);
  return found;
};

/** Each row to nearest. */
function encoded(type: string, importance: Float32Array): Float32Array {
  const own = Array.from({ length: rows }, (_, row) =>
    encodeValues(quantisationTypeNamed(type), values.subarray(row * columns, (row + 1) * columns), importance),
  );
  return decoded(type, Buffer.concat(own));
}

const { statistics } = await makeSampleSite(plainBlas, { parts: [rows], columns }, "natural");
const { gram, factor } = statistics;
const lossOf = async (rounded: Float32Array): Promise<number> => {
  const change = rounded.map((value, index) => value - at(values, index));
  return (await outputByRow(plainBlas, change, rows, { gram })).reduce((sum, loss) => sum + loss, 0);
};

for (const type of types) {
  test(`${type}: where inputs are uncorrelated, rows are rounded as by the encoder, and the bytes decode to the values`, async () => {
    const importance = Float32Array.from({ length: columns }, (_, column) => 1 + ((column * 37) % 11));
    const upper = new Float32Array(columns * columns);
    for (const column of natural) upper[column * (columns + 1)] = 1 / Math.sqrt(at(importance, column));
    const uncorrelated: Factor = { order: natural, orderName: "natural", upper, dead: [], damping: 0 };
    const solution = await fixBlocks(weight, uncorrelated, { type, blockSize: 128 }, context);
    // as importances are once more read from U in float32
    const read = importance.map((_, column) => 1 / at(upper, column * (columns + 1)) ** 2);
    assert.equal(solution.values, encoded(type, read));
    assert.ok(solution.blocks);
    assert.equal(decoded(type, solution.blocks), solution.values);
  });

  test(`${type}: feedback loses less than the encoder with an importance, and each sweep less than the one before`, async () => {
    const diagonal = Float32Array.from({ length: columns }, (_, column) => at(gram, column * (columns + 1)));
    let before = 0.8 * (await lossOf(encoded(type, diagonal)));
    for (const sweeps of [0, 1, 2]) {
      const { values: rounded, blocks } = await fixBlocks(
        weight,
        factor,
        { type, blockSize: 128, descent: { sweeps, gram } },
        context,
      );
      const loss = await lossOf(rounded);
      assert.ok(loss < before, `${sweeps} sweeps: ${loss}, before ${before}`);
      assert.ok(blocks);
      assert.equal(decoded(type, blocks), rounded);
      before = loss;
    }
  });
}

test("the size of the walk's blocks changes nothing but roundings, also where it is no multiple of a sub-block", async () => {
  const losses = [];
  for (const blockSize of [1, 100, 512]) {
    losses.push(await lossOf((await fixBlocks(weight, factor, { type: "IQ2_XS", blockSize }, context)).values));
  }
  const [first = 0] = losses;
  // scales are fitted on the weights as they stand when a block begins
  for (const loss of losses) assert.ok(Math.abs(loss / first - 1) < 0.05, losses.join(" "));
});

test("columns without inputs change nothing in the others", async () => {
  const dead = [3, 300];
  const upper = factor.upper.slice();
  const silent = gram.slice();
  for (const column of dead) {
    for (const other of natural) {
      upper[column * columns + other] = upper[other * columns + column] = other === column ? 1 : 0;
      silent[column * columns + other] = silent[other * columns + column] = 0;
    }
  }
  const solve = (own: Float32Array): ReturnType<typeof fixBlocks> =>
    fixBlocks(
      { ...weight, values: own },
      { ...factor, upper, dead },
      { type: "IQ3_XXS", blockSize: 128, descent: { sweeps: 1, gram: silent } },
      context,
    );
  const plain = await solve(values);
  const other = await solve(values.map((value, index) => (dead.includes(index % columns) ? 100 : value)));
  assert.equal(other.values, plain.values);
});

test("an order that splits points is refused, and a recipe takes the natural one", async () => {
  const scattered: Factor = { ...factor, order: natural.toReversed(), orderName: "activation" };
  const error = await fixBlocks(weight, scattered, { type: "IQ3_S", blockSize: 128 }, context).catch((caught: unknown) => caught);
  assert.instance(error, UsageError);
  assert.match(
    String(error),
    /order is activation, which splits the 4 columns that IQ3_S decides together; factor with --order natural/,
  );
  const gptq = await loadSolver("gptq");
  assert.is(factorOptionsFor(gptq, {}, askedGrid(gptq, { typeMix: "IQ2_M" }), {})["order"], "natural");
});

test("an order of whole super-blocks serves as well", async () => {
  const order = Int32Array.from(natural, (position) => (position + 256) % columns);
  const upper = new Float32Array(columns * columns);
  for (const column of natural) upper[column * (columns + 1)] = 1;
  const turned: Factor = { order, orderName: "group-aware:256", upper, dead: [], damping: 0 };
  const same = await fixBlocks(weight, { ...turned, order: natural }, { type: "IQ2_S", blockSize: 128 }, context);
  assert.equal((await fixBlocks(weight, turned, { type: "IQ2_S", blockSize: 128 }, context)).values, same.values);
});

test.run();
