import type { TasksReport } from "@mbs/evaluation";
import { scoresTable } from "@mbs/reporting";
import { scoresReport } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tasksSections } from "../../src/tasks/tasks-sections.ts";
import { sectionNames } from "../../src/page/section.ts";
import { tasksTable } from "../../src/tasks/tasks-table.ts";

const interval = [0.4, 0.6] as const;
const result = { task: "xcopa_et", language: "et", metric: "acc", value: 0.5, interval, documents: 100, chance: 0.5 } as const;
const report: TasksReport = {
  results: [
    { ...result, model: "dense", value: 0.62, interval: [0.55, 0.7], aboveChance: true },
    { ...result, model: "dense", metric: "acc_norm", aboveChance: false },
    { ...result, model: "gptq", aboveChance: false },
    { ...result, model: "gptq", metric: "acc_norm", aboveChance: false },
  ],
  pairs: [
    {
      model: "gptq",
      reference: "dense",
      task: "xcopa_et",
      language: "et",
      metric: "acc",
      difference: -0.12,
      interval: [-0.2, -0.04],
      excludesZero: true,
      flips: 0.3,
      flipsInterval: [0.2, 0.4],
      lost: 0.21,
      gained: 0.09,
      changed: 0.3,
    },
  ],
  means: [
    { model: "dense", name: "xcopa", of: "group", tasks: ["xcopa_et"], value: 0.62, interval, chance: 0.5, aboveChance: false },
    {
      model: "gptq",
      name: "xcopa",
      of: "group",
      tasks: ["xcopa_et"],
      value: 0.5,
      interval,
      chance: 0.5,
      aboveChance: false,
      difference: -0.12,
      differenceInterval: [-0.2, -0.04],
      flips: 0.3,
      flipsInterval: [0.2, 0.4],
    },
  ],
  notes: ["gptq is something"],
};

test("tasks have a table a model, with the first metric, and the means of all", () => {
  const text = tasksTable(report);
  const lines = text.split("\n");
  assert.match(text, /gptq, right answers against dense/);
  assert.match(text.replace(/\s+/g, " "), /clear: the 95% interval excludes zero, and McNemar's exact test/);
  assert.ok(lines.some((line) => /^xcopa_et +acc +100 +62\.0% +55\.0 … 70\.0% +50\.0%$/.test(line)));
  assert.ok(lines.some((line) => /^xcopa_et +50\.0% +-12\.0 \* +-20\.0 … -4\.0 +30\.0%$/.test(line)));
  assert.ok(lines.some((line) => /^mean of xcopa +62\.0% +40\.0 … 60\.0% +50\.0%~$/.test(line)));
  assert.ok(lines.some((line) => /^mean of xcopa +50\.0% +-12\.0 \* +-20\.0 … -4\.0 +30\.0%$/.test(line)));
  assert.ok(lines.every((line) => line.length <= 80));
  assert.not.match(text, "acc_norm");
  assert.match(text, "gptq is something");
  assert.is(tasksTable({ results: [], pairs: [], means: [], notes: [] }), "");
});

test("scores of tasks alone are their table", () => {
  const alone = { ...scoresReport([]), tasks: report };
  assert.is(scoresTable(alone), tasksTable(report));
});

test("the page has every metric, a plot of the differences, and all numbers", async () => {
  const [section] = await tasksSections(report, "dense", sectionNames("scores", 0, 1));
  assert.is(section?.plots?.length, 1);
  assert.equal(
    section?.tables?.map(({ caption }) => caption),
    ["Means over tasks", "dense", "gptq"],
  );
  assert.is(section?.data?.length, 4);
  assert.equal(await tasksSections(scoresReport([]).tasks, "dense", sectionNames("scores", 0, 1)), []);
});

test.run();
