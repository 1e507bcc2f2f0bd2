import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const root = await mkdtemp(join(tmpdir(), "mbs-telemetry-"));
test.after(() => rm(root, { recursive: true }));

const built = pathToFileURL(resolve(import.meta.dirname, "../dist/index.js")).href;
// The library looks up its host 9.6 seconds after the first session.
const firstLookup = 11_000;
const multiply = `
  const { createBlas } = await import(${JSON.stringify(built)});
  const one = { rows: 1, columns: 1, values: Float32Array.of(1) };
  await createBlas({ threads: 1 }).gemm(one, one);
`;

/** The environment of a user at home: nothing says that this is a test, and home and temporary folder are empty. */
function userEnvironment(): NodeJS.ProcessEnv {
  const { CI: _ci, ORT_DISABLE_TELEMETRY: _off, ...kept } = process.env;
  return { ...kept, HOME: root, XDG_CACHE_HOME: "", TMPDIR: root, TMP: root, TEMP: root, LOCALAPPDATA: root };
}

async function exitCode([command, ...args]: readonly [string, ...string[]], env = process.env): Promise<number | null> {
  const child = spawn(command, args, { env, stdio: "ignore" });
  return new Promise((done) => child.on("exit", done).on("error", () => done(null)));
}

const program = (source: string): [string, ...string[]] => [process.execPath, "--input-type=module", "--eval", source];

test("a product in an empty home, with CI unset, leaves no file", async () => {
  assert.is(await exitCode(program(multiply), userEnvironment()), 0);
  assert.equal(await readdir(root), []);
});

const canTrace = (await exitCode(["strace", "-o", "/dev/null", "true"])) === 0;
if (!canTrace) console.log("strace is not there or may not trace: that no socket is opened is not tested");
(canTrace ? test : (name: string) => test.skip(name))("a process that lives on opens no socket", async () => {
  const trace = await mkdtemp(join(tmpdir(), "mbs-telemetry-trace-"));
  try {
    const file = join(trace, "calls");
    const waiting = `${multiply} await new Promise((done) => setTimeout(done, ${firstLookup}));`;
    const traced = ["strace", "-f", "-qq", "-e", "trace=socket,execve", "-o", file, ...program(waiting)] as const;
    assert.is(await exitCode(traced, userEnvironment()), 0);
    const calls = (await readFile(file, "utf8")).split("\n");
    assert.ok(calls.some((line) => line.includes("execve(")));
    assert.equal(
      calls.filter((line) => line.includes("socket(")),
      [],
    );
  } finally {
    await rm(trace, { recursive: true });
  }
});

test("a worker thread inherits it from the main thread", async () => {
  const worker = `
    const { Worker } = await import("node:worker_threads");
    ${multiply}
    const worker = new Worker(${JSON.stringify(multiply)}, { eval: true });
    process.exitCode = await new Promise((done) => worker.on("exit", done).on("error", () => done(1)));
  `;
  assert.is(await exitCode(program(worker), userEnvironment()), 0);
  assert.equal(await readdir(root), []);
});

test("a worker thread alone, which cannot turn it off, is refused with the remedy", async () => {
  const refused = `
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(${JSON.stringify(multiply)}, { eval: true });
    const error = await new Promise((done) => worker.on("error", done).on("exit", done));
    process.exitCode = /in the main thread before the worker starts/.test(error?.message) ? 7 : 1;
  `;
  assert.is(await exitCode(program(refused), userEnvironment()), 7);
  assert.equal(await readdir(root), []);
});

test.run();
