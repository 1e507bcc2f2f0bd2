import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMatrix } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { embedStreams, openModel, statesOf } from "../src/index.ts";
import type { Block, Forward, GivenWeights, Model, BlockCut, Site, StreamStates } from "../src/index.ts";
import { cutAtSites, siteRounds } from "../src/forward/block-parts.ts";
import type { PartNode, PartSite, BlockPart } from "../src/forward/block-parts.ts";
import { walkBlock } from "../src/testing.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

/**
 * How far a block in parts may be from the whole one, as a fraction of the largest value: the engine may fuse nodes of the one
 * and not of the other, so that sums run in another order. Four products with sums of at most 96 terms are within
 * √(4 · 96) · 2⁻²⁴ = 1.2e-6 as a rule.
 */
const rounding = 1e-5;

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "block-walk-test-"));
test.after(() => rm(root, { recursive: true }));

const node = (operator: string, inputs: string[], ...outputs: string[]): PartNode => ({ operator, inputs, outputs });

const inOrder = (parts: readonly BlockPart[]) =>
  parts.map(({ sites, reads, makes, keeps }) => [
    [...sites.keys()].join(" "),
    ...[reads, makes, keeps].map((names) => names.toSorted().join(" ")),
  ]);
const site = (name: string, value: string, ...weights: string[]): PartSite => ({ name, value, weights });

test("a node belongs to the first sites that need it, and what later parts read is kept", () => {
  const nodes = [
    node("Gather", ["embedding"], "states"),
    node("Shape", ["states"], "shape"),
    node("Mask", ["table"], "mask"),
    node("Norm", ["states", "norm1"], "normed"),
    node("Gemm", ["normed", "qkv"], "heads"),
    node("Attend", ["heads", "mask", "shape"], "context"),
    node("Gemm", ["context", "output"], "attended"),
    node("Add", ["attended", "states"], "middle"),
    node("Norm", ["middle", "norm2"], "normed2"),
    node("Shape", ["heads"], "size"),
    node("Transpose", ["up"], "turned"),
    node("MatMul", ["normed2", "turned"], "wide"),
    node("Reshape", ["wide", "size"], "activated"),
    node("Gemm", ["activated", "down"], "narrow"),
    node("Add", ["narrow", "middle"], "end"),
    node("Debug", ["end"], "unread"),
  ];
  const sites = [
    site("qkv", "normed", "qkv"),
    site("output", "context", "output"),
    site("up", "normed2", "up"),
    site("down", "activated", "down"),
  ];
  assert.equal(siteRounds({ nodes, given: ["states"], sites }), [["qkv"], ["output"], ["up"], ["down"]]);
  assert.equal(inOrder(cutAtSites({ nodes, given: ["states"], sites, end: "end" })), [
    // shapes are taken where their value is made
    ["qkv", "states", "normed shape", "normed shape states"],
    ["output", "normed shape", "context size", "context size states"],
    ["up", "context states", "middle normed2", "middle normed2 size"],
    ["down", "normed2 size", "activated", "activated middle"],
    ["", "activated middle", "end", ""],
  ]);
});

test("sites that do not depend on each other's weights are one round, in the order of the block", () => {
  const nodes = [
    node("Gemm", ["hidden", "q"], "query"),
    node("Gemm", ["encoder", "k"], "key"),
    node("Attend", ["query", "key"], "context"),
    node("Gemm", ["context", "o"], "end"),
  ];
  const sites = [site("query", "hidden", "q"), site("output", "context", "o"), site("key", "encoder", "k")];
  const graph = { nodes, given: ["hidden", "encoder"], sites };
  assert.equal(siteRounds(graph), [["query", "key"], ["output"]]);
  assert.equal(inOrder(cutAtSites({ ...graph, end: "end" })), [
    // given values have to be computed by none
    ["query key", "encoder hidden", "", "encoder hidden"],
    ["output", "encoder hidden", "context", "context"],
    ["", "context", "end", ""],
  ]);
  assert.throws(() => cutAtSites({ ...graph, given: ["hidden"], end: "end" }), /encoder does not depend/);
});

for (const [fixture, index, rounds] of [
  ["llama-grouped-f32", 0, ["attention-qkv", "attention-output", "mlp-up", "mlp-down"]],
  ["gpt-neox-serial-bf16", 0, ["attention-qkv", "attention-output", "mlp-up", "mlp-down"]],
  ["gpt-neox-parallel-f32", 0, ["attention-qkv mlp-up", "attention-output mlp-down"]],
  [
    "mt5-f32",
    2,
    ["attention-qkv cross-attention-kv", "attention-output", "cross-attention-q", "cross-attention-output", "mlp-up", "mlp-down"],
  ],
  [
    "qwen2-moe-window-normalised-bf16",
    0,
    [
      "attention-qkv",
      "attention-output",
      "expert-0-up expert-1-up expert-2-up expert-3-up shared-expert-up",
      "expert-0-down expert-1-down expert-2-down expert-3-down shared-expert-down",
    ],
  ],
] as const) {
  test(`${fixture}: rounds of sites`, async () => {
    const model = await openModel(`${fixtures}forward/${fixture}`);
    assert.equal(
      model.siteRounds(index).map((names) => names.join(" ")),
      rounds,
    );
    await model.close();
  });
}

/** The states before the first block of two equally long texts. */
async function embedTwo(model: Model, forward: Forward): Promise<StreamStates> {
  const { ofSegment, ofWholePair } = await model.passages();
  const inputs = [3, 8].map((seed) => {
    const text = Int32Array.from({ length: 24 }, (_, position) => 4 + ((seed * 17 + position * position * 5) % 50));
    return (ofWholePair === undefined ? ofSegment(text, [seed]) : ofWholePair(text, text.toReversed())).inputs;
  });
  return embedStreams(forward, ...inputs);
}

/** The weights of some sites of a block, changed. */
async function changedWeights(model: Model, block: number, sites: readonly string[]): Promise<Map<string, Float32Array>> {
  const weights = at(model.blocks, block).sites.flatMap((own) => (sites.includes(own.name) ? own.weights : []));
  const changed = weights.map(
    async ({ tensor }) =>
      [tensor, (await model.readWeight(tensor)).map((value, index) => value * (1 + (index % 3) / 4))] as const,
  );
  return new Map(await Promise.all(changed));
}

/** Runs a block up to one of its rounds of sites. */
async function walkTo(forward: Forward, begin: BlockCut, round: number, weights: GivenWeights) {
  let reached = await forward.nextSites(begin, weights);
  while (reached.cut.round <= round) reached = await forward.nextSites(reached.cut, weights);
  return reached;
}

/** Largest distance of a block in parts from the whole one, of all models. */
let furthest = 0;

/** A block in parts against the whole, and each site continued from the one before against each site from the beginning. */
async function checkBlocks(model: Model): Promise<void> {
  const forward = await model.forward({ threads: 1 });
  let states = await embedTwo(model, forward);
  for (const [index, { name, stream, sites }] of model.blocks.entries()) {
    const own = statesOf(states, stream);
    const inputs = { batch: 2, reads: states };
    const all = await changedWeights(
      model,
      index,
      sites.map((own) => own.name),
    );
    const walked = await walkBlock(model, forward, index, own, { ...inputs, weights: all });
    const whole = await forward.block(index, own, { ...inputs, weights: all });
    const distance = relativeDifference(walked.states.values, whole.values);
    furthest = Math.max(furthest, distance);
    assert.ok(distance < rounding, `${name} in parts differs by ${distance}`);

    const rounds = model.siteRounds(index);
    assert.equal(rounds.flat().sort(), sites.map((own) => own.name).sort(), "every site is in one round");
    const begin = await forward.beginBlock(index, own, inputs);
    let cut = begin;
    for (const [round, names] of rounds.entries()) {
      const weights = await changedWeights(model, index, rounds.slice(0, round).flat());
      // another forward pass, as a later stage has it
      const later = await model.forward({ threads: 1 });
      const continued = await later.nextSites(cut, weights);
      await later.close();
      assert.equal([...continued.inputs.keys()], names);
      const again = await walkTo(forward, begin, round, weights);
      assert.equal(continued, again, `${name} ${names.join()} continued`);
      // the sites do not depend on the weights that read them
      for (const [read, input] of continued.inputs)
        assert.equal(input, walked.sites.get(read), `${name} ${read} with all weights`);
      ({ cut } = continued);
      const reading = await changedWeights(model, index, rounds.slice(round).flat());
      assert.not.ok(
        [...reading.keys()].some((tensor) => cut.used.has(tensor)),
        `${name} ${names.join()} used a weight that reads it`,
      );
    }
    assert.equal(await forward.endBlock(cut, all), walked.states, `${name} continued to its end`);
    states = new Map([...states, [stream, whole]]);
  }
  await forward.close();
}

for (const fixture of await readdir(`${fixtures}forward`)) {
  test(`${fixture}: a block site by site is the block, wherever it is continued`, async () => {
    const model = await openModel(`${fixtures}forward/${fixture}`);
    await checkBlocks(model);
    await model.close();
  });
}

for (const [fixture, twin] of [
  ["bloom-cache-external", "plain-f32"],
  ["bloom-merged", "plain-f32"],
  ["gpt2-no-cache", "gpt2-f32"],
  ["llama-nameless-external", "llama-grouped-f32"],
  ["qwen2-cache-f16", "qwen2-tied-f16"],
] as const) {
  test(`${fixture}: a block of a graph site by site is the block, wherever it is continued`, async () => {
    const folder = join(root, fixture);
    await cp(`${fixtures}onnx/${fixture}`, folder, { recursive: true });
    for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/${twin}/${file}`, join(folder, file));
    const model = await openModel(folder);
    await checkBlocks(model);
    await model.close();
  });
}

/** What is added beside the sites that say so, or done to the states afterwards, so that their sum is not the block's. */
const addsMore = ({ sites, stream }: Block, isLast: boolean): boolean =>
  // experts, attention beside the MLP, an embedding of each token in the block, the norm that ends an encoder
  sites.some(({ name, adds }) => /^(expert-|per-layer-)/.test(name) || (name === "attention-output" && adds === undefined)) ||
  (stream === "encoder" && isLast);

/** What a site's weight makes of its input, as it is added to the states. */
async function addedBy(model: Model, { adds, weights }: Site, input: Matrix): Promise<Float32Array> {
  const { tensor, rows } = at(weights, 0);
  const weight = await model.readWeight(tensor);
  const biasName = tensor.replace(/weight$/, "bias");
  const bias = model.checkpoint.has(biasName) ? await model.checkpoint.readF32(biasName) : new Float32Array(rows);
  const made = new Float32Array(input.rows * rows);
  for (let token = 0; token < input.rows; token += 1) {
    const x = input.values.subarray(token * input.columns, (token + 1) * input.columns);
    const y = Array.from({ length: rows }, (_, row) =>
      x.reduce((sum, value, column) => sum + value * at(weight, row * input.columns + column), at(bias, row)),
    );
    made.set(
      y.map((value) => value * (adds?.factor ?? 1)),
      token * rows,
    );
  }
  return made;
}

/** Models in which a norm makes states of the sum. */
const normsStates = new Set(["residual-after-norm-untied", "bert-f32", "xlm-roberta-f32", "xlm-roberta-types-bf16"]);

/** Sites that say that they add to states, and those whose sum was compared. */
const counts = { adding: 0, compared: 0 };

const folders = ["forward", "encoders"].map(async (folder) =>
  (await readdir(fixtures + folder)).map((fixture) => [folder, fixture] as const),
);

for (const [folder, fixture] of (await Promise.all(folders)).flat()) {
  test(`${fixture}: sites add what they say to the states that they name`, async () => {
    const model = await openModel(`${fixtures}${folder}/${fixture}`);
    const forward = await model.forward({ threads: 1 });
    let states = await embedTwo(model, forward);
    for (const [index, block] of model.blocks.entries()) {
      const { name, stream, sites } = block;
      const own = statesOf(states, stream);
      const [inputs, residuals] = [new Map<string, Matrix>(), new Map<string, Matrix>()];
      let cut = await forward.beginBlock(index, own, { batch: 2, reads: states });
      while (cut.passed.size < sites.length) {
        const next = await forward.nextSites(cut);
        ({ cut } = next);
        for (const [site, input] of next.inputs) inputs.set(site, await readMatrix(input));
        for (const [site, residual] of next.residuals) residuals.set(site, await readMatrix(residual));
      }
      const end = await forward.endBlock(cut);
      const adding = sites.filter(({ adds }) => adds !== undefined);
      assert.equal([...residuals.keys()].sort(), adding.map((site) => site.name).sort(), name);
      counts.adding += adding.length;
      for (const [place, site] of adding.entries()) {
        const [before, input] = [residuals.get(site.name), inputs.get(site.name)];
        const next = adding[place + 1];
        const after = next === undefined ? end : residuals.get(next.name);
        assert.ok(before && input && after);
        assert.is(before.columns, model.hiddenSize);
        const isLast = model.blocks[index + 1]?.stream !== stream;
        // norms make states of the sum
        if (addsMore(block, next === undefined && isLast) || normsStates.has(fixture)) continue;
        counts.compared += 1;
        const added = await addedBy(model, site, input);
        const sum = before.values.map((value, place) => value + at(added, place));
        // sums of at most 96 products in another order, as above
        assert.ok(
          relativeDifference(sum, after.values) < rounding,
          `${fixture} ${name} ${site.name}: ${relativeDifference(sum, after.values)}`,
        );
      }
      states = new Map([...states, [stream, end]]);
    }
    await forward.close();
    await model.close();
  });
}

test("the sums of most sites were compared", () => {
  console.log(`${counts.compared} of ${counts.adding} sums compared`);
  assert.ok(counts.compared > counts.adding / 2);
});

test("the largest difference is printed", () => console.log(`blocks in parts differ by ${furthest.toExponential(1)} at most`));

const says = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing",
    (error: unknown) => String(error),
  );

test("a block ends after its last site, and has no site after it", async () => {
  const model = await openModel(`${fixtures}forward/llama-grouped-f32`);
  const forward = await model.forward({ threads: 1 });
  const begin = await forward.beginBlock(0, await forward.embed(Int32Array.of(5, 9, 33)));
  assert.match(await says(forward.endBlock(begin)), /block layers\.0 cannot end after 0 of 4 sites/);
  const { cut } = await walkTo(forward, begin, 3, new Map());
  assert.match(await says(forward.nextSites(cut)), /block layers\.0 has no site after its 4/);
  await forward.close();
  await model.close();
});

test.run();
