import { createGridFitter, fitGridReference } from "@mbs/numbers";
import type { FittedGrid, GridRule } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { searchNorm } from "../src/grids/grid-reference.ts";
import { KernelLayout } from "../src/wasm/kernel-memory.ts";
import { gridRule } from "./grid-rule.ts";
import { randomNumbers } from "./random-numbers.ts";
import { bellOf, weightKinds } from "./weight-kinds.ts";

const next = randomNumbers(11);

const bell = bellOf(next);
const kinds: ReturnType<typeof weightKinds> = {
  ...weightKinds(next),
  "not finite": (row) => (next() < 0.02 ? at([NaN, Infinity, -Infinity, 3e38], row % 4) : bell()),
};

/** As lists, whose NaN are equal. */
const listed = ({ scales, zeros, maximum }: FittedGrid) => ({ scales: [...scales], zeros: [...zeros], maximum });

const rules = (["none", "error", "hessian"] as const).flatMap((search): readonly GridRule[] => [
  gridRule(4, "middle", search),
  gridRule(3, "any", search, "bf16"),
  gridRule(2, "from-one", search, "f16"),
  gridRule(8, "any", search, "f16"),
  gridRule(8, "middle", search, "bf16"),
]);

/** From 1e-6 to 1 of the largest, on any scale. */
const importancesOf = (columns: number): Float32Array => Float32Array.from({ length: columns }, () => 1e3 * 10 ** (-6 * next()));

for (const [kind, weight] of Object.entries(kinds)) {
  test(`weights ${kind}: both forms give the same bits`, () => {
    for (const [rows, columns] of [
      [1, 5],
      [47, 64],
      [160, 33],
    ] as const) {
      const weights = Float32Array.from({ length: rows * columns }, (_, index) => weight(index % rows));
      const importances = importancesOf(columns);
      for (const rule of rules) {
        const found = createGridFitter(columns, rows, rule)(weights, importances);
        const expected = fitGridReference(weights, rows, rule, importances);
        assert.equal(listed(found), listed(expected), `${rows}×${columns}, ${JSON.stringify(rule)}`);
      }
    }
  });
}

test("of many rows, those too whose two best grids are closer than the kernel's norm is exact", () => {
  const [rows, columns] = [6000, 24];
  const weights = Float32Array.from({ length: rows * columns }, bell);
  const importances = importancesOf(columns);
  for (const search of ["error", "hessian"] as const) {
    const rule = gridRule(2, "any", search);
    assert.equal(createGridFitter(columns, rows, rule)(weights, importances), fitGridReference(weights, rows, rule, importances));
  }
});

test("importances decide: the range keeps what an important column holds, and gives up what another does", () => {
  const weights = Float32Array.from([...Array.from({ length: 15 }, (_, column) => (column - 7) / 70), 1]);
  const rule = gridRule(3, "any", "hessian");
  const scaleOf = (last: number): number => {
    const importances = Float32Array.from(weights, (_, column) => (column === 15 ? last : 1));
    return at(createGridFitter(16, 1, rule)(weights, importances).scales, 0);
  };
  assert.ok(scaleOf(1000) > 2 * scaleOf(0.001), "1 is within the range where it counts");
  assert.throws(() => createGridFitter(16, 1, rule)(weights), /needs 16 importances, not 0/);
});

test("a group that does not fit into the kernel's memory at once, and a shorter one after it", () => {
  const [rows, columns] = [20, 9000];
  const rule = gridRule(4, "any", "error");
  const fit = createGridFitter(columns, rows, rule);
  for (const width of [columns, 20]) {
    const weights = Float32Array.from({ length: rows * width }, bell);
    assert.equal(fit(weights), fitGridReference(weights, rows, rule));
  }
});

test("the kernel's norm is within 6e-6 of the reference's for errors of every size", () => {
  const [rows, steps, maximum] = [16, 80, 3];
  // all losses have it
  const factor = 1.6174925;
  const layout = new KernelLayout();
  const take = (length: number): number => layout.take(4 * length);
  const [W, T, L, H, A, B] = [take(rows), take(rows), take(rows), take(rows), take(steps), take(4 * steps)];
  const [S, Z, F, G] = [take(rows), take(rows), take(rows), take(rows)];
  const { buffer, kernels } = layout.build();
  const [weights, shares, losses] = [
    new Float32Array(buffer, W, rows),
    new Float32Array(buffer, A, steps),
    new Float32Array(buffer, B, 4 * steps),
  ];
  let most = 0;
  for (let round = 0; round < 3000; round += 1) {
    // one weight a row: the range ends with it, so that a share of the range leaves an error of about the rest
    for (let row = 0; row < rows; row += 1) weights[row] = 10 ** (-5 + 16 * next());
    for (let step = 0; step < steps; step += 1) shares[step] = 0.2 + 0.79 * next();
    kernels.fit(W, T, 0, L, H, A, B, S, Z, F, G, rows, rows, 1, maximum, -1, 0, 0, steps, Infinity);
    for (const [index, loss] of losses.entries()) {
      const weight = at(weights, 12 + (index % 4));
      const scale = Math.fround(Math.fround(at(shares, Math.floor(index / 4)) * weight) / maximum);
      const expected = searchNorm(Math.fround(Math.fround(maximum * scale) - weight));
      most = Math.max(most, Math.abs(loss / expected / factor - 1));
    }
  }
  assert.ok(most <= 6e-6, `off by ${most}`);
});

test.run();
