import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";
import type { Ended } from "../fixtures/in-process.ts";
import { writeTexts } from "../fixtures/texts.ts";

const test = suite<{ root: string }>("tasks on the command line");
let root = "";

const yaml = `task: pick_hi
dataset_path: made/pick
dataset_name: hi
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list: [{metric: acc}, {metric: acc_norm}]
`;

const written = `task: say_hi
dataset_path: made/pick
dataset_name: hi
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "one"
generation_kwargs: {until: [], max_gen_toks: 4096}
metric_list: [{metric: exact_match}]
`;

const evaluate = (...options: readonly string[]): Promise<Ended> =>
  runMbs(["evaluate", "--threads", "1", "--task-path", join(root, "tasks"), "--task-rows", join(root, "rows"), ...options]);

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), "mbs-task-command-"));
  await writeTinyModel(join(root, "dense"), { contextLength: 64 });
  await writeTinyModel(join(root, "other"), { contextLength: 64, seed: 1 });
  await writeTexts(join(root, "texts"));
  const rows = join(root, "rows", "made", "pick", "hi");
  await mkdir(rows, { recursive: true });
  await mkdir(join(root, "tasks"));
  await writeFile(join(root, "tasks", "pick_hi.yaml"), yaml);
  await writeFile(join(root, "tasks", "say_hi.yaml"), written);
  await writeFile(join(root, "tasks", "odd.yaml"), yaml.replace("pick_hi", "odd").replace("multiple_choice", "loglikelihood"));
  await writeFile(join(root, "tasks", "all.yaml"), "group: all_hi\ntask: [pick_hi, say_hi]\n");
  const documents = Array.from({ length: 20 }, (_, index) => ({
    question: `Question ${index}:`,
    choices: [`one ${index}`, "a second, longer one"],
    label: index % 2,
  }));
  await writeFile(join(rows, "test.jsonl"), documents.map((row) => JSON.stringify(row)).join("\n"));
});
test.after(() => rm(root, { recursive: true, force: true }));

test("a table of 80 columns, JSON, an inspection and a gate of two models", async () => {
  const [dense, other, scores] = ["dense", "other", "scores.arrow"].map((name) => join(root, name)) as [string, string, string];
  const two = ["--model", dense, "--model", other, "--tasks", "pick_hi"];
  const shown = await evaluate(...two, "--output", scores);
  assert.is(shown.code, 0, shown.stderr);
  const table = shown.stdout.toString();
  assert.match(table, /dense, right answers\ntask +metric +n +right +95% interval +chance\npick_hi +acc +20 /);
  assert.match(table, /other, right answers against dense .*\ntask +right +difference +95% interval +flips\npick_hi /);
  assert.match(table.replace(/\s+/g, " "), "of each task its first metric");
  // a language's mean of one task would repeat the task
  assert.not.match(table, "mean of");
  for (const line of table.split("\n")) assert.ok(line.length <= 80, line);
  const json = await evaluate(...two, "--json");
  const { tasks } = JSON.parse(json.stdout.toString()) as { tasks: Record<string, readonly object[]> };
  assert.equal([tasks["results"]?.length, tasks["pairs"]?.length, tasks["means"]?.length], [4, 2, 2]);
  const inspected = await runMbs(["inspect", scores]);
  assert.match(inspected.stdout.toString(), /model +language +task +documents +rows\ndense +hi +pick_hi +20 +40\nother /);
  const gate = await runMbs(["gate", scores, "--min-task", "pick_hi=100%", "--max-task-loss", "100%"]);
  assert.is(gate.code, 1);
  assert.match(gate.stdout.toString(), /^other, pick_hi \(hi\): \d+\.\d% right .*, least 100\.0%\n$/);
  assert.match(gate.stderr, "1 of 2 figures exceed their limits");
  // the interval of all right answers ends at 100%
  const unclear = await runMbs(["gate", scores, "--min-task", "pick_hi=70%", "--by", "interval"]);
  assert.is(unclear.code, 0, unclear.stderr);
  assert.match(
    unclear.stdout.toString(),
    /^(no interval of 1 figures is beyond its limit, but 1 measured values are:\nother|all 1)/,
  );
});

test("written answers end at --answer-tokens, and what is not possible is refused in one line", async () => {
  const dense = ["--model", join(root, "dense")];
  const answered = await evaluate(...dense, "--tasks", "say_hi", "--task-limit", "6", "--answer-tokens", "2", "--json");
  assert.is(answered.code, 0, answered.stderr);
  const { tasks } = JSON.parse(answered.stdout.toString()) as { tasks: { results: { metric: string; documents: number }[] } };
  assert.equal(
    tasks.results.map(({ metric, documents }) => [metric, documents]),
    [["exact_match", 6]],
  );
  for (const [options, code, message] of [
    [["--tasks", "say_hi"], 2, /an answer of 4096 tokens leaves no space .*--answer-tokens$/],
    [["--tasks", "pick_de"], 2, /no task, group or tag "?pick_de"?; /],
    [["--tasks", "odd"], 65, /the task odd has the output type "loglikelihood"/],
    [["--tasks", "pick_hi", "--task-rows", join(root, "nowhere")], 65, /no rows of made\/pick, hi, test: looked for /],
    [["--answer-tokens", "3"], 2, /--task-path goes with --tasks|--answer-tokens goes with --tasks/],
  ] as const) {
    const { code: ended, stderr } = await evaluate(...dense, ...options);
    assert.is(ended, code, stderr);
    assert.match(stderr.trim().split("\n").at(-1) ?? "", message);
  }
});

test("tasks lists names, and of those that are asked for what can be answered", async () => {
  const folder = join(root, "tasks");
  const names = await runMbs(["tasks", folder]);
  assert.match(names.stdout.toString(), /name +kind\nall_hi +group\n(.*\n)+\n3 tasks, 1 group, 0 tags\n$/);
  const shown = (await runMbs(["tasks", folder, "*"])).stdout.toString();
  assert.match(shown, /all_hi +group +2\n/);
  assert.match(shown, /pick_hi +hi +acc, acc_norm\nsay_hi +hi +exact_match\n/);
  assert.match(shown, /not answered here: the task odd has the output type/);
  const json = await runMbs(["tasks", folder, "pick_hi", "--json"]);
  const dataset = "made/pick/hi";
  const expected = [{ name: "pick_hi", kind: "task", tasks: 1, dataset, metrics: ["acc", "acc_norm"], language: "hi" }];
  assert.equal(JSON.parse(json.stdout.toString()), { tasks: expected });
  assert.is((await runMbs(["tasks", folder, "nothing"])).code, 2);
});

test("a recipe with tasks and a gate ends with 1 and names the task, or with 0", async () => {
  const run = async (gate: string): Promise<Ended> => {
    const path = join(root, "recipe.yaml");
    const recipe = `model: ${join(root, "dense")}
corpus: ${join(root, "texts")}
sample: { mix: equal, segments: 6, length: 32 }
compress: { solver: rtn, bits: 4, group-size: 16 }
evaluate:
  tasks: [pick_hi]
  task-path: [${join(root, "tasks")}]
  task-rows: ${join(root, "rows")}
gate: ${gate}
output: ${join(root, "out")}
`;
    await writeFile(path, recipe);
    return runMbs(["run", path, "--threads", "1"]);
  };
  const failed = await run("{ min-task: [pick_hi=100%] }");
  assert.is(failed.code, 1, failed.stderr);
  assert.match(`${failed.stdout.toString()}${failed.stderr}`, /pick_hi \(hi\): \d+\.\d% right/);
  assert.match(await readFile(join(root, "out", "model", "README.md"), "utf8"), /\| pick_hi \| acc \| 50\.0% \|/);
  const passed = await run("{ max-task-loss: 100% }");
  assert.is(passed.code, 0, passed.stderr);
  assert.match(passed.stdout.toString(), "right answers against");
});

test.run();
