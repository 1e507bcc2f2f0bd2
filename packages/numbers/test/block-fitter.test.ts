import { createBlockFitter, fitBlocksReference } from "@mbs/numbers";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockRules } from "./block-rules.ts";
import { randomNumbers } from "./random-numbers.ts";
import { bellOf, weightKinds } from "./weight-kinds.ts";

const next = randomNumbers(23);

const bell = bellOf(next);
const kinds = weightKinds(next);

for (const [kind, weight] of Object.entries(kinds)) {
  test(`weights ${kind}: both forms give the same bits`, () => {
    for (const rule of blockRules) {
      for (const rows of [1, 83]) {
        const weights = Float32Array.from({ length: rows * rule.columns }, (_, index) => weight(index % rows));
        // from 1e-6 to 1 of the largest, on any scale
        const importances = Float32Array.from({ length: rule.columns }, () => 1e3 * 10 ** (-6 * next()));
        const found = createBlockFitter(rule, rows)(weights, importances);
        const expected = fitBlocksReference(weights, rows, rule, importances);
        for (const key of ["scales", "offsets", "subScales", "subOffsets"] as const) {
          assert.equal([...found[key]], [...expected[key]], `${key}, ${rows} rows, ${JSON.stringify(rule)}`);
        }
      }
    }
  });
}

test("blocks of more rows than fit into the kernel's memory at once, and one block after another", () => {
  const rule = at(blockRules, 6);
  const rows = 2100;
  const fit = createBlockFitter(rule, rows);
  for (const size of [1, 0.01]) {
    const weights = Float32Array.from({ length: rows * rule.columns }, () => bell() * size);
    const importances = new Float32Array(rule.columns).fill(1);
    assert.equal(fit(weights, importances), fitBlocksReference(weights, rows, rule, importances));
  }
});

test.run();
