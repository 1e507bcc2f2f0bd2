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
  const count =
    '"1 of 640 channels are zero", as of h.0 mlp-up and with numbers of their own, was said of 6 more: h.2 mlp-up, h.3 mlp-up, h.5 mlp-up, h.6 mlp-up and 2 others; mbs run --verbose shows each';
  assert.equal(lines, [...shown, count]);
});

test("a warning that names no place, and a second one of a place, are always shown", () => {
  const lines: string[] = [];
  const groups = new WarningGroups((line) => lines.push(line));
  for (const node of ["one", "two"]) groups.add(node, "it took 3 attempts");
  for (const tensor of [1, 2]) groups.add("one", `h.0: tensor ${tensor} has NaN`);
  groups.finish();
  assert.equal(lines, [
    "one: it took 3 attempts",
    "two: it took 3 attempts",
    "one: h.0: tensor 1 has NaN",
    "one: h.0: tensor 2 has NaN",
  ]);
});

test.run();
