import { scoresReport } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { byTrainingShare, reportByTrainingShare } from "../src/language-order.ts";
import { makeScores } from "./made-records.ts";

const order = (shares: Record<string, number> | undefined) => byTrainingShare(["b", "a", "d", "c"], (name) => name, shares);

test("languages follow their training share; those without one come last, as they were", () => {
  assert.equal(order({ a: 1, c: 5 }), ["c", "a", "b", "d"]);
  assert.equal(order({ a: 0, d: 1 }), ["d", "a", "b", "c"]);
  assert.equal(order(undefined), ["b", "a", "d", "c"]);
});

test("models stay in their order", () => {
  const report = scoresReport(makeScores(["dense", "small"]));
  const { results, pairs } = reportByTrainingShare(report, { te: 3, en: 2, mr: 1 });
  assert.equal(
    results.map(({ model, language }) => `${model} ${language}`),
    ["dense te", "dense en", "dense mr", "small te", "small en", "small mr"],
  );
  assert.equal(
    pairs.map(({ language }) => language),
    ["te", "en", "mr"],
  );
});

test.run();
