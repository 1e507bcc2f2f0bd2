import { openModel } from "@mbs/models";
import { loadSolver } from "@mbs/solvers";
import { writeTinyModel } from "@mbs/models/testing";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { memoryNeed } from "../src/estimate/memory.ts";
import { artifactRates } from "../src/estimate/probes/artifact-probe.ts";
import { averageOf, probedKinds, probedTokens } from "../src/estimate/probes/forward-probe.ts";
import { recipeFrom } from "../src/recipe/parse-recipe.ts";
import { decided } from "./fixtures/decided.ts";

test("a probe fills a batch with whole segments, and has fewer tokens where a pass would take long, but never very few", () => {
  const gemm = 100e9;
  assert.equal(probedTokens(512, 1e6, gemm), { batch: 4, length: 512 });
  assert.equal(probedTokens(4096, 1e6, gemm), { batch: 1, length: 4096 });
  // 750 tokens of 100 million multiply-adds take 1.5 s
  assert.equal(probedTokens(512, 1e8, gemm), { batch: 1, length: 512 });
  assert.equal(probedTokens(2048, 1e8, gemm), { batch: 1, length: 750 });
  assert.equal(probedTokens(2048, 1e10, gemm), { batch: 1, length: 128 });
  assert.equal(probedTokens(16, 1e10, gemm), { batch: 8, length: 16 });
});

const block = (width: number, reads: readonly string[] = []) => ({
  name: "block",
  stream: "hidden",
  reads,
  sites: [{ name: "mlp-up", width, weights: [{ tensor: "w", rows: 10 }] }],
});

test("one block of each kind is timed, and those that read another stream count by their weights", () => {
  const model = { path: "folder", blocks: [block(4), block(4), block(8), block(4), block(16, ["encoder"])] };
  const kinds = probedKinds(model);
  assert.equal(kinds, [
    { index: 0, count: 3 },
    { index: 2, count: 1 },
  ]);
  // 3·40 + 80 weights in 10 seconds, so 360 in 18, of five blocks
  assert.ok(Math.abs(averageOf(model, kinds, 10) - 18 / 5) < 1e-12);
  assert.throws(() => probedKinds({ path: "folder", blocks: [] }), /folder: a model without blocks/);
});

/** A sample, and what is on the disk, of a small run. */
const sizes = {
  sample: { segments: 4, length: 16, languages: 2 },
  disk: { segments: 0, states: 1000, statistics: 0, layers: 1000, model: 0, peak: 0 },
};

test("an evaluation needs memory for the head of a model, and for that of the model before it where the pool keeps it", async () => {
  const root = await mkdtemp(join(tmpdir(), "mbs-memory-"));
  await writeTinyModel(root, {});
  const model = await openModel(root);
  try {
    const recipeWith = (distances: string) => {
      const evaluate = { corpus: "v", distances };
      return decided(recipeFrom({ model: root, corpus: "c", compress: { solver: "wanda" }, evaluate, output: "out" }));
    };
    const large = { ...model, blocks: model.blocks, kind: model.kind, hiddenSize: 1024, vocabularySize: 2 ** 18 } as typeof model;
    const head = 2 ** 30;
    const need = (heldOutTokens: readonly number[], pool: number, distances = "off") => {
      const kept = { pool, artifacts: 0, weights: 0 };
      return memoryNeed({ ...sizes, recipe: recipeWith(distances), model: large, heldOutTokens, threads: 1, kept }, 0);
    };
    const [none, one, two] = [await need([], head), await need([64], head - 1), await need([64], head)];
    const garbage = 2 ** 26;
    assert.ok(none >= garbage && none < garbage + 2 ** 20, String(none));
    assert.ok(one > 1.5 * head && one < 1.8 * head, String(one));
    assert.is(two - one, 1.5 * head);
    assert.ok((await need([64], head - 1, "on")) >= two, "distances need both heads");
  } finally {
    await model.close();
    await rm(root, { recursive: true });
  }
});

const failing = (code: string) => (): Promise<never> => Promise.reject(Object.assign(new Error("no"), { code }));

test("a disk that is full has an assumed speed and a warning, since what a run needs is to be said all the same", async () => {
  const warnings: string[] = [];
  const rates = await artifactRates("/full", (line) => warnings.push(line), failing("ENOSPC"));
  assert.ok(rates.write > 0 && rates.read > 0);
  assert.equal(warnings, ["the disk of /full is full: its speed is assumed, not measured; free some space before the run"]);
  const other = await artifactRates("/full", assert.unreachable, failing("EACCES")).catch((error: unknown) => error);
  assert.is((other as NodeJS.ErrnoException).code, "EACCES");
});

test("threads that solve rows, artifacts and values between sites are counted as far as the limit allows", async () => {
  const root = await mkdtemp(join(tmpdir(), "mbs-memory-"));
  await writeTinyModel(root, {});
  const model = await openModel(root);
  try {
    const [block] = model.blocks;
    if (block === undefined) throw new Error("a model without blocks");
    const blocks = [{ ...block, sites: [{ name: "wide", width: 1000, weights: [{ tensor: "w", rows: 2000 }] }] }];
    const wide = { ...model, blocks, kind: model.kind, hiddenSize: 1000, stateWidth: 1000 } as unknown as typeof model;
    const need = async (solver: string, threads: number, kept: { pool: number; artifacts: number; weights: number }) =>
      memoryNeed(
        {
          ...sizes,
          recipe: decided(recipeFrom({ model: root, corpus: "c", compress: { solver, bits: 4 }, output: "out" }), {
            solver: await loadSolver(solver),
          }),
          model: wide,
          heldOutTokens: [],
          threads,
          kept,
        },
        0,
      );
    const nothing = { pool: 0, artifacts: 0, weights: 0 };
    const alone = await need("gptq", 1, nothing);
    const thread = 100e6;
    assert.is((await need("gptq", 3, nothing)) - alone, 2 * thread);
    assert.is((await need("gptq", 64, nothing)) - alone, 7 * thread, "a part has at least 250,000 weights");
    assert.is(await need("sparsegpt", 3, nothing), await need("sparsegpt", 1, nothing), "its rows are not independent");
    const tokens = 4 * 16;
    assert.is((await need("gptq", 1, { ...nothing, pool: 10e6 })) - alone, tokens * 2000 * 4);
    assert.is((await need("gptq", 1, { ...nothing, pool: 10_000 })) - alone, 5000);
    // two languages' Grams, that of the mix and U, each half of a square; states and layers
    const packed = (1000 * 1001 * 4) / 2;
    assert.is((await need("gptq", 1, { ...nothing, artifacts: 100e6 })) - alone, 4 * packed + 2000);
    assert.is((await need("gptq", 1, { ...nothing, artifacts: 1e6 })) - alone, 1e6);
  } finally {
    await model.close();
    await rm(root, { recursive: true });
  }
});

test.run();
