import { BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listTasks, openTasks } from "../src/index.ts";
import type { TaskRow } from "../src/task.ts";
import { withFiles } from "./temporary-folder.ts";

const plain = `task: plain
dataset_path: example/rows
output_type: multiple_choice
test_split: test
doc_to_text: "{{question}}"
doc_to_target: answer
doc_to_choice: [one, two]
`;
const rows: readonly TaskRow[] = [
  { question: "first", answer: 1 },
  { question: "second", answer: "one" },
];

/** The message that opening a task, or reading its documents, fails with; "" where it works. */
async function failure(
  files: Readonly<Record<string, string>>,
  kind: new (message: string) => Error,
  given = rows,
  name = "plain",
): Promise<string> {
  let message = "";
  await withFiles(files, async (folder) => {
    try {
      const { tasks } = await openTasks([name], { paths: [folder] });
      for (const task of tasks) await task.documents(async () => given);
    } catch (error) {
      assert.instance(error, kind);
      message = (error as Error).message.replaceAll(folder, "FOLDER");
    }
  });
  return message;
}

test("targets are numbers or texts of choices", () =>
  withFiles({ "plain.yaml": plain }, async (folder) => {
    const { tasks } = await openTasks(["pl?in"], { paths: [folder] });
    const documents = await tasks[0]?.documents(async () => rows);
    assert.equal(
      documents?.map((document) =>
        document.kind === "choices" ? [document.gold, document.choices.map(({ continuation }) => continuation)] : [],
      ),
      [
        [[1], [" one", " two"]],
        [[0], [" one", " two"]],
      ],
    );
  }));

const badRows: [string, string, TaskRow, string][] = [
  [
    "an undefined name",
    plain.replace("{{question}}", "{{qestion}}"),
    {},
    "task plain, row 0, doc_to_text: 'qestion' is undefined; correct the row, or the task",
  ],
  [
    "a target beyond the choices",
    plain,
    { question: "q", answer: 2 },
    "task plain, row 0, doc_to_target: the target is 2, and has to be one of the choices ['one', 'two'] or its number; correct the row, or the task",
  ],
  [
    "a hidden target",
    plain,
    { question: "q", answer: -1 },
    "task plain, row 0, doc_to_target: the target is -1, and has to be one of the choices ['one', 'two'] or its number; correct the row, or the task",
  ],
  [
    "a missing target",
    plain,
    { question: "q", answer: null },
    "task plain, row 0, doc_to_target: the target is None, and has to be one of the choices ['one', 'two'] or its number; correct the row, or the task",
  ],
  [
    "a missing key of a dict",
    plain.replace("{{question}}", "{{question.text}}"),
    { question: { txt: "a" }, answer: 0 },
    "task plain, row 0, doc_to_text: dict has no 'text' (it has 'txt'); correct the row, or the task",
  ],
  [
    "choices that are no list",
    plain.replace("[one, two]", '"{{question}}"'),
    { question: "'a'", answer: 0 },
    "task plain, row 0, doc_to_choice: the choices are 'a', and have to be a list of texts; correct the row, or the task",
  ],
];
for (const [what, task, row, message] of badRows) {
  test(`${what} is an error that names task, row and setting`, async () => {
    assert.is(await failure({ "plain.yaml": task }, BadDataError, [row]), message);
  });
}

test("no rows are an error", async () => {
  assert.is(
    await failure({ "plain.yaml": plain }, BadDataError, []),
    "task plain: no row of the split test belongs to it; check the dataset",
  );
});

const refused: [string, string, string][] = [
  [
    "output types",
    plain.replace("multiple_choice", "loglikelihood"),
    'the task plain has the output type "loglikelihood"; there are multiple_choice and generate_until',
  ],
  [
    "Python functions",
    `${plain}process_docs: !function utils.load\n`,
    "the task plain calls utils.load of FOLDER, and Python is not run here; write it as a template, or leave the task out",
  ],
  [
    "computed results",
    `${plain}process_results: !function utils.score\n`,
    "the task plain computes its results in Python (process_results: utils.score); leave it out",
  ],
  [
    "tasks whose metrics we do not have",
    `${plain}metric_list: [{metric: f1}, {metric: mcc}]\n`,
    "the task plain measures f1, mcc; of multiple_choice tasks there are acc, acc_norm, acc_bytes, acc_mutual_info, acc_tokens",
  ],
  [
    "samplers",
    `${plain}fewshot_config: {sampler: balanced}\n`,
    'fewshot_config of the task plain has the sampler "balanced"; there are default and first_n',
  ],
];
for (const [what, task, message] of refused) {
  test(`${what} that there are not are refused by name`, async () => {
    assert.is(await failure({ "plain.yaml": task }, FailedPreconditionError), message);
  });
}

test("unknown settings and broken YAML are errors that name them", async () => {
  assert.is(
    await failure({ "plain.yaml": `${plain}doc_to_txt: a\n` }, BadDataError),
    'the task plain has the setting "doc_to_txt", which there is not; correct or remove it',
  );
  assert.match(
    await failure({ "plain.yaml": `${plain}description: "open\n` }, BadDataError),
    /^FOLDER\/plain.yaml cannot be read as YAML: .*; correct it$/,
  );
  assert.is(
    await failure({ "plain.yaml": "include: plain.yaml\ntask: plain\n" }, UsageError),
    "there is no task, group or tag plain; the folders have no tasks at all, so check their paths",
  );
});

test("a wrong name lists those that are near", async () => {
  assert.is(
    await failure({ "plain.yaml": plain }, UsageError, rows, "lain"),
    "there is no task, group or tag lain; there are plain",
  );
});

test("other metrics and sampling are warned of once", () =>
  withFiles(
    {
      "plain.yaml": `${plain}tag: all\nmetric_list: [{metric: acc}, {metric: acc_tokens}, {metric: f1}]\n`,
      "second.yaml": "include: plain.yaml\ntask: second\nmetadata: {version: 1.0, language: pt-BR}\n",
    },
    async (folder) => {
      const warnings: string[] = [];
      const { tasks } = await openTasks(["all"], { paths: [folder], warn: (message) => warnings.push(message) });
      assert.equal(warnings, ["the task plain has metrics that are not measured here: f1"]);
      assert.equal(
        tasks.map(({ name, metrics, version, language }) => [name, metrics, version, language]),
        [
          ["plain", ["acc", "acc_tokens"], "", undefined],
          ["second", ["acc", "acc_tokens"], "1.0", "pt-BR"],
        ],
      );
      assert.equal(await listTasks([folder]), { tasks: ["plain", "second"], groups: [], tags: ["all"] });
    },
  ));

test("the address follows settings and examples, not the order of settings", async () => {
  const addresses = new Map<string, string>();
  const variants: [string, string, number][] = [
    ["as it is", plain, 0],
    ["reordered", plain.split("\n").toReversed().join("\n"), 0],
    ["another template", plain.replace("{{question}}", "{{ question }}"), 0],
    ["with examples", plain, 1],
  ];
  for (const [name, text, fewShot] of variants) {
    await withFiles({ "plain.yaml": text }, async (folder) => {
      const { tasks } = await openTasks(["plain"], { paths: [folder], fewShot });
      addresses.set(name, tasks[0]?.address ?? "");
    });
  }
  assert.is(addresses.get("as it is"), addresses.get("reordered"));
  assert.is(new Set(addresses.values()).size, 3);
});

test("templates cannot change rows", async () => {
  const changing = plain.replace("{{question}}", "{% set own = [] %}{% set done = own.append(1) %}{{own}}{{question.append(1)}}");
  assert.is(
    await failure({ "plain.yaml": changing }, BadDataError, [{ question: ["a"], answer: 0 }]),
    "task plain, row 0, doc_to_text: append() would change a list of the row; correct the row, or the task",
  );
});

test("templates cannot run without end", async () => {
  const endless = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
  assert.match(
    await failure({ "plain.yaml": plain.replace("{{question}}", endless) }, BadDataError),
    /it takes more than 1000000 steps/,
  );
});

test.run();
