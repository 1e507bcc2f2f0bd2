import { collectScores, contentAddress, encodeScores, parseMetadata, type TaskScore } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, UsageError, type ArtifactStream } from "@mbs/contracts";
import { failure, testContext } from "@mbs/contracts/testing";
import { evaluate, joinScores, readScoresReport } from "@mbs/evaluation";
import { writeTinyModel } from "@mbs/models/testing";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("evaluate --tasks");
let folder = "";
let model = "";
let other = "";
const warnings: string[] = [];

async function scoresOf(options: Record<string, unknown>): Promise<ArtifactStream> {
  const context = testContext({ warn: (message: string) => warnings.push(message) });
  const paths = { taskPath: [join(folder, "tasks")], taskRows: join(folder, "rows") };
  const { scores } = await evaluate.run({}, { model: [model], ...paths, ...options }, context);
  assert.ok(scores);
  return scores;
}

const yaml = `task: pick_hi
dataset_path: made/pick
dataset_name: hi
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list:
  - metric: acc
  - metric: acc_norm
  - metric: acc_mutual_info
metadata:
  version: 2.0
`;

/** More than two groups of 128. */
const rows = Array.from({ length: 300 }, (_, index) => ({
  question: `Question ${index % 7}:`,
  choices: [`one ${index}`, "a second, longer one", "two"],
  label: index % 3,
}));

const writeRows = (name: string, given: readonly object[]): Promise<void> =>
  writeFile(name, given.map((row) => JSON.stringify(row)).join("\n"));

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-tasks-"));
  [model, other] = [join(folder, "model"), join(folder, "other")];
  await writeTinyModel(model, { contextLength: 64 });
  await writeTinyModel(other, { contextLength: 64, seed: 1 });
  await mkdir(join(folder, "tasks"));
  await mkdir(join(folder, "rows", "made", "pick", "hi"), { recursive: true });
  await writeFile(join(folder, "tasks", "pick_hi.yaml"), yaml);
  await writeFile(join(folder, "tasks", "all.yaml"), "group: pick\ntask: [pick_hi]\naggregate_metric_list: [{metric: acc}]\n");
  await writeRows(join(folder, "rows", "made", "pick", "hi", "test.jsonl"), rows);
});

test.after(() => rm(folder, { recursive: true, force: true }));

test.before.each(() => {
  warnings.length = 0;
});

test("every document has its choices, with what each metric needs, and the report has accuracy and flips", async () => {
  const stream = await scoresOf({ model: [model, other], labels: ["dense", "small"], tasks: ["pick"] });
  const { corpus, tasks, groups } = parseMetadata("scores", stream.schema);
  assert.equal([corpus, Object.keys(tasks ?? {}), Object.keys(groups ?? {})], ["", ["pick_hi"], ["pick"]]);
  const all = await collectScores(stream);
  assert.equal(all.windows, []);
  assert.is(all.tasks.length, 2 * 300 * 3);
  assert.equal(
    [...new Set(all.tasks.map(({ task, language }) => `${task} ${language}`))],
    ["pick_hi hi"],
    "the language is the dataset's configuration",
  );
  const first = at(all.tasks, 1).score;
  assert.equal(first.kind === "choice" && [first.choice, first.right, first.characters, first.bytes, first.cut], [
    1,
    false,
    20,
    20,
    0,
  ]);
  assert.ok(first.kind === "choice" && first.nll > 0 && (first.unconditional ?? 0) > 0);
  const report = await readScoresReport(encodeScores(all.tasks, parseMetadata("scores", stream.schema)));
  assert.equal(
    report.tasks.results.map(({ model: name, metric, documents }) => [name, metric, documents]),
    ["dense", "small"].flatMap((name) => ["acc", "acc_norm", "acc_mutual_info"].map((metric) => [name, metric, 300])),
  );
  const pair = at(report.tasks.pairs, 0);
  assert.ok(Math.abs(pair.flips - pair.lost - pair.gained) < 1e-12);
  assert.equal(
    report.tasks.means.map(({ name, of }) => `${of} ${name}`),
    ["group pick", "language hi", "group pick", "language hi"],
  );
});

test("shards of whole groups of documents are joined to the bytes of one evaluation", async () => {
  const options = { model: [model, other], labels: ["a", "b"], tasks: ["pick_hi"] };
  const whole = (await contentAddress(await scoresOf(options))).address;
  for (const of of [2, 3, 5]) {
    const shards = await Promise.all(
      Array.from({ length: of }, (_, index) => scoresOf({ ...options, shard: `${index + 1}/${of}` })),
    );
    const context = testContext();
    const { scores } = await joinScores.run({ scores: shards.toReversed() }, {}, context);
    assert.ok(scores);
    assert.is((await contentAddress(scores)).address, whole, `${of} shards`);
  }
});

const byName = (scores: readonly TaskScore[]) => scores.slice(0, 12).map(({ document, score }) => [document, score.right]);

test("texts and tasks are scored together, and a limit takes the first documents", async () => {
  await writeFile(join(folder, "en.txt"), "Some text. ".repeat(40));
  await mkdir(join(folder, "corpus"), { recursive: true });
  await writeFile(join(folder, "corpus", "en.txt"), "Some text. ".repeat(40));
  const both = await collectScores(
    await scoresOf({ tasks: ["pick_hi"], taskLimit: 4, corpus: join(folder, "corpus"), length: 16 }),
  );
  assert.ok(both.windows.length > 0);
  assert.is(both.tasks.length, 12);
  const alone = await collectScores(await scoresOf({ tasks: ["pick_hi"] }));
  assert.equal(byName(both.tasks), byName(alone.tasks));
});

test("prompts beyond the context are cut at their beginning and counted, or refused", async () => {
  const long = join(folder, "long", "made", "pick", "hi");
  await mkdir(long, { recursive: true });
  await writeRows(join(long, "test.jsonl"), [{ ...rows[0], question: "word ".repeat(200) }, ...rows.slice(1, 6)]);
  const options = { tasks: ["pick_hi"], taskRows: join(folder, "long") };
  const stream = await scoresOf(options);
  const { tasks } = await collectScores(stream);
  assert.equal(
    tasks.map(({ document, score }) => [document, score.cut > 0]),
    tasks.map(({ document }) => [document, document === 0]),
  );
  const { tasks: report } = await readScoresReport(encodeScores(tasks, parseMetadata("scores", stream.schema)));
  assert.match(report.notes.join(), /cut at their beginning, documents: 1 of pick_hi by model/);
  const refused = await failure(async () => collectScores(await scoresOf({ ...options, longPrompts: "refuse" })));
  assert.instance(refused, BadDataError);
  assert.match(refused.message, /document 0 of pick_hi/);
});

test("what cannot be asked is refused, with its place and the remedy", async () => {
  const cases: [Record<string, unknown>, new (...given: never[]) => Error, RegExp][] = [
    [{ taskPath: undefined, taskRows: undefined }, UsageError, /nothing to evaluate on: give --corpus/],
    [{ tasks: ["pick_hi"], taskPath: undefined }, UsageError, /--tasks needs --task-path/],
    [{ taskRows: undefined }, UsageError, /--task-path goes with --tasks/],
    [{ tasks: ["missing"] }, UsageError, /missing/],
    [{ tasks: ["pick_hi"], taskRows: join(folder, "tasks") }, BadDataError, /made\/pick/],
  ];
  for (const [options, kind, message] of cases) {
    const error = await failure(async () => collectScores(await scoresOf(options)));
    assert.match(error.message, message);
    assert.instance(error, kind, error.message);
  }
  const t5 = fileURLToPath(new URL("../../../models/test/fixtures/forward/mt5-f32", import.meta.url));
  const error = await failure(async () => collectScores(await scoresOf({ model: [t5], tasks: ["pick_hi"] })));
  assert.match(error.message, /is an encoder-decoder; tasks are for decoders/);
  assert.instance(error, FailedPreconditionError);
  const broken = join(folder, "broken", "made", "pick", "hi");
  await mkdir(broken, { recursive: true });
  for (const [row, message] of [
    [{ question: "?", choices: ["a", "b"] }, /pick_hi.*label/],
    [{ question: "?", choices: ["a", "b"], label: 7 }, /pick_hi.*7/],
    [{ choices: ["a", "b"], label: 0 }, /pick_hi.*question/],
  ] as const) {
    await writeRows(join(broken, "test.jsonl"), [row]);
    const error = await failure(async () =>
      collectScores(await scoresOf({ tasks: ["pick_hi"], taskRows: join(folder, "broken") })),
    );
    assert.match(error.message, message);
    assert.instance(error, BadDataError, error.message);
  }
});

test.run();
