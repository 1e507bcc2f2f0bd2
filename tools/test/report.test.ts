import { test } from "uvu";
import * as assert from "uvu/assert";
import { report } from "./report.ts";
import type { FileResult } from "./results.ts";

const sound: FileResult = {
  file: "packages/a/test/x.test.ts",
  passed: 5,
  failed: 0,
  skipped: 1,
  failures: [],
  seconds: 0.2,
  processorSeconds: 0.3,
};
const failures = [{ test: "faults: a killed worker", error: "it waited" }];
const broken: FileResult = { ...sound, file: "packages/a/test/y.test.ts", passed: 2, failed: 1, failures };

test("what failed stands right above the last line, by file, test and error", () => {
  const results = [
    { project: "packages/a", files: [broken, sound], notRun: [] },
    { project: "tools", files: [], notRun: ["tools/z.test.ts"] },
  ];
  const { lines, failed } = report(results, ["@mbs/a:test", "workspace:format"], 1);
  assert.is(failed, 2);
  assert.equal(lines, [
    "packages/a                       7 passed, 1 failed, 2 skipped",
    "tools                            0 passed, 1 failed, 0 skipped",
    "2 skipped",
    "failed: packages/a/test/y.test.ts: faults: a killed worker",
    "  it waited",
    "not run: tools/z.test.ts",
    "test files that were not run count as failed: the run was interrupted, or a test program ended early",
    "ended with an error (see above): @mbs/a:test, workspace:format",
    "7 passed, 2 failed",
  ]);
});

test("a run that ended with an error without a failed test failed all the same", () => {
  const results = [{ project: "packages/a", files: [sound], notRun: [] }];
  const { lines, failed } = report(results, ["@mbs/a:test"], 1);
  assert.is(failed, 1);
  assert.equal(lines.slice(-3), [
    "ended with an error (see above): @mbs/a:test",
    "no test failed, but a build, a check or a test program: see above",
    "5 passed, 1 failed",
  ]);
  assert.equal(report(results, [], 0).lines.slice(-2), ["1 skipped", "5 passed, 0 failed"]);
});

test("names the slow tests that were left out", () => {
  const results = [{ project: "packages/a", files: [sound], notRun: [] }];
  const { lines } = report(results, [], 0, ["packages/a/test/kills.slow.test.ts", "tools/chaos/chaos.slow.test.ts"]);
  assert.equal(lines.slice(-2), [
    "left out, run by ./scripts/test --all: 2 slow test files (kills, chaos)",
    "5 passed, 0 failed",
  ]);
});

test.run();
