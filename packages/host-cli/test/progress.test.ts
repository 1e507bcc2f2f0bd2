import type { TimeLeft } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withoutProgress } from "../../../tools/test/without-progress.ts";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createReporter, formatAbout, formatSeconds, progressStyle } from "@mbs/host-cli";

test("a bar only where the command has the terminal to itself", () => {
  assert.is(progressStyle(false, true, false), "bar");
  assert.is(progressStyle(false, true, true), "lines");
  assert.is(progressStyle(false, false, false), "lines");
  assert.is(progressStyle(true, true, false), "none");
});

test("times read well", () => {
  assert.is(formatSeconds(12.4), "12 s");
  assert.is(formatSeconds(75), "1 min 15 s");
  assert.is(formatSeconds(4000), "1 h 6 min");
  assert.equal([0, 52, 204, 1045, 7130, 8000].map(formatAbout), ["1 s", "52 s", "3 min 30 s", "17 min", "2 h", "2 h 10 min"]);
});

test("plain lines carry the command's name, come at intervals and tell the time left", () => {
  const lines: string[] = [];
  const clock = performance.now.bind(performance);
  let now = clock();
  performance.now = () => now;
  const reporter = createReporter("mbs capture", "lines", (text) => void lines.push(text), 0);
  reporter.progress({ activity: "capture", done: 0, total: 4, unit: "steps" });
  now += 4000;
  reporter.progress({ activity: "capture", done: 1, total: 4, unit: "steps" });
  reporter.progress({ activity: "read", done: 7, unit: "documents" });
  reporter.warn("odd");
  assert.is(lines[0], "mbs capture: capture, 0 of 4 steps\n");
  assert.match(lines[1] ?? "", /^mbs capture: capture, 1 of 4 steps, 12 s left\n$/);
  assert.is(lines[2], "mbs capture: read, 7 documents\n");
  reporter.progress({ activity: "score", done: 1, total: 9, unit: "windows" });
  assert.is(lines[4], "mbs capture: score, 1 of 9 windows\n", "no time left from a first step that nobody timed");
  assert.is(lines[3], "mbs capture: warning: odd\n");
  reporter.note("as asked");
  assert.is(lines[5], "mbs capture: as asked\n");

  reporter.progress({ activity: "trim", done: 1, total: 38, unit: "tensors" });
  now += 20;
  reporter.progress({ activity: "trim", done: 3, total: 38, unit: "tensors" });
  now += 5000;
  reporter.progress({ activity: "trim", done: 37, total: 38, unit: "tensors" });
  assert.equal(lines.slice(7), ["mbs capture: trim, 3 of 38 tensors\n", "mbs capture: trim, 37 of 38 tensors\n"]);
  performance.now = clock;

  const rare: string[] = [];
  const slow = createReporter("mbs capture", "lines", (text) => void rare.push(text), 60_000);
  for (let done = 0; done < 100; done++) slow.progress({ activity: "capture", done, total: 100, unit: "steps" });
  assert.equal(rare, []);
});

test("what runs as one whole has one line, whose time left it knows itself", () => {
  const lines: string[] = [];
  const { progress } = createReporter("mbs run", "lines", (text) => void lines.push(text), 0);
  const nodes = (activity: string, left?: TimeLeft): void =>
    progress({ activity, done: 3, total: 9, unit: "nodes", whole: { name: "run", left } });
  nodes("capture.h.0: 1 of 2 sites");
  nodes("capture.h.0: 2 of 2 sites", { seconds: 75, isLeast: true });
  nodes("evaluate: 35 of 36 windows", { seconds: 75, isLeast: false });
  nodes("evaluate: 36 of 36 windows", { seconds: 0.5, isLeast: false });
  assert.equal(lines, [
    "mbs run: capture.h.0: 1 of 2 sites, 3 of 9 nodes\n",
    "mbs run: capture.h.0: 2 of 2 sites, 3 of 9 nodes, at least 1 min 15 s left\n",
    "mbs run: evaluate: 35 of 36 windows, 3 of 9 nodes, 1 min 15 s left\n",
    "mbs run: evaluate: 36 of 36 windows, 3 of 9 nodes\n",
  ]);
  assert.is(withoutProgress(lines.join("")), "");
});

test("tests find the lines of progress, and nothing else, to leave them out", () => {
  const [said, warned]: [string[], string[]] = [[], []];
  const clock = performance.now.bind(performance);
  let now = clock();
  performance.now = () => now;
  const { progress, warn, note } = createReporter("mbs store verify", "lines", (text) => void said.push(text), 0);
  for (const [step, unit] of [
    [0, "documents"],
    [4000, "tokens at most"],
    [80_000, "segments"],
    [8e6, "artifacts"],
  ] as const) {
    now += step;
    progress({ activity: "read (h.0): all, 2 of 4", done: 1, unit });
    progress({ activity: "read (h.0): all, 2 of 4", done: 1, total: 4, unit });
  }
  performance.now = clock;
  assert.is(said.length, 8);
  assert.match(said.join(""), /1 of 4 segments, 4 min 12 s left\n/);
  warn("odd, 2 of 3 segments");
  note("as asked, with 2 of 4");
  warned.push(...said.slice(8));
  assert.is(withoutProgress(said.join("")), warned.join(""));
});

test("quiet says nothing", () => {
  const lines: string[] = [];
  const reporter = createReporter("mbs capture", "none", (text) => void lines.push(text), 0);
  reporter.progress({ activity: "capture", done: 1, unit: "steps" });
  reporter.warn("odd");
  reporter.note("as asked");
  reporter.stop();
  assert.equal(lines, []);
});

test("packages behind links are found where they are, after a pipe was looked at", () => {
  // realpathSync of Node 20, which module resolution uses, looks at the stats of whatever was looked at last
  const code = `import { progressStyle } from "@mbs/host-cli"; progressStyle(false); console.log(import.meta.resolve("@mbs/numbers"));`;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd, encoding: "utf8" });
  assert.is(stdout.trim(), new URL("../../numbers/dist/index.js", import.meta.url).href);
});

test.run();
