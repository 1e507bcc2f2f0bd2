import { test } from "uvu";
import * as assert from "uvu/assert";
import { UsageError, formatShare, parseOptions, parseShare } from "../src/index.ts";

test("a share is a percentage or a part of 1, from text or JSON", () => {
  const shares: readonly [unknown, number][] = [
    ["5%", 0.05],
    ["0.05", 0.05],
    [" 5.5 % ", 0.055],
    [".5", 0.5],
    [1e-7, 1e-7],
    ["7%", 0.07],
    ["100%", 1],
    ["500%", 5],
    [0, 0],
    ["0%", 0],
    [0.999, 0.999],
  ];
  for (const [raw, share] of shares) assert.is(parseShare(raw, "--most"), share, String(raw));
  assert.is(formatShare(0.07), "7%");
});

test("a bare number of 1 or more is refused with all that it may mean, within the largest share", () => {
  const refusals: readonly [unknown, number, string][] = [
    [5, Infinity, "--most 5 is unclear; write 5% or 0.05; 500% for 5 times"],
    ["1", Infinity, "--most 1 is unclear; write 1% or 0.01; 100% for the whole"],
    ["1.0", 1, "--most 1 is unclear; write 1% or 0.01; 100% for the whole"],
    ["2.5", Infinity, "--most 2.5 is unclear; write 2.5% or 0.025; 250% for 2.5 times"],
    ["150", Infinity, "--most 150 is unclear; write 150%; 15000% for 150 times"],
    ["50", 0.999, "--most 50 is unclear; write 50% or 0.5"],
    ["500", 0.999, "--most must be at most 99.9%, not 50000%"],
    ["101%", 1, "--most must be at most 100%, not 101%"],
    ["five", 1, '--most takes a share such as 5% or 0.05, not "five"'],
  ];
  for (const [raw, maximum, message] of refusals) {
    assert.throws(
      () => parseShare(raw, "--most", maximum),
      (error: unknown) => error instanceof UsageError && error.message === message,
      message,
    );
  }
  for (const raw of ["", "-5%", "%", "Infinity", "0x1", "5%%", null, [0.5], {}]) {
    assert.throws(() => parseShare(raw, "--most"), /--most takes a share/);
  }
});

test("an option that takes a share reads it the same way, and what was parsed parses again", () => {
  const table = { sparsity: { kind: "share", description: "share", default: 0.5, maximum: 0.999 } } as const;
  const parsed = parseOptions(table, { sparsity: "60%" }, "solver");
  assert.equal(parsed, { sparsity: 0.6 });
  assert.equal(parseOptions(table, parsed, "solver"), parsed);
  assert.throws(() => parseOptions(table, { sparsity: 60 }, "solver"), /--sparsity 60 is unclear; write 60% or 0.6$/);
});

test.run();
