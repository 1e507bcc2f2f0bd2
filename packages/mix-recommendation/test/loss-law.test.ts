import { test } from "uvu";
import * as assert from "uvu/assert";
import { bestMix, intervalAt, lossAt } from "../src/loss-law.ts";
import type { MeasuredLosses } from "../src/loss-law.ts";

const measure = (own: Readonly<Record<string, readonly [share: number, loss: number]>>): MeasuredLosses =>
  new Map(
    Object.entries(own).map(([language, [share, loss]]) => [
      language,
      { share, loss, interval: [loss - 0.05, loss + 0.05] as const },
    ]),
  );
const losses = measure({ en: [0.5, 0.3], hi: [0.3, 0.36], km: [0.2, 0.4] });
const alike = new Map(Object.entries({ en: 1, hi: 1, km: 1 }));
const sumOf = (mix: ReadonlyMap<string, number>): number => [...mix.values()].reduce((sum, share) => sum + share, 0);

const lossesOf = (mix: ReadonlyMap<string, number>): number[] =>
  [...losses].map(([language, measured]) => lossAt(measured.loss, measured, mix.get(language) ?? 0));

/** Mixes of three languages on a grid. */
function* grid(): Generator<ReadonlyMap<string, number>> {
  const steps = 100;
  for (let en = 1; en < steps - 1; en++)
    for (let hi = 1; hi < steps - en; hi++)
      yield new Map(Object.entries({ en: en / steps, hi: hi / steps, km: (steps - en - hi) / steps }));
}

test("a loss falls by the power of the share: 64 times the text leaves 64^-0.15 of it", () => {
  const measured = { share: 0.01 };
  assert.ok(Math.abs(lossAt(0.4, measured, 0.64) - 0.4 * 64 ** -0.15) < 1e-15);
  assert.is(lossAt(0.4, measured, 0.01), 0.4);
  assert.is(lossAt(0.4, measured, 0), Infinity);
  // a gain is nothing that text lowers
  assert.is(lossAt(-0.01, measured, 0.001), -0.01);
  assert.is(lossAt(0, measured, 0.001), 0);
});

test("an interval holds the windows and the error of the law, independent of each other", () => {
  const [loss, factor] = [0.4, Math.exp(1.96 * 0.15)];
  const measured = { share: 0.1, loss, interval: [loss, loss] as const };
  const [low, high] = intervalAt(measured, 0.1);
  assert.ok(Math.abs(low - loss / factor) < 1e-12 && Math.abs(high - loss * factor) < 1e-12);
  // legs of 3 and 4 make 5
  const leg = 0.75 * (loss * factor - loss);
  const wider = intervalAt({ ...measured, interval: [loss, loss + leg] }, 0.1);
  assert.ok(Math.abs(wider[1] - loss - 1.25 * (loss * factor - loss)) < 1e-12);
  // of a gain the law says nothing: windows alone
  assert.equal(intervalAt({ share: 0.1, loss: -0.01, interval: [-0.02, 0] }, 0.2), [-0.02, 0]);
});

test("no mix on a fine grid has a smaller mean of losses to the power", () => {
  const importances = [alike, new Map(Object.entries({ en: 0.8, hi: 0.15, km: 0.05 }))];
  for (const importance of importances) {
    for (const power of [1, 2, 4, 16]) {
      const meanOf = (mix: ReadonlyMap<string, number>): number =>
        [...importance.values()].reduce((sum, weight, index) => sum + weight * (lossesOf(mix)[index] ?? NaN) ** power, 0);
      const best = bestMix(losses, { importance, power });
      assert.ok(Math.abs(sumOf(best) - 1) < 1e-9);
      const least = meanOf(best);
      for (const other of grid()) {
        // those that the bounds of six times the measured share allow
        const isNear = [...losses].every(([language, { share }]) => (other.get(language) ?? 0) > share / 6);
        if (isNear) assert.ok(least <= meanOf(other) * (1 + 1e-12), `${power}: ${least} against ${meanOf(other)}`);
      }
    }
  }
});

test("with a large power all lose about the same", () => {
  const even = lossesOf(bestMix(losses, { importance: alike, power: 100 }));
  assert.ok(Math.max(...even) / Math.min(...even) < 1.05, even.join());
});

test("no share goes beyond a sixth or six times of the measured one, and one that lost nothing gets the sixth", () => {
  const uneven = measure({ en: [0.5, -0.01], hi: [0.45, 0.2], km: [0.05, 2] });
  const mix = bestMix(uneven, { importance: alike, power: 20 });
  assert.ok(Math.abs((mix.get("en") ?? 0) - 0.5 / 6) < 1e-9);
  assert.ok(Math.abs((mix.get("km") ?? 0) - 0.3) < 1e-9);
  assert.ok(Math.abs(sumOf(mix) - 1) < 1e-9);
});

test.run();
