import { at } from "@mbs/contracts";
import { scoresReport, type ScoresReport } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";
import { answeringModels, tasksFallUnseen } from "../../../src/diagnosis/rules/tasks-fall-unseen.ts";

type Outcome = readonly [language: string, rise: number, difference: number];

const around = (value: number) => [value - 0.05, value + 0.05] as const;

/** Intervals are 0.05 wide to each side of both. */
function reportOf(outcomes: readonly Outcome[]): ScoresReport {
  const common = { model: "small", reference: "dense", metric: "acc" } as const;
  const flips = { flips: 0.2, flipsInterval: around(0.2), lost: 0.15, gained: 0.05, changed: 0.2 };
  return {
    ...scoresReport([]),
    pairs: outcomes.map(([language, rise]) => ({ ...common, language, rise, interval: around(rise), excludesZero: true })),
    tasks: {
      results: [],
      pairs: outcomes.map(([language, , difference]) => {
        const measured = { difference, interval: around(difference), excludesZero: true };
        return { ...common, ...flips, ...measured, task: `t_${language}`, language };
      }),
      means: outcomes.map(([name, , difference]) => {
        const measured = { value: 0.5, interval: around(0.5), difference, differenceInterval: around(difference) };
        return {
          ...measured,
          model: "small",
          name,
          of: "language",
          tasks: [`t_${name}`],
          chance: 0.25,
          aboveChance: true,
        } as const;
      }),
      notes: [],
    },
  };
}

test("a language that loses answers while its perplexity rises little is found", () => {
  const report = reportOf([
    ["en", 0.1, -0.2],
    ["hi", 0.3, -0.01],
    ["sw", 0.5, -0.3],
  ]);
  const models = answeringModels(report);
  assert.equal(
    models.map(({ model }) => model),
    ["small"],
  );
  const finding = applyRule(tasksFallUnseen, at(models, 0));
  assert.equal(finding?.languages, ["en"], "sw loses as much as its perplexity says");
  assert.match(finding?.texts.join(" ") ?? "", /en -20\.0% of answers \(-25\.0 … -15\.0%\), perplexity \+10\.0%/);
  assert.match(finding?.texts.join(" ") ?? "", /over 3 languages/);
});

test("nothing is claimed where no interval lies below zero, or perplexity says the same", () => {
  const within = reportOf([
    ["en", 0.1, -0.04],
    ["sw", 0.5, 0.2],
  ]);
  assert.is(applyRule(tasksFallUnseen, at(answeringModels(within), 0)), undefined);
  const same = reportOf([
    ["en", 0.1, 0],
    ["hi", 0.2, -0.01],
    ["sw", 0.5, -0.3],
  ]);
  assert.is(applyRule(tasksFallUnseen, at(answeringModels(same), 0)), undefined);
  assert.equal(answeringModels(scoresReport([])), []);
});

test.run();
