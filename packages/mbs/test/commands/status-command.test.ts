import { hostname } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusText } from "../../src/commands/status-command.ts";

const status = {
  process: process.pid,
  host: hostname(),
  began: 0,
  updated: 60_000,
  threads: 1,
  workers: 2,
  secondsLeft: 90,
  nodes: [
    { id: "sample", stage: "sample", state: "done", worker: "worker 1", seconds: 4 },
    { id: "capture.h.0", stage: "capture", state: "done", worker: "worker 1", seconds: 40 },
    { id: "capture.h.1", stage: "capture", state: "running", worker: "worker 2", began: 50_000 },
    { id: "factor.h.1", stage: "factor", state: "waiting" },
  ],
} as const;

test("a run that goes on shows its counts, the time left, what runs and what took longest", () => {
  const text = statusText(status, 70_000);
  assert.match(text, /^running for 1 min 10 s on 2 workers with 1 thread, about 1 min 20 s left\n/);
  assert.match(text, "2 of 4 nodes done, 1 running, 1 waiting");
  assert.match(text, /running +worker +time\ncapture\.h\.1 +worker 2 +20 s\n/);
  assert.match(text, /slowest so far.*\ncapture\.h\.0 +worker 1 +40 s\nsample/);
});

test("a run with a store shows what each worker moved, and all together", () => {
  const traffic = [
    { worker: "this machine", fetched: 2000, put: 1000 },
    { worker: "host (process 7)", fetched: 1000, put: 4000 },
  ];
  const text = statusText({ ...status, traffic }, 70_000);
  assert.match(text, /moved by +from the store +to the store\nthis machine +2.00 kB +1.00 kB\n/);
  assert.match(text, /host \(process 7\) +1.00 kB +4.00 kB\nall +3.00 kB +5.00 kB\n/);
});

test("a run that stopped says why, one whose process is gone what to do", () => {
  assert.match(statusText({ ...status, failure: "disk full" }, 70_000), /^stopped: disk full\n/);
  const gone = statusText({ ...status, process: 2 ** 22 + 1 }, 70_000);
  assert.match(gone, /is gone; run the recipe again to go on/);
  assert.not.match(gone, "capture.h.1");
  assert.match(statusText({ ...status, process: 2 ** 22 + 1, host: "elsewhere" }, 70_000), /^running for/);
});

test("names from a record cannot command a terminal", () => {
  const [first] = status.nodes;
  const text = statusText({ ...status, nodes: [{ ...first, id: "\u001b[2J", worker: "\u001b[2J" }], failure: "\u001b[2J" }, 0);
  assert.not.match(text, "\u001b");
});

test.run();
