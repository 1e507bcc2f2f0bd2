import { test } from "uvu";
import * as assert from "uvu/assert";
import { onFrontier } from "../../src/scores/size-plot.ts";
import type { SizedRise } from "../../src/scores/size-plot.ts";

const point = (model: string, bytes: number, rise: number, figure: SizedRise["figure"] = "unweighted mean"): SizedRise => ({
  model,
  bytes,
  rise,
  figure,
  low: rise,
  high: rise,
  language: "",
});

test("a model is beaten by one that is no larger and no worse, and better in one of the two", () => {
  const all = [
    point("small", 1, 0.3),
    point("middle", 2, 0.1),
    point("bad", 3, 0.2),
    point("twin", 2, 0.1),
    point("large", 4, 0),
  ];
  const names = all.filter((rise) => onFrontier(rise, all, undefined)).map(({ model }) => model);
  assert.equal(names, ["small", "middle", "twin", "large"]);
});

test("a model as large as the one that it was made of, or larger, is beaten by that one, unless it is better", () => {
  const source = 253_113_024;
  for (const [bytes, rise, expected] of [
    [253_112_864, 0.81, false],
    [376_000_000, 0.02, false],
    [253_112_864, -0.01, true],
    [160_000_000, 0.81, true],
  ] as const) {
    const one = point("a", bytes, rise);
    assert.is(onFrontier(one, [one], source), expected, `${bytes} ${rise}`);
  }
});

test("figures are looked at one by one", () => {
  const all = [
    point("a", 2, 0.2),
    point("b", 1, 0.3),
    point("b", 1, 0.1, "worst language"),
    point("a", 2, 0.1, "worst language"),
  ];
  assert.equal(
    all.map((rise) => onFrontier(rise, all, undefined)),
    [true, true, true, false],
  );
});

test.run();
