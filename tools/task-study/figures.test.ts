import { test } from "uvu";
import * as assert from "uvu/assert";
import { detectable, lessOf, meanOf } from "./figures.ts";
import type { Stratum } from "./figures.ts";

const stratum = (language: string, sums: readonly number[], counts: readonly number[]): Stratum => ({
  language,
  task: "",
  sums: Float64Array.from(sums),
  counts: Float64Array.from(counts),
});

test("languages count the same, windows by their tokens", () => {
  const { value } = meanOf([stratum("en", [1, 9], [10, 10]), stratum("de", [6], [3])]);
  assert.is(value, (0.5 + 2) / 2);
});

test("a paired difference does not vary where both models vary alike", () => {
  const sums = [1, 5, 2, 8, 3, 9];
  const counts = sums.map(() => 1);
  const first = [stratum("en", sums, counts)];
  const second = [
    stratum(
      "en",
      sums.map((sum) => sum - 0.5),
      counts,
    ),
  ];
  const difference = meanOf(lessOf(first, second));
  assert.equal(difference.interval, [0.5, 0.5]);
  assert.is(detectable(difference), 0);
  const { interval, error } = meanOf(first);
  assert.ok(interval[0] < interval[1]);
  // the bootstrap's standard error of a mean of six is √(Σ(x − x̄)²) / 6 = 1.24; 1000 draws give it to some percent
  assert.ok(Math.abs(error - 1.24) < 0.15, String(error));
});

test("other windows have no difference", () => {
  assert.throws(() => lessOf([stratum("en", [1], [10])], [stratum("en", [1], [11])]), /en .*not scored on the same windows/);
});

test.run();
