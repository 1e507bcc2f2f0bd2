import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArtifactStore, collect, readFactors, readLayers } from "@mbs/artifacts";
import type { FactorRecord, LayerRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { writeTexts } from "./fixtures/texts.ts";

const test = suite<{ root: string }>("solver needs");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-needs-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

interface Compressed {
  readonly stages: readonly string[];
  readonly layers: readonly LayerRecord[];
  readonly factors: readonly FactorRecord[];
}

const [segments, length] = [12, 32];

/** Compresses the model of a test's folder. */
async function compressed(root: string, name: string, changes: Readonly<Record<string, unknown>>): Promise<Compressed> {
  const recipe = recipeFrom({
    model: join(root, "model"),
    corpus: join(root, "texts"),
    sample: { mix: "equal", segments, length },
    keep: true,
    output: join(root, name),
    ...changes,
  });
  const { folder, nodes } = await run(recipe, {
    stages: await loadStages(),
    threads: 1,
    signal: new AbortController().signal,
  });
  const store = new ArtifactStore(folder.artifacts);
  const madeBy = async <Item>(stage: string, read: (stream: Awaited<ReturnType<typeof store.open>>) => AsyncIterable<Item>) => {
    const records = nodes
      .filter((node) => node.stage === stage)
      .map(async ({ address }) => collect(read(await store.open(address))));
    return (await Promise.all(records)).flat();
  };
  return {
    stages: [...new Set(nodes.map(({ stage }) => stage))],
    layers: await madeBy("compress", readLayers),
    factors: await madeBy("factor", readFactors),
  };
}

const written = ({ block, site, tensor, values, mask, codes, scales, zeros }: LayerRecord) => ({
  block,
  site,
  tensor,
  values,
  mask,
  codes,
  scales,
  zeros,
});

test("rtn and magnitude give the same codes and masks without calibration", async ({ root }) => {
  for (const compress of [{ solver: "rtn", bits: 3, groupSize: 16 }, { solver: "magnitude" }]) {
    const plain = await compressed(root, `plain-${compress.solver}`, { compress });
    assert.equal(plain.stages, ["sample", "compress", "assemble"]);
    const calibrated = { compress: { ...compress, withoutFactors: false }, capture: { statistics: "gram" } };
    const whole = await compressed(root, `whole-${compress.solver}`, calibrated);
    assert.equal(whole.stages, ["sample", "propagate", "capture", "factor", "compress", "assemble"]);
    assert.equal(plain.layers.map(written), whole.layers.map(written));
    assert.equal(new Set(plain.layers.map(({ summary }) => summary.moment)), new Set(["identity"]));
  }
});

/**
 * Where two masks differ, by how much the scores |w|·√E[x²] of the two weights of a row differ that were exchanged: the
 * largest relative difference.
 */
function furthestTie(first: LayerRecord, second: LayerRecord, weights: Float32Array, diagonal: Float32Array): number {
  assert.ok(first.mask && second.mask);
  const { rows, data } = first.mask;
  const other = second.mask.data;
  const columns = diagonal.length;
  const stride = data.length / rows;
  let furthest = 0;
  for (let row = 0; row < rows; row++) {
    const kept: number[] = [];
    const dropped: number[] = [];
    for (let column = 0; column < columns; column++) {
      const bit = (bits: Uint8Array): number => (at(bits, row * stride + (column >> 3)) >> (column & 7)) & 1;
      if (bit(data) === bit(other)) continue;
      (bit(data) === 1 ? kept : dropped).push(Math.abs(at(weights, row * columns + column)) * Math.sqrt(at(diagonal, column)));
    }
    assert.is(kept.length, dropped.length, "a row keeps as many weights");
    for (const score of kept) for (const lower of dropped) furthest = Math.max(furthest, Math.abs(score - lower) / score);
  }
  return furthest;
}

test("wanda gives the same masks from mean squares as from Grams, but for ties within their rounding", async ({ root }) => {
  const recipe = { propagation: "dense", compress: { solver: "wanda" } };
  const squares = await compressed(root, "squares", recipe);
  const grams = await compressed(root, "grams", { ...recipe, capture: { statistics: "gram" }, factor: { upper: "on" } });
  assert.equal(squares.stages, grams.stages);
  assert.equal(new Set(squares.layers.map(({ summary }) => summary.moment)), new Set(["diagonal"]));
  assert.equal(new Set(grams.layers.map(({ summary }) => summary.moment)), new Set([undefined]));
  assert.ok(squares.factors.every(({ gram, upper }) => gram === undefined && upper === undefined));
  assert.ok(grams.factors.every(({ gram, upper }) => gram !== undefined && upper !== undefined));
  // A Gram adds one term a token in float32, mean squares are added in float64: n roundings of 2⁻²⁴ at worst, all one way.
  const rounding = segments * length * 2 ** -24;
  const diagonals = new Map<string, Float32Array>();
  for (const [index, { block, site, diagonal }] of squares.factors.entries()) {
    const other = at(grams.factors, index);
    assert.equal([other.block, other.site], [block, site]);
    const furthest = diagonal.reduce(
      (most, value, channel) => Math.max(most, Math.abs(at(other.diagonal, channel) - value) / value),
      0,
    );
    assert.ok(furthest <= rounding, `${block} ${site}: ${furthest}`);
    diagonals.set(`${block} ${site}`, diagonal);
  }
  const model = await openModel(join(root, "model"));
  try {
    for (const [index, layer] of squares.layers.entries()) {
      const { block, site, tensor } = layer;
      const diagonal = diagonals.get(`${block} ${site}`);
      assert.ok(diagonal);
      const tie = furthestTie(layer, at(grams.layers, index), await model.readWeight(tensor), diagonal);
      assert.ok(tie <= rounding, `${tensor}: ${tie}`);
    }
  } finally {
    await model.close();
  }
});

test("awq is given Grams that are not factorised", async ({ root }) => {
  const { factors } = await compressed(root, "awq", { propagation: "dense", compress: { solver: "awq", bits: 4 } });
  assert.ok(factors.length > 0 && factors.every(({ gram, upper }) => gram !== undefined && upper === undefined));
});

test.run();
