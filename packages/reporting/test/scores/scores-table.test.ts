import { at } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { averagesOf, scoresTable } from "../../src/scores/scores-table.ts";
import { makeScores } from "../made-records.ts";

test("fits 80 columns with any number of models and shows all three averages", () => {
  for (const models of [["dense"], ["dense", "gptq"], ["dense", "a-rather-long-name", "b", "c"]]) {
    const text = scoresTable(scoresReport(makeScores(models), { shares: { en: 0.8, mr: 0.15, te: 0.05 } }));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
    for (const word of ["en", "mr", "te", "unweighted mean", "training mixture", "worst language", ...models]) {
      assert.ok(text.includes(word), `${word} in ${text}`);
    }
    assert.not.ok(text.includes(String.fromCodePoint(27)), "no colour where there is no terminal");
  }
});

test("shows rises of the other models only", () => {
  const text = scoresTable(scoresReport(makeScores(["dense", "gptq"])));
  const [dense = "", gptq = ""] = text.split("gptq, rise above dense");
  assert.not.match(dense, /%/);
  assert.match(
    gptq.replaceAll(/\s+/g, " "),
    "worst language: of dense the one of the highest perplexity, of the others the one that rose most",
  );
  assert.match(gptq, /mr .*\+35\.\d% *\* *\+35\.\d … \+35\.\d%/);
});

test("says where there are too few windows for an interval", () => {
  const text = scoresTable(scoresReport(makeScores(["dense", "a-rather-long-name"]).filter(({ window }) => window < 4)));
  assert.match(text, /mr .*\+\d+\.\d% +too few windows/);
  for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
});

test("distances have a table for each model that was compared, within 80 columns, and a note where they are near zero", () => {
  for (const [size, note] of [
    [0.05, false],
    [0.0001, true],
  ] as const) {
    const distance = { kl: Float32Array.from({ length: 10 }, (_, token) => size * (token / 4.5)), agreed: 9 };
    const scores = makeScores(["dense", "gptq"]).map((score) => (score.model === "gptq" ? { ...score, distance } : score));
    const text = scoresTable(scoresReport(scores));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
    assert.match(text, "gptq, distance from dense");
    assert.match(text, size === 0.05 ? /mr +0\.0500 +0\.0500 … 0\.0500 +0\.0444 +0\.100 +90\.0%/ : /mr +0\.000100 /);
    assert.is(text.replaceAll(/\s+/g, " ").includes("gptq: KL below 0.001 nats a token in every language"), note);
  }
  assert.not.match(scoresTable(scoresReport(makeScores(["dense", "gptq"]))), "distance from");
});

test("leaves out the mixture's average where no shares are known", () => {
  const table = averagesOf(scoresReport(makeScores(["dense", "gptq"])));
  assert.equal(
    table.columns.map(({ title }) => title),
    ["model", "unweighted mean", "worst language"],
  );
  assert.match(at(table.rows, 1).join(" "), /te \(\+56\.\d%\)/);
});

test.run();
