import type { ChoiceScore, TaskScore } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { reportTasks, type ScoredTask, type TasksReport } from "@mbs/evaluation";
import type { TaskMetric } from "@mbs/tasks";
import { test } from "uvu";
import * as assert from "uvu/assert";

type Given = Partial<Omit<ChoiceScore, "kind" | "choice" | "right">>;

/** Choices of one document; choice 0 is right. */
function choices(model: string, task: string, document: number, given: readonly Given[]): TaskScore[] {
  const common = { model, address: model, language: task.slice(-2), task, document };
  return given.map((one, choice) => {
    const score = {
      kind: "choice",
      choice,
      nll: 1,
      tokens: 1,
      bytes: 1,
      characters: 1,
      right: choice === 0,
      cut: 0,
      ...one,
    } as const;
    return { ...common, score };
  });
}

const described = (tasks: readonly string[], metrics: readonly TaskMetric[]): ReadonlyMap<string, ScoredTask> =>
  new Map(tasks.map((task) => [task, { version: "1", metrics, fewShot: 0, documents: "d" }]));

const report = (scores: readonly TaskScore[], metrics: readonly TaskMetric[] = ["acc"]): TasksReport => {
  const tasks = [...new Set(scores.map(({ task }) => task))];
  const groups = new Map([["all", { tasks, weightBySize: true }]]);
  return reportTasks(scores, { tasks: described(tasks, metrics), groups });
};

const valueOf = ({ results }: TasksReport, metric: TaskMetric): number | undefined =>
  results.find((result) => result.metric === metric)?.value;

test("without tasks there is nothing, also where a reference is named", () => {
  const none = { tasks: new Map<string, ScoredTask>(), groups: new Map() };
  assert.equal(reportTasks([], none, "dense"), { results: [], pairs: [], means: [], notes: [] });
});

/** A model that is wrong in the first of 100 documents. */
const answersOf = (model: string, wrong: number): TaskScore[] =>
  Array.from({ length: 100 }, (_, document) =>
    choices(model, "t_hi", document, document < wrong ? [{ nll: 2 }, { nll: 1 }] : [{ nll: 1 }, { nll: 2 }]),
  ).flat();

const clear = (lost: number): boolean | undefined =>
  report([...answersOf("a", 0), ...answersOf("b", lost)]).pairs[0]?.excludesZero;

test("a difference of few flips is clear only where a coin would not make them", () => {
  // 5 of 5: 2/2^5 = 0.0625, though 99.4% of the bootstrap draws have one of them; 6 of 6: 0.031
  assert.equal([clear(5), clear(6)], [false, true]);
});

test("each metric divides by its own length, and the first of equal choices is the answer", () => {
  // by nll 0 wins; a token: 3/3 against 4/8; a character: 3/2 against 4/1; a byte: 3/12 against 4/8; less what is expected without context: 3-1 against 4-6
  const scores = choices("m", "t_hi", 0, [
    { nll: 3, tokens: 3, characters: 2, bytes: 12, unconditional: 1 },
    { nll: 4, tokens: 8, characters: 1, bytes: 8, unconditional: 6 },
  ]);
  const all = report(scores, ["acc", "acc_tokens", "acc_norm", "acc_bytes", "acc_mutual_info"]);
  assert.equal(
    all.results.map(({ metric, value }) => [metric, value]),
    [
      ["acc", 1],
      ["acc_tokens", 0],
      ["acc_norm", 1],
      ["acc_bytes", 1],
      ["acc_mutual_info", 0],
    ],
  );
  assert.is(valueOf(report(choices("m", "t_hi", 0, [{ nll: 2 }, { nll: 2 }])), "acc"), 1);
});

/** Ten documents; the small model answers the last `lost` of those wrong that dense has right (the first six), and one more right. */
const twoModels = (task: string, lost: number): TaskScore[] =>
  ["dense", "small"].flatMap((model) =>
    Array.from({ length: 10 }, (_, document) => {
      const right = document < 6 ? model === "dense" || document < 6 - lost : model === "small" && document === 9;
      return choices(model, task, document, [{ nll: right ? 1 : 3 }, { nll: 2 }, { nll: 4 }]);
    }).flat(),
  );

test("flips count answers that became wrong and right, and changed ones all", () => {
  const { results, pairs } = report(twoModels("t_hi", 2));
  assert.equal(
    results.map(({ model, value, chance, documents, language }) => [model, value, chance?.toFixed(6), documents, language]),
    [
      ["dense", 0.6, "0.333333", 10, "hi"],
      ["small", 0.5, "0.333333", 10, "hi"],
    ],
  );
  const [pair] = pairs;
  assert.is(pairs.length, 1);
  assert.equal([pair?.lost, pair?.gained, pair?.flips, pair?.changed], [0.2, 0.1, 0.3, 0.3]);
  assert.ok(Math.abs((pair?.difference ?? NaN) + 0.1) < 1e-12);
  assert.is(pair?.excludesZero, false);
  const same = report(twoModels("t_hi", 2).map((score) => (score.model === "small" ? { ...score, model: "other" } : score)));
  assert.equal(same.pairs[0]?.interval, pair?.interval, "draws depend on the task, not on the model");
});

test("six losses and a gain are not clear, though the bootstrap interval excludes zero", () => {
  const { pairs } = report(twoModels("t_hi", 6));
  // a coin gives as much in 2 * (1 + 7) of 2^7 cases
  assert.is(pairs[0]?.excludesZero, false);
  assert.ok((pairs[0]?.interval[1] ?? 1) < 0);
});

test("means are of groups by size, and of languages", () => {
  const larger = [...twoModels("a_hi", 2), ...twoModels("b_sw", 6).filter(({ document }) => document >= 5)];
  const { means } = report(larger);
  const dense = means.filter(({ model }) => model === "dense");
  assert.equal(
    dense.map(({ of, name, tasks, value }) => [of, name, tasks, Math.round(value * 1e9) / 1e9]),
    [
      ["group", "all", ["a_hi", "b_sw"], 0.466666667],
      ["language", "hi", ["a_hi"], 0.6],
      ["language", "sw", ["b_sw"], 0.2],
    ],
  );
  const small = means.find(({ model, name }) => model === "small" && name === "all");
  assert.ok(Math.abs((small?.difference ?? NaN) - (0.5 * 10 + 0.2 * 5 - 7) / 15) < 1e-12);
  assert.ok((small?.flips ?? 0) > 0.2);
});

test("what shows nothing is said", () => {
  const few = twoModels("t_hi", 2).filter(({ document }) => document < 3);
  assert.match(report(few).notes.join(), /fewer than five documents of t_hi/);
  assert.ok(Number.isNaN(report(few).results[0]?.interval[0]));
  const atChance = twoModels("t_hi", 2).filter(({ document }) => document > 2);
  assert.match(report(atChance).notes.join(), /dense is not above chance in t_hi/);
  const cut = few.map((score): TaskScore =>
    score.document < 2 && score.model === "small" ? { ...score, score: { ...score.score, cut: 9 } } : score,
  );
  assert.match(report(cut).notes.join(), /cut at their beginning, documents: 2 of t_hi by small/);
  assert.equal(report([]), { results: [], pairs: [], means: [], notes: [] });
});

test("answers in text are judged as they were", () => {
  const answers = ["dense", "small"].flatMap((model) =>
    Array.from({ length: 6 }, (_, document): TaskScore => {
      const right = model === "dense" || document < 3;
      const score = { kind: "answer", answer: right ? "A" : "", right, cut: 0 } as const;
      return { model, address: model, language: "", task: "write", document, score };
    }),
  );
  const { results, pairs, means } = report(answers, ["exact_match"]);
  assert.equal(
    results.map(({ value, chance }) => [value, chance]),
    [
      [1, null],
      [0.5, null],
    ],
  );
  assert.is(pairs[0]?.lost, 0.5);
  assert.is(means.length, 2, "a task without a language is in its groups alone");
});

test("incomplete documents are refused", () => {
  const [first, second] = choices("m", "t_hi", 0, [{}, {}]);
  const cases: [readonly (TaskScore | undefined)[], readonly TaskMetric[], RegExp][] = [
    [[first], ["acc"], /document 0 of t_hi by m has a single choice/],
    [[second], ["acc"], /lacks a choice/],
    [[first, first], ["acc"], /has one twice/],
    [[first, second], ["acc_mutual_info"], /choice 0 of document 0 of t_hi lacks what acc_mutual_info needs/],
    [[first, second], ["exact_match"], /needs an answer in text/],
  ];
  for (const [scores, metrics, message] of cases) {
    const given = scores.filter((score) => score !== undefined);
    assert.throws(
      () => report(given, metrics),
      (error: Error) => error instanceof BadDataError && message.test(error.message),
    );
  }
  const other = twoModels("t_hi", 1).filter(({ model, document }) => model === "dense" || document > 0);
  assert.throws(() => report(other), /small and dense answered other documents of t_hi/);
  const renamed = choices("m", "t_hi", 0, [{}, {}]).map((score, index) => ({ ...score, language: index === 0 ? "hi" : "fr" }));
  assert.throws(() => report(renamed), /t_hi by m has two languages/);
  const groups = new Map([["all", { tasks: ["t_hi", "t_fr"], weightBySize: true }]]);
  assert.throws(
    () => reportTasks(choices("m", "t_hi", 0, [{}, {}]), { tasks: described(["t_hi"], ["acc"]), groups }),
    /the group all has the task t_fr, which was not answered/,
  );
});

test.run();
