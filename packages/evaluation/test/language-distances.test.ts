import type { Score } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { scoresReport, summariseDistances } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";

const windowOf = (model: string, window: number, kl?: readonly number[], agreed = 0): Score => ({
  model,
  address: model,
  language: "en",
  source: "",
  window,
  nll: 4,
  tokens: kl?.length ?? 4,
  bytes: 16,
  ...(kl && { distance: { kl: Float32Array.from(kl), agreed } }),
});

test("mean, quantiles by nearest rank and agreement over tokens, by hand", () => {
  const scores = [windowOf("dense", 0), windowOf("small", 0, [0.5, 0, 4, 1], 3), windowOf("small", 1, [2, 8], 0)];
  const distances = summariseDistances(scores);
  assert.is(distances.length, 1);
  const { reference, tokens, kl, klMedian, klP99, agreement, klInterval } = at(distances, 0);
  // in order 0, ½, 1, 2, 4, 8
  assert.equal([reference, tokens, kl, klMedian, klP99, agreement], ["dense", 6, 15.5 / 6, 1, 8, 0.5]);
  assert.equal(klInterval, [NaN, NaN]);
});

test("intervals hold their figure, and are points where all windows are alike", () => {
  const alike = Array.from({ length: 6 }, (_, window) => windowOf("small", window, [0, 1, 2, 3], 2));
  const point = at(summariseDistances([windowOf("dense", 0), ...alike]), 0);
  assert.equal(
    [point.klInterval, point.klMedianInterval, point.klP99Interval, point.agreementInterval],
    [
      [1.5, 1.5],
      [1, 1],
      [3, 3],
      [0.5, 0.5],
    ],
  );
  const spread = Array.from({ length: 30 }, (_, window) =>
    windowOf(
      "small",
      window,
      Array.from({ length: 20 }, (_value, token) => ((window * 7 + token * 3) % 17) / 17),
      window % 20,
    ),
  );
  const found = at(summariseDistances(spread), 0);
  for (const [value, [low, high]] of [
    [found.kl, found.klInterval],
    [found.klMedian, found.klMedianInterval],
    [found.klP99, found.klP99Interval],
    [found.agreement, found.agreementInterval],
  ] as const) {
    assert.ok(low <= value && value <= high, `${low} ${value} ${high}`);
  }
  assert.ok(found.klInterval[0] < found.klInterval[1] && found.agreementInterval[0] < found.agreementInterval[1]);
});

test("a language with a window that was not compared has no distance", () => {
  assert.equal(summariseDistances([windowOf("dense", 0), windowOf("small", 0, [1]), windowOf("small", 1)]), []);
});

test("nearly lossless models are named", () => {
  const { notes } = scoresReport([windowOf("dense", 0), windowOf("near", 0, [1e-4, 0], 2), windowOf("far", 0, [1, 0], 1)]);
  assert.ok(
    notes.some((note) => note.startsWith("near: KL below 0.001 nats a token in every language")),
    notes.join("\n"),
  );
});

test.run();
