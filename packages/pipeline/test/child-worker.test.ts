import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { InputOutputError, noDeviceReport } from "@mbs/contracts";
import type { DeviceReport } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { until } from "../../../tools/test/until.ts";
import { WorkerLostError } from "../src/run/node-worker.ts";
import type { NodeTask, TaskContext } from "../src/run/node-worker.ts";
import { ChildWorker } from "../src/run/workers/child-worker.ts";
import { failure } from "./fixtures/run-fakes.ts";

const test = suite("a worker process, seen from its run");

const task: NodeTask = { id: "a", stage: "s", options: {}, inputs: {}, when: "now", height: 1 };
const context = (signal = new AbortController().signal): TaskContext => ({
  signal,
  progress: () => undefined,
  warn: () => undefined,
});
const setting = { root: "", results: [], threads: 1, memory: 0, revisions: {} };

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** @param done what the process does when a node is done */
const program = (done: string): string[] => [
  process.execPath,
  "-e",
  `process.on("message", ({ kind }) => {
     if (kind === "end") process.exit(0);
     if (kind === "flush") process.send({ kind: "flushed" });
     if (kind === "run") process.send({ kind: "done", address: String(process.pid) }, () => { ${done} });
   })`,
];

test("the end of a process that has nothing to do is reported once, since what it held in memory is lost", async () => {
  const worker = new ChildWorker({ name: "worker 1", command: program("process.exit(0)"), setting });
  for (const next of [() => worker.run(task, context()), () => worker.flush()]) {
    const { address: pid } = await worker.run(task, context());
    await until(() => !isAlive(Number(pid)), "the process has ended");
    // most often its end is heard of here; where it is not yet, the error is the same
    await wait(100);
    const error = await failure(next());
    assert.instance(error, WorkerLostError);
    assert.match(String(error), /worker 1 \(process \d+\) was ended with code 0 by code that it ran; look for process\.exit/);
  }
  await worker.run(task, context());
  await worker.close();
});

test("what a node did on a graphics processor arrives before its end, also where it fails", async () => {
  const report = { ...noDeviceReport, uploads: 2, uploadedBytes: 8, splitGraphs: ["odd one"] };
  const ends = [
    { kind: "done", address: "a" },
    { kind: "failed", of: "run", failure: { tag: "bad-data", message: "broken" } },
  ];
  const source = `const ends = ${JSON.stringify(ends)};
    process.on("message", ({ kind }) => {
      if (kind === "end") process.exit(0);
      if (kind === "run") for (const message of [{ kind: "device", report: ${JSON.stringify(report)} }, ends.shift()]) process.send(message);
    })`;
  const worker = new ChildWorker({ name: "worker 1", command: [process.execPath, "-e", source], setting });
  const reports: DeviceReport[] = [];
  const counting = { ...context(), onDevice: (made: DeviceReport) => void reports.push(made) };
  await worker.run(task, counting);
  assert.match(String(await failure(worker.run(task, counting))), /broken/);
  assert.equal(reports, [report, report]);
  await worker.close();
});

test("more than ten workers make no warnings of Node", async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", note);
  const { signal } = new AbortController();
  const workers = Array.from(
    { length: 12 },
    (_, index) => new ChildWorker({ name: `worker ${index + 1}`, command: program(""), setting }),
  );
  await Promise.all(workers.map((worker) => worker.run(task, context(signal))));
  await Promise.all(workers.map((worker) => worker.close()));
  await wait(10);
  process.off("warning", note);
  assert.equal(warnings, []);
});

test("a process that cannot be started is an error with its cause", async () => {
  const worker = new ChildWorker({ name: "worker 1", command: ["/none/there"], setting });
  const error = await failure(worker.run(task, context()));
  assert.instance(error, InputOutputError);
  assert.match(String(error), /worker 1 could not be started \(ENOENT\); the program is not there/);
  await worker.close();
  const text = new ChildWorker({ name: "worker 1", command: [fileURLToPath(import.meta.url)], setting });
  assert.match(String(await failure(text.run(task, context()))), /\(EACCES\); give the program the permission to be executed$/);
});

test("a process that ends before its first node is reported as such", async () => {
  const worker = new ChildWorker({ name: "worker 1", command: [process.execPath, "-e", "process.exit(7)"], setting });
  const error = await failure(worker.run(task, context()));
  assert.instance(error, WorkerLostError);
  assert.match(String(error), /ended with code 7 before its first node; what it printed says why$/);
});

/** A worker whose process does this when it is to write what it holds. */
const flushing = (code: string, silence: number): ChildWorker => {
  const command = [
    process.execPath,
    "-e",
    `process.on("message", ({ kind }) => {
       if (kind === "end") process.exit(0);
       if (kind === "run") process.send({ kind: "done", address: "a" });
       if (kind === "flush") { ${code} }
     })`,
  ];
  return new ChildWorker({ name: "worker 1", command, setting, silence });
};

test("what is to be removed behind the record is removed before a flush ends", async () => {
  const listens = `const kinds = [];
    process.on("message", ({ kind }) => {
      kinds.push(kind);
      if (kind === "end") process.exit(0);
      if (kind === "flush") process.send({ kind: "flushed" });
      if (kind === "run") process.send({ kind: "done", address: kinds.join() });
    })`;
  const worker = new ChildWorker({ name: "worker 1", command: [process.execPath, "-e", listens], setting });
  await worker.run(task, context());
  worker.remove(["a".repeat(64)], wait(100));
  await worker.flush();
  assert.is((await worker.run(task, context())).address, "begin,run,remove,flush,run");
  await worker.close();
});

test("a stopped process that is to write what it holds is given up after a while", async () => {
  const worker = flushing('process.kill(process.pid, "SIGSTOP");', 300);
  await worker.run(task, context());
  const error = await failure(worker.flush());
  assert.instance(error, WorkerLostError);
  assert.match(String(error), /worker 1 \(process \d+\) did not answer for 0\.3 s when it was to write .*stopped \(SIGSTOP\)/);
  await worker.close();
});

test("a process that writes for long is not given up as long as it gives signs of life", async () => {
  const beats = 'const beat = setInterval(() => process.send({ kind: "alive" }), 100);';
  const code = `${beats} setTimeout(() => { clearInterval(beat); process.send({ kind: "flushed" }); }, 4000);`;
  // thirty beats: a loaded machine delays some of them
  const worker = flushing(code, 3000);
  await worker.run(task, context());
  await worker.flush();
  await worker.close();
});

test("without a file left a worker is an error, too, and the processes around are not ended", async () => {
  const words = (await buildProgram(new URL("fixtures/worker-without-files.ts", import.meta.url)))
    .map((word) => `'${word}'`)
    .join(" ");
  // a group of its own, which the shell is in
  const shell = spawn("sh", ["-c", `ulimit -n 100; ${words}; echo "the shell goes on"`], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stdout = await text(shell.stdout);
  assert.match(stdout, /^begun\nInputOutputError: worker 1 could not be started \(EMFILE\); raise the limit of open files/);
  assert.match(stdout, /the shell goes on\n$/);
});

test.run();
