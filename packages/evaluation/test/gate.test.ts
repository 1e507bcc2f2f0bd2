import type { Score } from "@mbs/artifacts";
import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import { checkGate, scoresReport, type GateLimits } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Ten tokens a window. The small model loses 8% more perplexity in sw, by window between none and twice that, and 1% in en. */
function makeScores(windows: number, kl?: number): Score[] {
  return ["dense", "small"].flatMap((model) =>
    ["en", "sw"].flatMap((language) =>
      Array.from({ length: windows }, (_, window): Score => {
        const rise = model === "dense" ? 0 : language === "en" ? Math.log(1.01) : Math.log(1.08) * (window % 2 === 0 ? 2 : 0);
        const distance = { kl: new Float32Array(10).fill(kl ?? 0), agreed: 10 };
        const score = { model, address: model, language, source: "", window, nll: 20 + 10 * rise, tokens: 10, bytes: 40 };
        return model === "small" && kl !== undefined ? { ...score, distance } : score;
      }),
    ),
  );
}

const exceeding = (scores: readonly Score[], limits: GateLimits): string[] =>
  checkGate(scoresReport(scores), limits)
    .filter(({ exceeds }) => exceeds)
    .map(({ model, language, figure }) => `${model} ${language} ${figure}`);

test("a value above its limit exceeds it by point; by interval only where all of the interval is above", () => {
  const scores = makeScores(10, 0.25);
  assert.equal(exceeding(scores, { maxWorstRise: 0.05, by: "point" }), ["small sw rise"]);
  assert.equal(exceeding(scores, { maxWorstRise: 0.05, by: "interval" }), []);
  assert.equal(exceeding(scores, { maxWorstRise: 0.005, by: "interval" }), ["small en rise", "small sw rise"]);
  assert.equal(exceeding(scores, { maxWorstRise: 0.2, maxKl: 0.2, by: "interval" }), ["small en kl", "small sw kl"]);
  assert.equal(exceeding(scores, { maxKl: 0.25, by: "point" }), [], "the limit itself is within");
});

test("what cannot be checked is no success", () => {
  const report = scoresReport(makeScores(3));
  assert.throws(
    () => checkGate(report, { by: "point" }),
    (error: Error) => error instanceof UsageError,
  );
  const alone = scoresReport(makeScores(3).filter(({ model }) => model === "dense"));
  assert.throws(
    () => checkGate(alone, { maxKl: 1, by: "point" }),
    (error: Error) => error instanceof UsageError,
  );
  for (const limits of [
    { maxKl: 1, by: "point" },
    { maxWorstRise: 1, by: "interval" },
  ] as const) {
    assert.throws(
      () => checkGate(report, limits),
      (error: Error) => error instanceof FailedPreconditionError,
    );
  }
  const other = scoresReport(makeScores(6).map((score) => (score.model === "small" ? { ...score, bytes: 41 } : score)));
  assert.throws(() => checkGate(other, { maxWorstRise: 1, by: "point" }), /small has no rise on the same windows in en/);
});

test.run();
