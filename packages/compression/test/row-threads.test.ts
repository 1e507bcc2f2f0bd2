import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  createObjectPool,
  InternalError,
  InterruptedError,
  parseOptions,
  UsageError,
  type SolverStatistics,
} from "@mbs/contracts";
import { createBlas } from "@mbs/onnx";
import { agreementFault, askedGrid, loadSolver, shapeFault, solverOptions, withGrid } from "@mbs/solvers";
import { processorSeconds } from "../../../tools/test/processor-seconds.ts";
import { makeFactor } from "./tiny-site.ts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { solveSite } from "../src/index.ts";
import { RowThreads, type SiteTask } from "../src/rows/row-threads.ts";
import { siteStatistics } from "../src/site/site-statistics.ts";

const width = 128;

/** Weights of about a bell, large enough for two threads. */
function weightOf(rows: number) {
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const values = Float32Array.from({ length: rows * width }, () => (next() + next() + next()) * 0.02);
  return { rows, columns: width, values, parts: [{ tensor: "w", firstRow: 0, rows }], scaleDtype: "bf16" as const };
}

const factor = await makeFactor("h.0", "mlp-down", width);
const input = { block: "h.0", site: "mlp-down", width, factor };
const idle = { signal: new AbortController().signal, warn: () => {} };

async function taskOf(name: string, given: Readonly<Record<string, unknown>>, rows = 5000): Promise<SiteTask> {
  const solver = await loadSolver(name);
  const options = parseOptions(solverOptions(solver), given, name);
  const needs = solver.reads?.(options) ?? solver.needs;
  return {
    solver,
    weight: withGrid(askedGrid(solver, options), weightOf(rows)),
    statistics: siteStatistics(input, needs),
    options,
  };
}

async function withThreads(threads: RowThreads, work: (threads: RowThreads) => Promise<void>): Promise<void> {
  await work(threads).finally(() => threads.close());
}

const errorOf = async (work: Promise<unknown>): Promise<Error> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, Error);
  return error as Error;
};

test("threads give what one gives", async () => {
  const blas = createBlas({ threads: 1 });
  const cases = [
    // no products: every bit is the same
    { name: "rtn", given: { bits: 3, groupSize: 32 }, rowsThatDiffer: 0 },
    { name: "gptq", given: { bits: 3, groupSize: 32, blockSize: width }, rowsThatDiffer: 0 },
    // a product may add in another order for other numbers of rows, which tips a near tie in one row of some hundred
    { name: "gptq", given: { bits: 3, groupSize: 32, blockSize: 32 }, rowsThatDiffer: 50 },
  ];
  const solvedByOne = cases.map(async (known) => {
    const task = await taskOf(known.name, known.given, 7001);
    const site = { ...task.weight, values: task.weight.values.slice() };
    const whole = await task.solver.solve(site, task.statistics as SolverStatistics, task.options, { ...idle, blas });
    return { ...known, task, whole };
  });
  const references = await Promise.all(solvedByOne);
  for (const threadCount of [2, 3]) {
    await withThreads(new RowThreads(threadCount), async (threads) => {
      for (const { name, given, rowsThatDiffer, task, whole } of references) {
        const { solver, weight } = task;
        assert.ok(await threads.splits(solver, weight));
        const split = await threads.solve(task, idle);
        assert.equal(await threads.solve(task, idle), split, "the same bytes again");
        assert.is(agreementFault(weight, split), undefined);
        assert.is(shapeFault(weight, split), undefined);
        assert.equal(split.quantised?.groupOf, whole.quantised?.groupOf);
        const differs = new Set<number>();
        for (const [index, value] of whole.values.entries())
          if (split.values[index] !== value) differs.add(Math.floor(index / width));
        assert.ok(differs.size <= rowsThatDiffer, `${name} ${JSON.stringify(given)}: ${differs.size} rows`);
      }
    });
  }
  await blas.release();
});

test("a small site, a solver that is not built in and one that looks at several rows stay on one thread", async () => {
  await withThreads(new RowThreads(2), async (threads) => {
    const { solver, weight } = await taskOf("gptq", {});
    assert.ok(await threads.splits(solver, weight));
    assert.not(await threads.splits(solver, (await taskOf("gptq", {}, 100)).weight));
    assert.not(await threads.splits({ ...solver }, weight), "another object of the same name");
    assert.not(await threads.splits(await loadSolver("sparsegpt"), weight));
  });
});

/** A worker that does something else than its own work with a task. */
const workerOf = (body: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort as port } from "node:worker_threads"; port.on("message", () => { ${body} });`)}`,
  );

/** What solving a site with such workers throws. */
async function failureWith(entry: URL, signal = idle.signal): Promise<Error> {
  const rowThreads = new RowThreads(2, entry);
  const blas = createBlas({ threads: 1 });
  const { solver, options, weight } = await taskOf("gptq", { bits: 3 });
  try {
    return await errorOf(solveSite({ solver, options }, weight, ["f16"], input, { ...idle, signal, blas, rowThreads }));
  } finally {
    assert.is(rowThreads.bytes - 4 * width ** 2 > 0, false, "no thread is left");
    await rowThreads.close();
    await blas.release();
  }
}

test("what fails on a worker is the solver's error", async () => {
  const thrown = await failureWith(workerOf(`throw new Error("out of luck")`));
  assert.instance(thrown, InternalError);
  assert.is(thrown.message, "solver gptq failed at h.0 mlp-down: out of luck; fix it (--debug shows its stack)");
  const ended = await failureWith(workerOf("process.exit(3)"));
  assert.is(
    ended.message,
    "solver gptq failed at h.0 mlp-down: its worker thread ended with code 3; fix it (--debug shows its stack)",
  );
  const refused = await failureWith(
    workerOf(`port.postMessage({ failure: { message: "bits must be even", tag: "usage", facts: { bits: 3 } } })`),
  );
  assert.instance(refused, UsageError);
  assert.is(refused.message, "solver gptq at h.0 mlp-down: bits must be even");
  assert.equal((refused as UsageError).facts, { bits: 3, solver: "gptq" });
  const missing = await failureWith(pathToFileURL(join(tmpdir(), "no-such-worker.js")));
  assert.match(missing.message, /^solver gptq failed at h\.0 mlp-down: Cannot find module/);
});

test("a worker whose work never settles is found out", async () => {
  const rowThreads = new RowThreads(2, workerOf("port.unref()"));
  const blas = createBlas({ threads: 1 });
  const { solver, options, weight } = await taskOf("gptq", { bits: 3 });
  const error = await errorOf(solveSite({ solver, options }, weight, ["f16"], input, { ...idle, blas, rowThreads }));
  assert.is(error.message, "solver gptq never settles its promise at h.0 mlp-down; fix it");
  await rowThreads.close();
  await blas.release();
});

test("no worker begins after an abort: one that hangs would not end", async () => {
  assert.instance(await failureWith(workerOf("for (;;);"), AbortSignal.abort()), InterruptedError);
});

test("an abort ends a worker that hangs, and one at work", async () => {
  const hanging = new AbortController();
  setTimeout(() => hanging.abort(), 300);
  assert.instance(await failureWith(workerOf("for (;;);"), hanging.signal), InterruptedError);

  await withThreads(new RowThreads(2), async (threads) => {
    const given = { bits: 3, groupSize: 32, blockSize: 8 };
    const [part, whole] = [await taskOf("gptq", given), await taskOf("gptq", given, 40_000)];
    await threads.solve(part, idle);
    const forPart = await processorSeconds(() => threads.solve(part, idle));
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(), 50);
    const forWhole = await processorSeconds(async () =>
      assert.instance(await errorOf(threads.solve(whole, { ...idle, signal: stopping.signal })), InterruptedError),
    );
    // the whole is eight times the part
    assert.ok(forWhole < 4 * forPart, `${forWhole} s, and ${forPart} s for an eighth of it`);
    const { values } = await threads.solve(await taskOf("gptq", { bits: 3 }), idle);
    assert.is(values.length, 5000 * width, "new workers go on");
  });
});

test("workers go to the pool and come back from it", async () => {
  const pool = createObjectPool();
  const first = RowThreads.take(2, pool);
  await first.solve(await taskOf("rtn", {}), idle);
  assert.ok(first.bytes > 0);
  await first.giveBack(pool);
  assert.is.not(RowThreads.take(3, pool), first, "of another number of threads");
  assert.is(RowThreads.take(2, pool), first);
  await first.giveBack(undefined);
  assert.is(first.bytes, 0, "ended where there is no pool");
  await pool.close();
});

/** A built file of a package, as programs import it. */
const built = (name: string): string => pathToFileURL(resolve(import.meta.dirname, "../..", name)).href;

test("the built package has its workers too, and ends with them", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-rows-"));
  const program = `
    const { compress } = await import("${built("compression/dist/index.js")}");
    const { writeTinyModel } = await import("${built("models/dist/testing.js")}");
    const model = ${JSON.stringify(folder)};
    await writeTinyModel(model, { blocks: 1, hiddenSize: 512 });
    const kept = [];
    const pool = { limit: 2 ** 30, take: () => undefined, put: async (key, object) => { kept.push([key, object.bytes > 0]); await object.close(); } };
    const context = { signal: new AbortController().signal, progress() {}, warn() {}, threads: 2, pool };
    const { layers } = await compress.run({}, { model, solver: "rtn", bits: 3, withoutFactors: true }, context);
    let rows = 0;
    for await (const batch of layers.batches) rows += batch.rows;
    console.log(JSON.stringify({ rows, kept: kept.filter(([key]) => key.startsWith("row")) }));
  `;
  try {
    const file = join(folder, "program.mjs");
    writeFileSync(file, program);
    for (const args of [
      ["--max-old-space-size=1000", file],
      ["--input-type=module", "--eval", program],
    ]) {
      const printed = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 300_000 });
      assert.equal(JSON.parse(printed), { rows: 24, kept: [["row threads 2", true]] });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
