import { test } from "uvu";
import * as assert from "uvu/assert";
import { pearson, spearman, testCorrelation } from "../src/statistics/correlation.ts";

const close = (actual: number, expected: number, tolerance = 1e-12): void =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);

test("rank correlation: order, reverse, ties, nothing to order", () => {
  close(spearman([1, 5, 9], [2, 3, 100]), 1);
  close(spearman([1, 5, 9], [3, 2, 1]), -1);
  close(spearman([1, 2, 2, 3], [1, 2, 3, 4]), 4.5 / Math.sqrt(4.5 * 5));
  assert.ok(Number.isNaN(spearman([1, 1], [1, 2])));
});

test("Pearson's correlation by its definition", () => {
  close(pearson([1, 2, 3], [10, 20, 30]), 1);
  // covariance 8, variances 10 and 10
  close(pearson([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]), 0.8);
  assert.ok(Number.isNaN(pearson([1, 2], [3, 3])));
});

test("the p-value of four points is that of their 24 orders", () => {
  const strongest = testCorrelation("spearman", [1, 2, 3, 4], [10, 20, 30, 40]);
  close(strongest.value, 1);
  // the given order and its reverse
  close(strongest.p, 2 / 24);
  const weak = testCorrelation("pearson", [1, 2, 3, 4], [1, -1, -1, 1]);
  close(weak.value, 0);
  assert.is(weak.p, 1);
  assert.ok(Number.isNaN(testCorrelation("pearson", [1, 1], [1, 2]).p));
});

test("six values: 42 of the 720 orders have a rank correlation as far from zero as 29/35", () => {
  const { value, p } = testCorrelation("spearman", [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]);
  close(value, 29 / 35);
  close(p, 42 / 720);
});

test("more values are drawn at random, with the same seed alike", () => {
  const [first, second] = [
    [1, 2, 3, 4, 5, 6, 7, 8],
    [3, 1, 2, 5, 4, 8, 6, 7],
  ];
  const tested = testCorrelation("pearson", first, second);
  assert.equal(testCorrelation("pearson", first, second), tested);
  assert.is.not(testCorrelation("pearson", first, second, 1).p, tested.p);
});

test("many points on a line hardly come by chance", () => {
  const values = Array.from({ length: 16 }, (_, index) => index);
  assert.is(testCorrelation("pearson", values, values).p, 1 / 10_001);
});

test.run();
