import type { Score, TaskScore } from "@mbs/artifacts";
import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import { checkGate, parseGate, scoresReport, type GateLimits, type ScoredTask } from "@mbs/evaluation";
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
    (error: Error) => error instanceof FailedPreconditionError,
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

/** Twenty documents in each of two tasks: dense has 15 right, the small model 5 fewer in one of them. */
function taskReport() {
  const scores = ["dense", "small"].flatMap((model) =>
    ["a", "b"].flatMap((task) =>
      Array.from({ length: 20 }, (_, document) => {
        const right = document < (model === "small" && task === "b" ? 10 : 15);
        return [0, 1].map((choice): TaskScore => {
          const common = { model, address: model, language: "", task, document };
          const nll = (choice === 0) === right ? 1 : 2;
          const score = { kind: "choice", choice, nll, tokens: 1, bytes: 1, characters: 1, right: choice === 0, cut: 0 } as const;
          return { ...common, score };
        });
      }).flat(),
    ),
  );
  const task: ScoredTask = { version: "", metrics: ["acc", "acc_norm"], fewShot: 0, documents: "" };
  const tasks = new Map([
    ["a", task],
    ["b", task],
  ]);
  return scoresReport([], { tasks: { scores, tasks, groups: new Map([["both", { tasks: ["a", "b"], weightBySize: false }]]) } });
}

test("tasks and groups are checked against a least share and a most loss", () => {
  const report = taskReport();
  const beyond = (given: Record<string, unknown>): string[] =>
    checkGate(report, parseGate(given, "gate"))
      .filter(({ exceeds }) => exceeds)
      .map(({ model, task, figure }) => `${model} ${task} ${figure}`);
  assert.equal(beyond({ minTask: ["60%"] }), ["small b task"]);
  assert.equal(beyond({ minTask: ["a=0.8", "both=62%"] }), ["small a task"], "0.625 is the mean of both");
  assert.equal(beyond({ minTask: ["b=60%"], by: "interval" }), [], "the interval reaches above 60%");
  assert.equal(beyond({ minTask: ["b=90%"], by: "interval" }), ["small b task"]);
  assert.equal(beyond({ maxTaskLoss: "10%" }), ["small b task-loss"]);
  assert.equal(beyond({ maxTaskLoss: "25%" }), []);
  assert.throws(() => beyond({ minTask: ["c=100%"] }), /no task c; they have a, b, both/);
  assert.throws(() => beyond({ maxKl: 1 }), /no perplexities to compare/);
  assert.throws(() => checkGate(scoresReport(makeScores(6)), parseGate({ maxTaskLoss: "1%" }, "gate")), /have no tasks/);
  for (const wrong of [
    { minTask: ["a=120%"] },
    { minTask: ["=50%"] },
    { minTask: ["a"] },
    { minTask: ["a=40"] },
    { minTask: ["a=50%", "a=0.5"] },
    { maxTaskLoss: "2" },
    { maxTaskLoss: "101%" },
    { maxWorstRise: 5 },
    { most: 1 },
  ]) {
    assert.throws(
      () => parseGate(wrong, "gate"),
      (error: Error) => error instanceof UsageError,
    );
  }
});

test.run();
