import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Score } from "../src/kinds/records.ts";
import { groupScores } from "../src/language-losses.ts";

const score = (change: Partial<Score>): Score => ({
  model: "dense",
  address: "a",
  language: "en",
  source: "",
  window: 0,
  nll: 30,
  tokens: 10,
  bytes: 40,
  ...change,
});

const refused = (scores: readonly Score[], message: RegExp): void =>
  assert.throws(
    () => groupScores(scores),
    (error: unknown) => error instanceof BadDataError && message.test(error.message),
  );

test("windows are put in order, each model and language by itself", () => {
  const scores = [score({ window: 1 }), score({}), score({ language: "mr" }), score({ model: "small" })];
  const [dense, small] = groupScores(scores);
  assert.ok(dense && small);
  assert.equal(
    [...dense.languages].map(([language, windows]) => [language, windows.map(({ window }) => window)]),
    [
      ["en", [0, 1]],
      ["mr", [0]],
    ],
  );
  assert.is(small.model, "small");
});

test("a window that stands twice would shrink the intervals", () => {
  refused([score({}), score({ window: 1 }), score({})], /^scores: dense has window 0 of en twice; evaluate again$/);
  assert.is(groupScores([score({ source: "a" }), score({ source: "b" })]).length, 1);
});

test("a loss whose exponential is not finite, and a language without bytes, are refused", () => {
  refused([score({ nll: 1e6 })], /loses 1\.00e\+5 nats a token in window 0 of en/);
  refused([score({ bytes: 0 })], /has no bytes of en/);
  assert.is(groupScores([score({ bytes: 0 }), score({ window: 1 })]).length, 1);
});

test.run();
