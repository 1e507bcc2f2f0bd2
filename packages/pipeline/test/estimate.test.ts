import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import type { AllocationWork, Stage } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { checkDisk } from "../src/estimate/disk.ts";
import { estimate } from "../src/estimate/estimate.ts";
import { stageOf } from "../src/plan/known-stages.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { workspaceSuite } from "./fixtures/workspace.ts";

const settings = { stages: fakeStages(), threads: 1 };
const test = workspaceSuite("estimate");

test("counts tokens exactly, names every part, and leaves nothing behind", async ({ root, recipe }) => {
  // One token a byte: 100 windows of 16 in each language.
  for (const language of ["en", "mr"]) await writeFile(join(root, "corpus", `${language}.txt`), "x".repeat(1600));
  const found = await estimate(
    recipe({
      sample: { mix: "en=3,mr=2", length: 16 },
      compress: { solver: "gptq", bits: 4 },
      evaluate: { corpus: join(root, "corpus"), length: 16, windows: 7 },
    }),
    settings,
  );
  assert.is(found.calibrationTokens, 5 * 16);
  assert.is(found.evaluationTokens, 2 * 2 * 7 * 16);
  assert.equal(
    found.parts.map(({ name }) => name),
    ["sampling", "forward passes", "Grams", "factors", "solver", "artifacts", "opening the model", "evaluation"],
  );
  for (const { name, seconds } of found.parts) assert.ok(seconds > 0 && seconds < 60, `${name}: ${seconds}`);
  assert.is(found.disk.segments, 5 * 16 * 4);
  // two blocks of the compressed model, and as many of the dense one, which qep compares it with
  assert.is(found.disk.states, 2 * 2 * 5 * 16 * 8 * 4);
  assert.ok(found.memory > 50 * 2 ** 20);
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

test("a model beside the run's own is scored too, and refused as by the run where it is not there", async ({ root, recipe }) => {
  const tokens = async (label: string, path: string): Promise<number> => {
    const evaluate = { corpus: join(root, "evaluation"), length: 16, windows: 1 };
    const compress = { solver: "gptq", bits: 4 };
    const sample = { mix: "only:en", segments: 1, length: 16 };
    return (await estimate(recipe({ sample, compress, evaluate, beside: { [label]: path } }), settings)).evaluationTokens;
  };
  assert.is(await tokens("again", join(root, "model")), 3 * 16);
  const error = await failure(tokens("usual", join(root, "usual")));
  assert.instance(error, InputOutputError);
  assert.match(String(error), /no model at .*usual/);
});

test("an encoder, which predicts no tokens, is estimated", async ({ recipe }) => {
  const model = join(import.meta.dirname, "../../models/test/fixtures/encoders/xlm-roberta-f32");
  const sample = { mix: "only:en", segments: 1, length: 8 };
  const compress = { solver: "gptq", bits: 4, groupSize: 32 };
  const found = await estimate(recipe({ model, sample, compress, evaluate: undefined, similarity: false }), settings);
  assert.ok(found.seconds > 0);
});

test("a solver is measured on the GGUF types that it rounds to", async ({ recipe }) => {
  const sample = { mix: "only:en", segments: 1, length: 16 };
  for (const types of [{ grid: "Q8_0" }, { typeMix: "Q4_K_M" }]) {
    const compress = { solver: "gptq", ...types };
    const found = await estimate(recipe({ sample, compress, evaluate: undefined, similarity: false }), settings);
    const solver = found.parts.find(({ name }) => name === "solver")?.seconds ?? 0;
    assert.ok(solver >= 0 && solver < 60, `${JSON.stringify(types)}: ${solver}`);
  }
});

test("counts no Grams, factors or forward passes that the plan does not have", async ({ recipe }) => {
  const parts = async (compress: object, changes: object = {}) => {
    const sample = { mix: "only:en", segments: 4, length: 16 };
    return estimate(recipe({ sample, compress, evaluate: undefined, similarity: false, ...changes }), settings);
  };
  const [gptq, awq, wanda, magnitude] = [
    await parts({ solver: "gptq", bits: 4 }),
    await parts({ solver: "awq", bits: 4 }),
    await parts({ solver: "wanda" }),
    await parts({ solver: "magnitude" }),
  ];
  const always = new Set(["sampling", "solver", "artifacts", "opening the model", "evaluation"]);
  const only = (found: typeof gptq) => found.parts.flatMap(({ name }) => (always.has(name) ? [] : [name]));
  assert.equal(only(gptq), ["forward passes", "Grams", "factors"]);
  assert.equal(only(awq), ["forward passes", "Grams"]);
  assert.equal(only(wanda), ["forward passes"]);
  assert.equal(only(magnitude), []);
  assert.equal(only(await parts({ solver: "wanda" }, { capture: { statistics: "gram" } })), ["forward passes", "Grams"]);
  const perToken = gptq.operations - wanda.operations;
  assert.ok(perToken > 0);
  assert.is(wanda.operations, awq.operations - perToken, "both sum the same Grams");
  assert.is(magnitude.operations, 0);
  assert.ok(gptq.disk.statistics > awq.disk.statistics && awq.disk.statistics > wanda.disk.statistics);
  assert.is(magnitude.disk.statistics, 0);
  assert.is(magnitude.disk.states, 0);
});

const text = { kind: "text", optional: true, description: "" } as const;
const list = { kind: "list", optional: true, description: "" } as const;
const number = { kind: "number", optional: true, description: "" } as const;

/** What an allocation computes. */
const work: AllocationWork = {
  solver: "gptq",
  options: { qep: 0 },
  grids: [
    { kind: "groups", bits: 2, groupSize: 32, zeroPoints: "any" },
    { kind: "groups", bits: 3, groupSize: 32, zeroPoints: "any" },
    { kind: "blocks", type: "Q8_0" },
  ],
  rows: 16,
  passes: 4,
  comparisons: 16,
};

const allocating: Stage = {
  ...stageOf(settings.stages, "similarity"),
  name: "allocate",
  options: {
    model: stageOf(settings.stages, "capture").options["model"] ?? text,
    method: text,
    bitsPerWeight: number,
    groupSize: number,
    minZeroPoint: number,
    bits: list,
    types: list,
    symmetric: { kind: "flag", optional: true, description: "" },
    allowNonfinite: { kind: "flag", optional: true, description: "" },
  },
  allocationNeeds: async () => ({ chooses: "bits", statistics: "gram", segments: true }),
  allocationWork: async () => work,
};

const withAllocation = { ...settings, stages: new Map([...settings.stages, ["allocate", allocating]]) };

test("an allocation's own Grams, factors, roundings and passes are counted", async ({ recipe }) => {
  const sample = { mix: "only:en", segments: 4, length: 16 };
  const given = { sample, compress: { solver: "rtn" }, allocate: { method: "damage", bitsPerWeight: 3 } };
  const found = await estimate(recipe({ ...given, evaluate: undefined, similarity: false }), withAllocation);
  const seconds = new Map(found.parts.map((part) => [part.name, part.seconds]));
  // the solver itself needs none of these
  for (const name of ["forward passes", "Grams", "factors", "allocation"]) assert.ok((seconds.get(name) ?? 0) > 0, name);
});

test("where types are allocated, the solver is measured on one of them", async ({ root, recipe }) => {
  const solver = join(root, "asking.mjs");
  await writeFile(
    solver,
    `export default {
      name: "asking", summary: "asks", source: "https://example.org", needs: [],
      grids: ["groups", "blocks"], options: {},
      solve({ parts }) { throw new Error("asked for " + parts[0].grid.type); },
    };`,
  );
  const allocate = { types: ["Q2_K", "Q3_K", "Q4_K"], bitsPerWeight: 4 };
  const given = recipe({ compress: { solver }, allocate, evaluate: undefined, similarity: false });
  const error = await failure(estimate(given, withAllocation));
  // of Q3_K where rows of 32 columns are no whole blocks
  assert.match(String(error), /asked for Q4_0/);
});

test("work grows with the segments", async ({ recipe }) => {
  const sized = (segments: number) => estimate(recipe({ sample: { mix: "only:en", segments, length: 16 } }), settings);
  const [few, many] = await Promise.all([sized(4), sized(40)]);
  assert.is(many.calibrationTokens, 10 * few.calibrationTokens);
  assert.ok(many.operations > few.operations);
  assert.is(many.disk.states, 10 * few.disk.states);
});

test("draws the sample as the run will, and stops as it would", async ({ root, recipe }) => {
  const stages = fakeStages();
  const sample = stageOf(stages, "sample");
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const warning = new Map([
    ...stages,
    ["sample", { ...sample, run: (...given) => (given[2].warn("mr left out"), sample.run(...given)) } satisfies Stage],
  ]);
  await estimate(recipe({ sample: { mix: "only:en", length: 16 } }), { ...settings, stages: warning, warn });
  assert.equal(warnings, ["mr left out"]);
  const failing = new Map([...stages, ["sample", { ...sample, run: () => Promise.reject(new BadDataError("too little")) }]]);
  const error = await estimate(recipe(), { ...settings, stages: failing }).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

test("a recipe whose hashes do not fit is refused as by run", async ({ recipe }) => {
  const pinned = recipe({ hashes: { model: "0".repeat(64) } });
  const error = await estimate(pinned, settings).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /model has the hash \w+, the recipe was made with "0+"; remove hashes to use it anyway/);
  assert.equal(String(await failure(go(pinned))), String(error));
});

test("an unknown solver and a full disk are errors before anything runs", async ({ root, recipe }) => {
  const unknown = await estimate(recipe({ compress: { solver: "nosuch" } }), settings).catch((error: unknown) => error);
  assert.instance(unknown, UsageError);
  const need = { segments: 0, states: 0, statistics: 0, layers: 0, model: 0, peak: 2 ** 60 };
  const full = await checkDisk(root, need).catch((error: unknown) => error);
  assert.instance(full, InputOutputError);
  assert.match((full as Error).message, /needs 1\.15 EB of disk and .* are free/);
});

test.run();
