import { test } from "uvu";
import * as assert from "uvu/assert";
import { WarningGroups } from "../src/run/warning-groups.ts";

test("of warnings that differ in place and numbers the first is shown, and the others are counted at the end", () => {
  const lines: string[] = [];
  const groups = new WarningGroups((line) => lines.push(line));
  for (const block of [0, 2, 3, 5, 6, 8, 9]) {
    groups.add(`factor.h.${block}.mlp-up`, `h.${block} mlp-up: ${block + 1} of 640 channels are zero`);
  }
  groups.add("sample", "mix proportional with 3 segments");
  groups.add("evaluate", "hi: 1 of 200 documents are broken");
  const shown = [
    "factor.h.0.mlp-up: h.0 mlp-up: 1 of 640 channels are zero",
    "sample: mix proportional with 3 segments",
    "evaluate: hi: 1 of 200 documents are broken",
  ];
  assert.equal(lines, shown);
  groups.finish();
  groups.finish();
  const count = "the warning of h.0 mlp-up holds for 6 more: h.2 mlp-up, h.3 mlp-up, h.5 mlp-up, h.6 mlp-up and 2 others";
  assert.equal(lines, [...shown, count]);
});

test("a warning that names no place is known by its node", () => {
  const lines: string[] = [];
  const groups = new WarningGroups((line) => lines.push(line));
  for (const node of ["one", "two"]) groups.add(node, "it took 3 attempts");
  groups.finish();
  assert.equal(lines, ["one: it took 3 attempts", "the warning of one holds for 1 more: two"]);
});

test.run();
