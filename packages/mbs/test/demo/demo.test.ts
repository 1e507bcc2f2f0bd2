import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { demoPage } from "../../src/demo/demo-page.ts";
import { demoScreen } from "../../src/demo/demo-screen.ts";
import { taskFindings, taskTable } from "../../src/demo/demo-tasks.ts";
import { findings } from "../../src/demo/findings.ts";
import { fabricate, similarities } from "../fixtures/fabricated-demo.ts";

const completions = [
  { language: "en", prompt: "The window shows all", continuation: " files of the folder and of every folder that lies in it." },
  { language: "es", prompt: "La ventana", continuation: " muestra." },
];

test("results are sorted by share, and the farthest language suffers most with English-only", () => {
  const { languages, methods } = fabricate();
  assert.is(at(languages, 0).language, "en");
  assert.is(methods.length, 3);
  const [alone, equal] = at(methods, 0).mixes;
  assert.ok(alone && equal);
  assert.is(alone.worst.language, "l15");
  assert.ok(Math.abs(alone.worst.rise - Math.expm1(0.16)) < 1e-9);
  assert.ok(Math.abs(equal.unweighted.rise - Math.expm1(0.02)) < 1e-9);
  assert.is(alone.correlation, 1);
  assert.is(at(alone.languages, 3).predicted, 15);
});

test("seeds give a mean and a spread", () => {
  const { rise, spread } = at(at(fabricate([0, 1, 2]).methods, 0).mixes, 1).unweighted;
  const [first, second, third] = [Math.expm1(0.02), Math.expm1(0.022), Math.expm1(0.024)];
  assert.ok(Math.abs(rise - (first + second + third) / 3) < 1e-9);
  assert.ok(Math.abs(spread[0] - first) < 1e-9 && Math.abs(spread[1] - third) < 1e-9);
});

test("sentences follow from the numbers", () => {
  const results = fabricate();
  const lines = findings(results, at(results.methods, 0));
  assert.equal(lines, [
    "SparseGPT 50%: calibrated with English-only text, l15 loses most. Its perplexity rises by +17.4% with English-only, +2.0% with equal, +2.1% with proportional.",
    "en, the largest language of the training, rises by +1.0% with English-only, +2.0% with equal, +2.1% with proportional.",
    "Plain mean: equal clearly best, English-only clearly worst.",
    // Half of the weight lies on English here: the sentence goes where the numbers go.
    "Weighted mean: English-only clearly best, proportional clearly worst.",
  ]);
});

test("right answers: clear changes are named, and nothing is said of a language at chance", () => {
  const { tasks, methods } = fabricate([0, 1]);
  assert.equal(taskFindings(tasks, at(methods, 0).title), [
    "Word order, right answers (chance 50.0%): en 90.0% (l15: not above it); SparseGPT 50%, points: en -8.0* English-only.",
  ]);
  const { rows } = taskTable(tasks);
  assert.equal(
    rows.map((row) => row.slice(4)),
    [
      ["-8.0*", "-1.0", "-1.0"],
      ["–", "–", "–"],
    ],
  );
});

test("one screen: 80 columns, 42 lines, everything in it", () => {
  const screen = demoScreen(fabricate(), completions, [
    "Plots: demo-output/index.html",
    "What went wrong, and what to do: npx mbs diagnose demo-output/scores.arrow",
    "Your own model:",
    "  npx mbs run mine.yaml",
  ]);
  const lines = screen.trimEnd().split("\n");
  assert.ok(lines.length <= 42, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  assert.is(lines.filter((line) => /^(en|l\d\d) +\d/.test(line)).length, 16);
  for (const word of [
    "mean over languages",
    "weighted by share",
    "worst language",
    "Rank correlation",
    "How the compressed model goes on (in brackets), SparseGPT 50%, proportional mix:",
    "6 held-out windows",
    "sequential propagation",
  ]) {
    assert.ok(screen.replaceAll(/\s+/g, " ").includes(word), word);
  }
});

test("the page shows all methods, plots and the spread of seeds", async () => {
  const page = await demoPage(fabricate([0, 1, 2]), completions, similarities);
  for (const title of ["SparseGPT 50%", "Wanda 50%", "GPTQ 3-bit", "Similarity of languages", "3 seeds"])
    assert.ok(page.includes(title), title);
  assert.is(page.match(/<svg role="img"/g)?.length, 13, "three times bars and a scatter plot a mix, and the heat map");
  assert.match(page, /\+2\.2%\s\* \(\+2\.0\s…\s\+2\.4%\)/);
  assert.not.match(page, /NaN|undefined/);
});

test.run();
