import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { embedStreams, openModel, statesOf } from "../src/index.ts";
import type { Forward, Model, StepCut, StreamStates } from "../src/index.ts";
import { cutAtSites } from "../src/forward/step-parts.ts";
import type { PartNode, StepPart } from "../src/forward/step-parts.ts";
import { walkStep } from "../src/testing.ts";

/**
 * How far a step in parts may be from the whole one, as a fraction of the largest value: the engine may fuse nodes of the one
 * and not of the other, so that sums run in another order. Four products with sums of at most 96 terms are within
 * √(4 · 96) · 2⁻²⁴ = 1.2e-6 as a rule.
 */
const rounding = 1e-5;

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "step-walk-test-"));
test.after(() => rm(root, { recursive: true }));

const node = (operator: string, inputs: string[], ...outputs: string[]): PartNode => ({ operator, inputs, outputs });

const inOrder = (parts: readonly StepPart[]) =>
  parts.map(({ target, reads, makes, keeps }) => [target, ...[reads, makes, keeps].map((names) => names.toSorted().join(" "))]);

test("a node belongs to the first site that needs it, and what later parts read is kept", () => {
  const nodes = [
    node("Gather", ["embedding"], "states"),
    node("Shape", ["states"], "shape"),
    node("Mask", ["weights"], "mask"),
    node("Norm", ["states", "norm1"], "normed"),
    node("Norm", ["states", "norm2"], "normed2"),
    node("Gemm", ["normed", "qkv"], "heads"),
    node("Attend", ["heads", "mask", "shape"], "context"),
    node("Gemm", ["context", "output"], "attended"),
    node("Shape", ["heads"], "size"),
    node("Gemm", ["normed2", "up", "mask"], "wide"),
    node("Reshape", ["wide", "size"], "activated"),
    node("Gemm", ["activated", "down"], "narrow"),
    node("Add", ["narrow", "attended"], "added"),
    node("Add", ["added", "states"], "end"),
    node("Debug", ["end"], "unread"),
  ];
  // a parallel residual: the MLP reads the states from before attention
  const parts = cutAtSites({ nodes, given: ["states"], sites: ["normed", "context", "normed2", "activated"], end: "end" });
  assert.equal(inOrder(parts), [
    // shapes are taken where their value is made
    ["normed", "states", "normed shape", "normed shape states"],
    ["context", "normed shape", "context size", "context size states"],
    ["normed2", "states", "normed2", "context normed2 size states"],
    ["activated", "normed2 size", "activated", "activated context states"],
    ["end", "activated context states", "end", ""],
  ]);
});

test("a site that is given or made already has nothing to compute", () => {
  const nodes = [
    node("Gemm", ["hidden", "q"], "query"),
    node("Gemm", ["encoder", "k"], "key"),
    node("Attend", ["query", "key"], "end"),
  ];
  const parts = cutAtSites({ nodes, given: ["hidden", "encoder"], sites: ["hidden", "encoder", "hidden"], end: "end" });
  assert.equal(inOrder(parts), [
    ["hidden", "hidden", "", "encoder hidden"],
    ["encoder", "encoder", "", "encoder hidden"],
    ["hidden", "hidden", "", "encoder hidden"],
    ["end", "encoder hidden", "end", ""],
  ]);
  assert.throws(() => cutAtSites({ nodes, given: ["hidden"], sites: ["encoder"], end: "end" }), /encoder does not depend/);
});

/** Largest difference, as a fraction of the largest value. */
const apart = (a: Float32Array, b: Float32Array): number => {
  assert.is(a.length, b.length);
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - at(b, index))), 0) / largest;
};

/** The states before the first step of two equally long texts. */
async function embedTwo(model: Model, forward: Forward): Promise<StreamStates> {
  const passages = await model.passages();
  const inputs = [3, 8].map(
    (seed) =>
      passages.ofSegment(
        Int32Array.from({ length: 24 }, (_, position) => 4 + ((seed * 17 + position * position * 5) % 50)),
        [seed],
      ).inputs,
  );
  return embedStreams(forward, ...inputs);
}

/** The weights of a step's first sites, changed. */
async function changedWeights(model: Model, step: number, sites: number): Promise<Map<string, Float32Array>> {
  const weights = at(model.steps, step)
    .sites.slice(0, sites)
    .flatMap((site) => site.weights);
  const changed = weights.map(
    async ({ tensor }) =>
      [tensor, (await model.readWeight(tensor)).map((value, index) => value * (1 + (index % 3) / 4))] as const,
  );
  return new Map(await Promise.all(changed));
}

/** Runs a step up to its first sites. */
async function walkTo(forward: Forward, cut: StepCut, sites: number, weights: Map<string, Float32Array>) {
  let [reached, input]: [StepCut, Matrix | undefined] = [cut, undefined];
  while (reached.reached < sites) ({ cut: reached, input } = await forward.nextSite(reached, weights));
  return { cut: reached, input };
}

/** Largest distance of a step in parts from the whole one, of all models. */
let furthest = 0;

/** A step in parts against the whole, and each site continued from the one before against each site from the beginning. */
async function checkSteps(model: Model): Promise<void> {
  const forward = await model.forward({ threads: 1 });
  let states = await embedTwo(model, forward);
  for (const [index, { name, stream, sites }] of model.steps.entries()) {
    const own = statesOf(states, stream);
    const inputs = { batch: 2, reads: states };
    const all = await changedWeights(model, index, sites.length);
    const walked = await walkStep(model, forward, index, own, { ...inputs, weights: all });
    const whole = await forward.step(index, own, { ...inputs, weights: all });
    const distance = apart(walked.states.values, whole.values);
    furthest = Math.max(furthest, distance);
    assert.ok(distance < rounding, `${name} in parts differs by ${distance}`);

    const begin = await forward.beginStep(index, own, inputs);
    let cut = begin;
    for (const position of sites.keys()) {
      const weights = await changedWeights(model, index, position);
      const site = at(sites, position).name;
      // another forward pass, as a later stage has it
      const later = await model.forward({ threads: 1 });
      const continued = await later.nextSite(cut, weights);
      await later.close();
      const again = await walkTo(forward, begin, position + 1, weights);
      assert.equal(continued.input, again.input, `${name} ${site} continued`);
      assert.equal(continued.cut, again.cut);
      // the sites before do not depend on the weights that read them
      assert.equal(continued.input, walked.sites.get(site), `${name} ${site} with the weights of all sites`);
      ({ cut } = continued);
      const reading = sites.slice(position).flatMap((read) => read.weights.map(({ tensor }) => tensor));
      assert.not.ok(
        reading.some((tensor) => cut.used.has(tensor)),
        `${name} ${site} used a weight that reads it`,
      );
    }
    assert.equal(await forward.endStep(cut, all), walked.states, `${name} continued to its end`);
    states = new Map([...states, [stream, whole]]);
  }
  await forward.close();
}

for (const fixture of await readdir(`${fixtures}forward`)) {
  test(`${fixture}: a step site by site is the step, wherever it is continued`, async () => {
    const model = await openModel(`${fixtures}forward/${fixture}`);
    await checkSteps(model);
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
  test(`${fixture}: a step of a graph site by site is the step, wherever it is continued`, async () => {
    const folder = join(root, fixture);
    await cp(`${fixtures}onnx/${fixture}`, folder, { recursive: true });
    for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/${twin}/${file}`, join(folder, file));
    const model = await openModel(folder);
    await checkSteps(model);
    await model.close();
  });
}

test("the largest difference is printed", () => console.log(`steps in parts differ by ${furthest.toExponential(1)} at most`));

const says = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing",
    (error: unknown) => String(error),
  );

test("a step ends after its last site, and has no site after it", async () => {
  const model = await openModel(`${fixtures}forward/llama-grouped-f32`);
  const forward = await model.forward({ threads: 1 });
  const begin = await forward.beginStep(0, await forward.embed(Int32Array.of(5, 9, 33)));
  assert.match(await says(forward.endStep(begin)), /step layers\.0 cannot end after 0 of 4 sites/);
  const { cut } = await walkTo(forward, begin, 4, new Map());
  assert.match(await says(forward.nextSite(cut)), /step layers\.0 has no site after its 4/);
  await forward.close();
  await model.close();
});

test.run();
