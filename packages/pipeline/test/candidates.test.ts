import { loadSolver, solverOptions, solvers } from "@mbs/solvers";
import { parseOptions, type Stage } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { asGiven, candidatesFor, sizeOptions } from "../src/quality/candidates.ts";
import { prepareCandidates } from "../src/quality/prepare-candidates.ts";
import { qualitySettings } from "../src/quality/quality-options.ts";
import { sharedNodes } from "../src/quality/search.ts";
import { allocationFaults } from "../src/plan/allocation-faults.ts";
import { withAllocationNeeds } from "../src/plan/allocated-grids.ts";
import { planRun } from "../src/plan/plan.ts";
import { decided } from "./fixtures/decided.ts";
import { decideAsGiven } from "../src/plan/decide.ts";
import type { PreparedRun } from "../src/plan/prepared-run.ts";
import { throwFaults } from "../src/recipe/faults.ts";
import { recipeFrom } from "../src/recipe/parse-recipe.ts";
import type { Recipe } from "../src/recipe/recipe.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";

const test = suite("candidates");

const recipe = (changes: Readonly<Record<string, unknown>> = {}): Recipe =>
  recipeFrom({ model: "m", corpus: "c", compress: { solver: "gptq", bits: 3 }, output: "o", ...changes });

/** How many candidates spread sparsity over blocks. */
const spreads = (compress: Readonly<Record<string, unknown>>): number =>
  (candidatesFor(recipe({ compress })) ?? []).filter(({ changes }) => changes.allocate !== undefined).length;

test("every solver has candidates with options that their solvers take, the recipe as it is given first", async () => {
  for (const name of solvers.keys()) {
    const candidates = candidatesFor(recipe({ compress: { solver: name } })) ?? [];
    assert.is(candidates[0], asGiven, name);
    assert.ok(candidates.length > 1, name);
    assert.is(new Set(candidates.map((candidate) => candidate.name)).size, candidates.length, name);
    for (const { name: tried, changes, reason } of candidates) {
      assert.ok(reason !== "", tried);
      const { solver = name, ...options } = changes.compress ?? {};
      parseOptions(solverOptions(await loadSolver(String(solver))), options, tried);
      for (const size of sizeOptions) assert.not(Object.hasOwn(options, size), `${tried} changes ${size}`);
    }
  }
  assert.is(candidatesFor(recipe({ compress: { solver: "./mine.js" } })), undefined);
});

test("a pattern leaves out candidates that spread sparsity over blocks", () => {
  assert.ok(spreads({ solver: "sparsegpt" }) > 0);
  assert.is(spreads({ solver: "sparsegpt", pattern: "2:4" }), 0);
});

test("settings of a search: defaults, shares of the sample, and what is refused", () => {
  assert.equal(qualitySettings(recipe({ quality: { corpus: "v", windows: 4 } })), {
    average: "unweighted",
    budget: 8,
    validation: { corpus: "v", windows: 4, distances: "off" },
  });
  const shares = qualitySettings(recipe({ quality: { corpus: "v", average: "weighted" }, sample: { distribution: "mc4" } }));
  assert.is(shares.validation["shares"], "mc4");
  assert.throws(() => qualitySettings(recipe()), /quality: \{ corpus/);
  assert.throws(() => qualitySettings(recipe({ quality: { corpus: "v", average: "weighted" } })), /needs shares/);
  assert.throws(() => qualitySettings(recipe({ quality: { corpus: "v", average: "mean" } })), /unweighted, weighted, worst/);
  assert.throws(() => qualitySettings(recipe({ quality: { corpus: "v", budget: 0.5 } })), /budget/);
  assert.throws(() => recipe({ quality: { windows: 4 } }), /quality needs corpus/);
  assert.throws(() => recipe({ quality: { corpus: "v", distances: "on" } }), /unknown key quality\.distances/);
});

test("candidates keep the types that a GGUF format gives, and search no ranges of groups", async () => {
  const given = recipe({ compress: { solver: "gptq", embeddings: "on" }, quality: { corpus: "v" } });
  const notes: string[] = [];
  const prepared = await prepareCandidates(given, qualitySettings(given), {
    // what a format's type mix adds
    prepare: (one) =>
      Promise.resolve({
        recipe: decided(
          { ...one, compress: { typeMix: "Q4_K_M", ...one.compress } },
          { grids: [{ kind: "blocks", type: "Q4_K" }] },
        ),
        resources: { address: (_: string, name: string) => Promise.resolve(name) },
      } as unknown as PreparedRun),
    keyOf: ({ recipe: { compress, factor } }) => Promise.resolve(JSON.stringify([compress, factor])),
    note: (message) => notes.push(message),
  });
  const others = prepared.slice(1);
  assert.ok(others.length > 2);
  for (const { name, recipe: made } of others) {
    const { solver, typeMix, search, embeddings } = made.compress;
    assert.equal(
      { solver, typeMix, search, embeddings },
      { solver: "gptq", typeMix: "Q4_K_M", search: undefined, embeddings: "on" },
      name,
    );
    await decideAsGiven(await withAllocationNeeds(made, new Map()), new Map(), {
      blocks: [],
      siteRounds: () => [],
      embeddings: { name: "embeddings", sites: [] },
    });
  }
  assert.match(notes.join("\n"), /gptaq is left out: solver gptaq has no --type-mix/);
});

const holds = () =>
  Promise.resolve([{ kind: "blocks", types: ["Q2_K", "Q4_K"], allocated: ["Q2_K", "Q4_K"], typeMix: "Q4_K_M" }]);
const allocationNeeds = () => Promise.resolve({ chooses: "bits", statistics: "gram", segments: true });
/** A format of GGUF with an allocation. */
const allocating = new Map([
  ["allocate", { allocationNeeds } as unknown as Stage],
  ["assemble", { holds } as unknown as Stage],
]);

test("where GGUF types are allocated, candidates search no ranges of groups", async () => {
  const allocate = { method: "damage", bitsPerWeight: 3.5 };
  const given = recipe({ compress: { solver: "gptq" }, assemble: { format: "gguf" }, allocate, quality: { corpus: "v" } });
  const notes: string[] = [];
  const prepared = await prepareCandidates(given, qualitySettings(given), {
    prepare: async (one) => {
      const allocated = await withAllocationNeeds(one, allocating);
      throwFaults(await allocationFaults(allocated, allocating));
      return {
        recipe: await decideAsGiven(allocated, allocating, { blocks: [], siteRounds: () => [] }),
        resources: { address: (_: string, name: string) => Promise.resolve(name) },
      } as unknown as PreparedRun;
    },
    keyOf: ({ recipe: { compress, factor } }) => Promise.resolve(JSON.stringify([compress, factor])),
    note: (message) => notes.push(message),
  });
  assert.equal(
    prepared.map(({ name }) => name),
    ["as given", "qep 0.5", "no correction", "qep 1", "qep 0.25", "damping 0.01"],
  );
  assert.equal(
    prepared.map(({ trial }) => trial.recipe.compress["search"]),
    prepared.map(() => undefined),
  );
  assert.is(notes.length, 1, notes.join());
  assert.match(notes.join(), /gptaq is left out: .* a solver that rounds to them, and gptaq does not/);
});

test("what two plans share is kept, but for states", async () => {
  const outline = { blocks: ["h.0", "h.1"].map((name) => ({ name, sites: [] })), siteRounds: () => [["mlp-up"]] };
  const planOf = async (propagation: string, search: string) =>
    planRun(
      await decideAsGiven(
        await withAllocationNeeds(
          recipe({ propagation, compress: { solver: "gptq", bits: 3, search, sweeps: 0, qep: 0 } }),
          new Map(),
        ),
        new Map(),
        outline,
      ),
      outline,
      "model",
    );
  const sharedIn = async (propagation: string) =>
    [...sharedNodes(await planOf(propagation, "none"), [await planOf(propagation, "error")], fakeStages())].sort();
  assert.equal(await sharedIn("dense"), ["capture", "factor", "sample"]);
  assert.equal(await sharedIn("sequential"), ["capture.h.0", "factor.h.0", "sample"]);
});

test.run();
