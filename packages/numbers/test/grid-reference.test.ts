import { codeOf, createGridFitter, fitGridReference, valueOf } from "@mbs/numbers";
import type { FittedGrid, GridRule } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { searchNorm } from "../src/grids/grid-reference.ts";
import { gridRule } from "./grid-rule.ts";

/** Of both forms, which must agree. */
function fitGrid(weights: Float32Array, rows: number, rule: GridRule): FittedGrid {
  const grid = fitGridReference(weights, rows, rule);
  assert.equal(createGridFitter(weights.length / rows, rows, rule)(weights), grid);
  return grid;
}

test("grids round half to even, hold zero exactly and never divide by zero", () => {
  const { scales, zeros, maximum } = fitGrid(Float32Array.of(-8, 0, 7), 1, gridRule(4, "any", "none"));
  assert.is(scales[0], 1);
  assert.is(zeros[0], 8);
  assert.equal(
    [0.5, 1.5, 2.5, -0.5].map((value) => codeOf(value, 1, 8, maximum)),
    [8, 10, 10, 8],
  );
  assert.is(valueOf(codeOf(0, at(scales, 0), at(zeros, 0), maximum), at(scales, 0), at(zeros, 0)), 0);
  for (const weights of [Float32Array.of(0, 0), Float32Array.of(1e-45, 0)]) {
    for (const zeroPoints of ["middle", "any"] as const) {
      const grid = fitGrid(weights, 1, gridRule(8, zeroPoints, "error"));
      assert.ok(at(grid.scales, 0) > 0 && Number.isFinite(grid.zeros[0]));
    }
  }
});

test("a scale that its dtype rounds far down neither moves zero off the codes nor cuts the range", () => {
  for (const [scaleDtype, least] of [
    ["f16", -1.31e-6],
    ["f16", -2.2e-5],
    ["f32", -3.2e-44],
    ["bf16", -2.1e-39],
  ] as const) {
    for (const bits of [4, 8]) {
      for (const search of ["none", "error"] as const) {
        const weights = Float32Array.of(least, least / 2, 0);
        const { scales, zeros, maximum } = fitGrid(weights, 1, gridRule(bits, "any", search, scaleDtype));
        assert.ok(at(zeros, 0) >= 0 && at(zeros, 0) <= maximum, `${scaleDtype}, ${bits} bits: zero ${zeros[0]}`);
        const value = valueOf(codeOf(at(weights, 0), at(scales, 0), at(zeros, 0), maximum), at(scales, 0), at(zeros, 0));
        assert.ok(
          Math.abs(value - at(weights, 0)) <= at(scales, 0),
          `${scaleDtype}, ${bits} bits: ${value} for ${weights[0]}, scale ${scales[0]}`,
        );
      }
    }
  }
});

test("zero stays among the codes where bf16 rounds an ordinary scale down", () => {
  // 255 steps of 1 do not span 255.9, and 255.9 steps are 256
  const { scales, zeros } = fitGrid(Float32Array.of(-255.9, 0), 1, gridRule(8, "any", "none", "bf16"));
  assert.equal([scales[0], zeros[0]], [1, 255]);
});

test("a symmetric grid covers rows of one sign", () => {
  const weights = Float32Array.of(0.25, 0.5, 1);
  const { scales, zeros, maximum } = fitGrid(weights, 1, gridRule(4, "middle", "none"));
  const values = [...weights].map((value) =>
    valueOf(codeOf(value, at(scales, 0), at(zeros, 0), maximum), at(scales, 0), at(zeros, 0)),
  );
  assert.ok(values.every((value, index) => Math.abs(value - at(weights, index)) <= at(scales, 0)));
});

const ofOneSign = (sign: number): Float32Array =>
  Float32Array.from({ length: 32 }, (_, index) => sign * (0.03 + Math.abs(Math.sin(index))));

/** One weight of seven is negative, and as small as a share says. */
const lopsided = (share: number): Float32Array => ofOneSign(1).map((value, index) => (index % 7 === 0 ? -share * value : value));

test("zero points from one on stay there, and no weight errs by more than half a step", () => {
  for (const bits of [2, 3, 4, 8]) {
    for (const weights of [ofOneSign(1), ofOneSign(-1), ...[0.01, 0.05, 0.1, 0.3, 1, 3].map(lopsided), new Float32Array(8)]) {
      for (const search of ["none", "error"] as const) {
        const { scales, zeros, maximum } = fitGrid(weights, 1, gridRule(bits, "from-one", search));
        assert.ok(at(zeros, 0) >= 1 && at(zeros, 0) <= maximum, `${bits} bits: zero point ${zeros[0]}`);
        const free = fitGrid(weights, 1, gridRule(bits, "any", search));
        if (at(free.zeros, 0) > 0) assert.equal([scales, zeros], [free.scales, free.zeros], "where nothing is in the way");
        if (search === "error") continue;
        for (const value of weights) {
          const error = valueOf(codeOf(value, at(scales, 0), at(zeros, 0), maximum), at(scales, 0), at(zeros, 0)) - value;
          assert.ok(Math.abs(error) <= 0.5001 * at(scales, 0), `${bits} bits: ${value} is off by ${error}, scale ${scales[0]}`);
        }
      }
    }
  }
});

test("the search's norm is |x|^2.4", () => {
  for (let exponent = -37; exponent < 12; exponent += 0.0137) {
    const x = Math.fround((exponent * 7) % 2 > 0 ? 10 ** exponent : -(10 ** exponent));
    const expected = Math.abs(x) ** 2.4;
    assert.ok(Math.abs(searchNorm(x) - expected) <= 1e-8 * expected, `${x}`);
  }
  assert.is(searchNorm(0), 0);
});

test("the grid search beats the full range in its own norm where few weights are large", () => {
  const weights = Float32Array.from(
    { length: 64 },
    (_, index) => Math.sin(index) + Math.sin(index * 1.7) + Math.sin(index * 2.9),
  );
  const loss = (search: "none" | "error") => {
    const { scales, zeros, maximum } = fitGrid(weights, 1, gridRule(3, "middle", search));
    return weights.reduce(
      (sum, value) =>
        sum + Math.abs(valueOf(codeOf(value, at(scales, 0), at(zeros, 0), maximum), at(scales, 0), at(zeros, 0)) - value) ** 2.4,
      0,
    );
  };
  assert.ok(loss("error") < loss("none"));
});

test.run();
