import { test } from "uvu";
import * as assert from "uvu/assert";
import { bestMix, evenMixWithin, lossAt, meanLoss, predictLosses } from "../src/loss-law.ts";
import type { MeasuredLosses } from "../src/loss-law.ts";

const exponent = 0.15;
const losses: MeasuredLosses = new Map(
  Object.entries({ en: [0.5, 0.3], hi: [0.3, 0.36], km: [0.2, 0.4] }).map(([language, [share = 0, loss = 0]]) => [
    language,
    { share, loss, interval: [loss - 0.05, loss + 0.05] as const },
  ]),
);
const importance = new Map([
  ["en", 0.8],
  ["hi", 0.15],
  ["km", 0.05],
]);
const sumOf = (mix: ReadonlyMap<string, number>): number => [...mix.values()].reduce((sum, share) => sum + share, 0);
const worstOf = (mix: ReadonlyMap<string, number>): number => Math.max(...predictLosses(losses, mix, exponent).values());

/** Mixes of three languages on a grid. */
function* grid(): Generator<ReadonlyMap<string, number>> {
  const steps = 100;
  for (let en = 1; en < steps - 1; en++)
    for (let hi = 1; hi < steps - en; hi++)
      yield new Map([
        ["en", en / steps],
        ["hi", hi / steps],
        ["km", (steps - en - hi) / steps],
      ]);
}

test("a loss falls by the power of the share: 64 times the text leaves 64^-0.15 of it", () => {
  const measured = { share: 0.01, loss: 0.4, interval: [0.3, 0.5] } as const;
  assert.ok(Math.abs(lossAt(0.4, measured, 0.64, exponent) - 0.4 * 64 ** -0.15) < 1e-15);
  assert.is(lossAt(0.4, measured, 0.01, exponent), 0.4);
  assert.is(lossAt(0.4, measured, 0, exponent), Infinity);
});

test("no mix on a fine grid has a smaller mean, or a smaller worst loss", () => {
  const mean = bestMix(losses, { importance, evenness: 1 }, exponent);
  const worst = bestMix(losses, { importance, evenness: 0 }, exponent);
  const between = bestMix(losses, { importance, evenness: 0.2 }, exponent);
  const meanOf = (mix: ReadonlyMap<string, number>, power = 1): number =>
    meanLoss(new Map([...predictLosses(losses, mix, exponent)].map(([language, loss]) => [language, loss ** power])), importance);
  for (const mix of [mean, worst, between]) assert.ok(Math.abs(sumOf(mix) - 1) < 1e-9);
  for (const other of grid()) {
    assert.ok(meanOf(mean) <= meanOf(other) + 1e-12);
    assert.ok(worstOf(worst) <= worstOf(other) + 1e-12);
    assert.ok(meanOf(between, 5) <= meanOf(other, 5) + 1e-12);
  }
  const even = [...predictLosses(losses, worst, exponent).values()];
  assert.ok(Math.max(...even) - Math.min(...even) < 1e-9, even.join());
});

test("no share goes beyond a sixth or six times of the measured one, and one that lost nothing gets the sixth", () => {
  const uneven: MeasuredLosses = new Map([
    ["en", { share: 0.5, loss: -0.01, interval: [-0.02, 0.01] }],
    ["hi", { share: 0.45, loss: 0.2, interval: [0.1, 0.3] }],
    ["km", { share: 0.05, loss: 2, interval: [1, 3] }],
  ]);
  const mix = bestMix(uneven, { importance: new Map(), evenness: 0 }, exponent);
  assert.ok(Math.abs((mix.get("en") ?? 0) - 0.5 / 6) < 1e-9);
  assert.ok(Math.abs((mix.get("km") ?? 0) - 0.3) < 1e-9);
  assert.ok(Math.abs(sumOf(mix) - 1) < 1e-9);
});

test("within a limit of the mean the worst loss is as small as it can be", () => {
  const least = meanLoss(predictLosses(losses, bestMix(losses, { importance, evenness: 1 }, exponent), exponent), importance);
  const even = bestMix(losses, { importance, evenness: 0 }, exponent);
  const most = meanLoss(predictLosses(losses, even, exponent), importance);
  assert.equal(evenMixWithin(losses, importance, most, exponent), even);
  assert.is(evenMixWithin(losses, importance, least - 1e-6, exponent), undefined);
  const limit = (least + most) / 2;
  const mix = evenMixWithin(losses, importance, limit, exponent) ?? new Map<string, number>();
  assert.ok(Math.abs(meanLoss(predictLosses(losses, mix, exponent), importance) - limit) < 1e-9);
  // a power mean is not the largest loss itself: near the best of the grid
  const best = Math.min(
    ...[...grid()].filter((other) => meanLoss(predictLosses(losses, other, exponent), importance) <= limit).map(worstOf),
  );
  assert.ok(worstOf(mix) < 1.03 * best, `${worstOf(mix)} against ${best}`);
  assert.ok(worstOf(mix) < worstOf(bestMix(losses, { importance, evenness: 1 }, exponent)));
});

test.run();
