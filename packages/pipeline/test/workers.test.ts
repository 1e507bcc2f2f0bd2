import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { InternalError, InterruptedError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { until } from "../../../tools/test/until.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import type { Trouble } from "./fixtures/fake-worker.ts";
import { flipBit } from "./fixtures/flip-bit.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("workers");

const fakeWorker = await buildProgram(new URL("fixtures/fake-worker.ts", import.meta.url));
const command = (trouble?: Trouble): string[] => [...fakeWorker, ...(trouble === undefined ? [] : [JSON.stringify(trouble)])];

/** Everything but the number of workers, which a run records, and the order in which nodes were done. */
async function results(folder: string): Promise<Record<string, unknown>> {
  const { "run/machine.json": _, "run/manifest.json": manifest = "", ...others } = await snapshot(folder);
  return { ...others, nodes: Buffer.from(manifest, "hex").toString().split("\n").toSorted() };
}

/** Makes a folder for the starts that a trouble counts. */
async function startsIn(root: string): Promise<string> {
  const folder = join(root, "starts");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  return folder;
}

for (const shards of [1, 2]) {
  test(`workers in any number give the bytes of one process, with ${shards} shards`, async ({ root, recipe }) => {
    const out = join(root, "out");
    await go(recipe({ shards }));
    const expected = await results(out);
    for (const count of shards === 1 ? [1] : [1, 2]) {
      await rm(out, { recursive: true });
      const { nodes } = await go(recipe({ shards }), { workers: { count, command: command() } });
      assert.equal(await results(out), expected, `${count} workers`);
      const names = new Set(nodes.map(({ worker }) => worker));
      assert.ok(shards === 1 || names.size >= Math.min(count, shards), `${count} workers: ${[...names].join()}`);
    }
  });
}

test("a shard stays on its worker within a node", async ({ recipe }) => {
  const { nodes } = await go(recipe({ shards: 2 }), { workers: { count: 2, command: command() } });
  const workerOf = new Map(nodes.map(({ id, worker }) => [id, worker]));
  for (const shard of ["shard-1", "shard-2"]) {
    for (const node of ["h.0", "h.1"]) {
      const own = [...workerOf].filter(
        ([id]) => id.startsWith(`capture.${node}.`) && !id.includes("input") && id.endsWith(shard),
      );
      assert.is(own.length, 4);
      assert.is(new Set(own.map(([, worker]) => worker)).size, 1, `${node} ${shard}`);
    }
  }
  for (const [id, worker] of workerOf) {
    if (id.startsWith("compress.")) assert.is(worker, workerOf.get(id.replace("compress", "add")), id);
  }
});

for (const [what, starts] of [
  ["killed", [1, 15, 22, 36, 57]],
  ["exits", [29]],
] as const) {
  test(`a worker that is ${what} at a start is replaced, and the bytes are the same`, async ({ root, recipe }) => {
    const out = join(root, "out");
    await go(recipe({ shards: 2 }));
    const expected = await results(out);
    for (const at of starts) {
      await rm(out, { recursive: true });
      const folder = await startsIn(root);
      const warnings: string[] = [];
      const trouble: Trouble = { what, stage: "*", at, folder };
      await go(recipe({ shards: 2 }), {
        workers: { count: 2, command: command(trouble) },
        warn: (message) => warnings.push(message),
      });
      assert.equal(await results(out), expected, `at start ${at}`);
      const { length } = await readdir(folder);
      assert.is(warnings.length, at <= length ? 1 : 0, `at start ${at} of ${length}: ${warnings.join()}`);
      if (warnings.length > 0) assert.match(warnings.join(), /worker \d \(process \d+\) was ended .*; it is tried again/);
    }
  });
}

test("a node whose worker ends each time fails the run, with the cause, and what was done is kept", async ({ root, recipe }) => {
  const program = "process.on('message', ({ kind }) => kind === 'run' && process.kill(process.pid, 'SIGSEGV'))";
  const warnings: string[] = [];
  const error = await failure(
    go(recipe(), {
      workers: { count: 1, command: [process.execPath, "-e", program] },
      warn: (message) => warnings.push(message),
    }),
  );
  assert.instance(error, InternalError);
  assert.match(String(error), /worker 1 \(process \d+\) was ended by SIGSEGV/);
  assert.is(warnings.length, 1);
  await go(recipe(), { workers: { count: 1, command: command() } });
  assert.ok(existsSync(join(root, "out", "scores.arrow")));
});

test("a node without end is ended at the limit that it was given, and the next run goes on", async ({ root, recipe }) => {
  const folder = await startsIn(root);
  const trouble: Trouble = { what: "loops", stage: "factor", at: 2, folder };
  const error = await failure(go(recipe(), { workers: { count: 1, command: command(trouble), nodeLimit: 3000 } }));
  assert.instance(error, InternalError);
  assert.match(String(error), /factor\.h\.0\.attention-output took longer than the 3 s that a node may take \(--node-limit\)/);
  await go(recipe(), { workers: { count: 1, command: command() } });
});

for (const [what, message] of [
  ["rejects", "nobody waits for this"],
  ["waits", "factor.h.0.attention-output ended without a result: a promise never settled"],
] as const) {
  test(`a stage that ${what} behind the back of its worker fails the run, with the cause`, async ({ root, recipe }) => {
    const trouble: Trouble = { what, stage: "factor", at: 2, folder: await startsIn(root) };
    const warnings: string[] = [];
    const error = await failure(
      go(recipe(), { workers: { count: 1, command: command(trouble) }, warn: (warning) => warnings.push(warning) }),
    );
    assert.instance(error, InternalError);
    assert.ok(String(error).includes(message), String(error));
    assert.equal(warnings, []);
    await go(recipe(), { workers: { count: 1, command: command() } });
  });
}

test("a node that does not follow the signal is ended after a while", async ({ root, recipe }) => {
  const folder = await startsIn(root);
  const trouble: Trouble = { what: "loops", stage: "capture", at: 2, folder };
  const controller = new AbortController();
  const running = failure(
    go(recipe(), { workers: { count: 1, command: command(trouble), stopGrace: 300 }, signal: controller.signal }),
  );
  await until(() => existsSync(join(folder, "start-2")), "the second node begins");
  const started = performance.now();
  controller.abort();
  assert.instance(await running, InterruptedError);
  // by itself a run waits for ten seconds
  assert.ok(performance.now() - started < 10_000);
  await go(recipe(), { workers: { count: 1, command: command() } });
});

test("an error in a worker comes with its class and message, and a stop keeps what was done", async ({ root, recipe }) => {
  const workers = { count: 2, command: command() };
  const controller = new AbortController();
  let states = "";
  const stopped = await failure(
    go(recipe({ shards: 2 }), {
      workers,
      signal: controller.signal,
      onNode({ id, address }) {
        if (id === "propagate.embedding.shard-2") states = address;
        if (id === "compress.h.0.mlp-up") controller.abort();
      },
    }),
  );
  assert.instance(stopped, InterruptedError);
  assert.match(String(stopped), /stopped after \d+ of \d+ nodes; the same command goes on from there/);
  await flipBit(join(root, "out", "run", "artifacts", `${states}.arrow`));
  const warnings: string[] = [];
  await go(recipe({ shards: 2 }), { workers, warn: (warning) => warnings.push(warning) });
  assert.match(warnings.join("\n"), `${states}.arrow was damaged and is removed; the run in `);
});

test("signals that a terminal or a container sends to all processes are left to the run", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe());
  const expected = await results(out);
  await rm(out, { recursive: true });
  const warnings: string[] = [];
  const trouble: Trouble = { what: "terminated", stage: "factor", at: 2, folder: await startsIn(root) };
  await go(recipe(), { workers: { count: 1, command: command(trouble) }, warn: (warning) => warnings.push(warning) });
  assert.equal(warnings, []);
  assert.equal(await results(out), expected);
});

test("workers of a run that is ended together with them end, also one in a loop without end", async ({ root, recipe }) => {
  const folder = await startsIn(root);
  const trouble: Trouble = { what: "loops", stage: "capture", at: 1, folder };
  const { locate: _, stages: __, ...plain } = recipe();
  const [program, ...words] = await buildProgram(new URL("fixtures/run-with-workers.ts", import.meta.url));
  const run = spawn(program, [...words, JSON.stringify(plain), JSON.stringify(command(trouble))], {
    stdio: "ignore",
    detached: true,
  });
  const start = join(folder, "start-1");
  // the file is there before its content
  await until(() => existsSync(start) && readFileSync(start, "utf8") !== "", "the first node begins");
  const worker = Number(readFileSync(start, "utf8"));
  process.kill(worker, 0);
  // the worker leaves this to its run, which has no handler
  assert.ok(run.pid !== undefined && process.kill(-run.pid, "SIGTERM"));
  const isAlive = (): boolean => {
    try {
      process.kill(worker, 0);
      return true;
    } catch {
      return false;
    }
  };
  await until(() => !isAlive(), "the worker has ended");
  await go(recipe(), { stages: fakeStages() });
});

test.run();
