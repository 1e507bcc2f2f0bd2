import type { PlannedLayers } from "@mbs/contracts";
import type { WeightDtype } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { diskNeed, diskNeedFirst, diskNeedRotated } from "../src/estimate/disk.ts";
import type { DiskNeed, ModelShape } from "../src/estimate/disk.ts";
import { recipeFrom } from "../src/recipe/parse-recipe.ts";
import type { DecidedRecipe, Decisions } from "../src/recipe/decided-recipe.ts";
import { decided } from "./fixtures/decided.ts";

const width = 4096;
const packed = (width * (width + 1) * 4) / 2;

const model = (contextLength: number | undefined, dtype: WeightDtype = "f16"): ModelShape => ({
  blocks: ["h.0", "h.1"].map((name) => ({
    name,
    stream: "hidden",
    reads: ["hidden"],
    sites: [{ name: "qkv", width, weights: [{ tensor: `${name}.qkv`, rows: 3 * width }] }],
  })),
  streams: ["hidden"],
  hiddenSize: width,
  stateWidth: width,
  vocabularySize: 1000,
  contextLength,
  dtype,
  checkpoint: { list: () => [{ bytes: 1000 }] },
});

const recipe = (changes: object, decisions: Partial<Decisions> = {}): DecidedRecipe =>
  decided(recipeFrom({ model: "m", corpus: "c", compress: { solver: "gptq" }, output: "out", ...changes }), decisions);

test("a model that reads a hundred thousand tokens is calibrated with 2048 of them by default, like a sample", () => {
  const long = diskNeed(recipe({}), model(131_072));
  assert.equal(long, diskNeed(recipe({ sample: { length: 2048 } }), model(131_072)));
  assert.is(long.segments, 256 * 2048 * 4);
  assert.is(diskNeed(recipe({}), model(512)).segments, 256 * 512 * 4);
  assert.is(diskNeed(recipe({}), model(undefined)).segments, 256 * 2048 * 4);
});

/** Bytes of layers and of the model. */
const sizes = (dtype: WeightDtype, assemble = {}): number[] => {
  const { layers, model: written } = diskNeed(recipe({ assemble }), model(512, dtype));
  return [layers, written];
};

test("layers and model are as large as the dtype of the model, and of assemble where that names one", () => {
  const weights = 2 * width * 3 * width;
  assert.equal(sizes("f16"), [3 * weights, 1000]);
  assert.equal(sizes("f32"), [5 * weights, 1000]);
  assert.equal(sizes("f32", { dtype: "bf16" }), [5 * weights, 500]);
  assert.equal(sizes("bf16", { dtype: "f32" }), [3 * weights, 2000]);
  assert.equal(sizes("f16", { format: "gptq", "untie-head": true }), [3 * weights, 1000 + 2 * 1000 * width]);
  const quantisedFile = { ...model(512, "f32"), writtenDtype: "bf16" as const };
  assert.is(diskNeed(recipe({}), quantisedFile).model, 500);
});

test("a trimmed model lies beside what is made of it, at most as large as the one that is given", () => {
  const plain = diskNeedFirst(recipe({}), model(512));
  const { trimmed, rotated, peak } = diskNeedFirst(recipe({ trim: { keep: ["en"] } }), model(512));
  assert.is(plain.trimmed, undefined);
  assert.is(
    trimmed,
    model(512)
      .checkpoint.list()
      .reduce((sum, { bytes }) => sum + bytes, 0),
  );
  assert.is(rotated, undefined);
  assert.is(peak, plain.peak + (trimmed ?? 0));
  const both = diskNeedFirst(recipe({ trim: { keep: ["en"] }, rotate: {} }), model(512));
  assert.is(both.peak, diskNeedRotated(recipe({ rotate: {} }), model(512)).peak + (trimmed ?? 0));
});

test("a rotated model lies in float32 beside what is made of it, with a head of its own", () => {
  const plain = diskNeed(recipe({}), model(512));
  const { rotated, peak, layers, model: written } = diskNeedRotated(recipe({ rotate: {} }), model(512));
  assert.is(plain.rotated, undefined);
  assert.is(rotated, 2000 + 4 * width * 1000);
  assert.is(written, 1000);
  assert.is(layers, 5 * 2 * width * 3 * width);
  assert.is(peak, plain.peak + (rotated ?? 0) + layers - plain.layers);
});

test("weights name languages, not segments", () => {
  const statistics = (mix: string): number => diskNeed(recipe({ sample: { mix, length: 64 } }), model(512)).statistics;
  assert.is(statistics("en=0.5,fr=0.5"), statistics("en=8,fr=8"));
  assert.is(statistics("only:en"), packed + 2 * packed);
  assert.is(diskNeed(recipe({ sample: { mix: "en=8,fr=4", length: 64 } }), model(512)).segments, 12 * 64 * 4);
});

const statistics = (sample: object): number => diskNeed(recipe({ sample: { length: 64, ...sample } }), model(512)).statistics;

test("languages that the sample names bound their number", () => {
  assert.is(statistics({ languages: ["en", "fr"] }), statistics({ mix: "en=0.5,fr=0.5" }));
  assert.is(statistics({ languages: "en,fr" }), statistics({ languages: ["en", "fr"] }));
  assert.ok(statistics({}) > statistics({ languages: ["en", "fr"] }));
});

test("Grams of many languages stay within capture's budget: one of all is kept instead", () => {
  const capture = { budget: `${(5 * packed) / 1024}KiB` };
  const need = (languages: number): number =>
    diskNeed(recipe({ capture }), model(512), { segments: 256, length: 64, languages }).statistics;
  assert.is(need(5), 5 * packed + 2 * packed);
  assert.is(need(6), packed + 2 * packed);
});

const need = (changes: object): DiskNeed =>
  diskNeed(recipe({ sample: { mix: "only:en", segments: 4, length: 64 }, ...changes }), model(512));

/** Bytes of layers for each weight. */
const layers = (changes: object, codes: PlannedLayers["codes"] = "unknown"): number =>
  diskNeed(recipe(changes, { layers: [{ solver: "gptq", codes }] }), model(512)).layers / (2 * 3 * width * width);

test("layers have a mask, or a code with the grid of its group", () => {
  assert.is(layers({}, "none"), 2 + 1 / 8);
  assert.is(layers({}, { kind: "blocks", type: "Q4_K" }), 34 / 32);
  assert.is(layers({ compress: { solver: "gptq", groupSize: 0 } }), 3);
  assert.is(layers({ compress: { solver: "gptq", groupSize: 64 } }), 3 + 5 / 64);
});

const layersOf = (compress: object, of: ModelShape): number =>
  diskNeed(recipe({ compress: { solver: "gptq", ...compress } }), of).layers;

test("embedding and head are counted where they are compressed", () => {
  const head = { name: "head", width, weights: [{ tensor: "embedding", rows: 1000 }] };
  const whole: ModelShape = {
    ...model(512),
    embeddings: { name: "embeddings", stream: "hidden", reads: [], sites: [head], isTied: true },
  };
  assert.is(layersOf({}, whole), layersOf({}, model(512)));
  assert.is(layersOf({ embeddings: 4 }, whole) - layersOf({}, whole), 3 * 1000 * width);
  const statisticsOf = (factor: object): number =>
    diskNeed(
      recipe({ compress: { solver: "gptq", embeddings: 4 }, sample: { mix: "en=2,fr=2", length: 64 }, factor, keep: true }),
      whole,
    ).statistics;
  assert.is(statisticsOf({ rowClasses: 16 }) - statisticsOf({}), 2 * 4 * width * (width + 1), "the factors of two classes");
});

test("a run without statistics keeps none, and only the states that similarity reads", () => {
  const plain = { compress: { solver: "rtn", withoutFactors: true }, keep: true };
  assert.equal([need(plain).statistics, need(plain).states], [0, 0]);
  const compared = need({ ...plain, similarity: true });
  assert.equal([compared.statistics, compared.states], [4 * width, 4 * 64 * width * 4]);
});

test("what is kept is counted for every block", () => {
  const states = 4 * 64 * width * 4;
  const [passing, kept] = [need({}), need({ keep: true })];
  assert.is(passing.states, 2 * states, "before and after a block");
  assert.is(kept.states, 2 * states, "before each of two blocks");
  assert.is(kept.statistics, 2 * passing.statistics);
  assert.is(kept.peak - passing.peak, passing.statistics);
  const dense = need({ propagation: "dense" });
  assert.equal(need({ propagation: "dense", keep: true }), dense, "all blocks are there at one time anyway");
  const compared = need({ keep: true, similarity: true, propagation: "true-sequential" });
  assert.is(compared.statistics - kept.statistics, 4 * width, "mean squares of the first block's input");
  const allocated = need({ keep: true, allocate: { method: "uniform" }, compress: { solver: "wanda", sparsity: 0.5 } });
  assert.is(allocated.statistics - kept.statistics, 2 * 8 * width, "the dense model's diagonals");
});

test.run();
