import { test } from "uvu";
import * as assert from "uvu/assert";
import { openTasks } from "../src/index.ts";
import type { TaskDocument, TaskRow } from "../src/task.ts";
import { withFiles } from "./temporary-folder.ts";

/** Documents of a task that stands in a folder named as that of lm-evaluation-harness, with a file of functions of our own. */
async function documentsOf(
  path: string,
  settings: string,
  rows: readonly TaskRow[],
  source = "# not theirs\n",
): Promise<{ documents: readonly TaskDocument[]; warnings: string[] }> {
  const [folder, module] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const warnings: string[] = [];
  let documents: readonly TaskDocument[] = [];
  const task = `task: helped\ndataset_path: example/rows\noutput_type: multiple_choice\ntest_split: test\n${settings}`;
  await withFiles({ [`${folder}/task.yaml`]: task, [`${folder}/${module}.py`]: source }, async (root) => {
    const { tasks } = await openTasks(["helped"], {
      paths: [root],
      warn: (message) => warnings.push(message.replaceAll(root, "ROOT")),
    });
    documents = (await tasks[0]?.documents(async () => rows)) ?? [];
  });
  return { documents, warnings };
}

const texts = (documents: readonly TaskDocument[]): string[][] =>
  documents.map((document) =>
    document.kind === "choices" ? document.choices.map(({ context, continuation }) => `${context}|${continuation}`) : [],
  );

test("a file of functions that is not that of 0.4.13 is warned of", async () => {
  const settings = 'process_docs: !function utils.process_stem\ndoc_to_text: "{{q}}"\ndoc_to_target: 0\ndoc_to_choice: [a]\n';
  const rows = [
    { q: "yes", domain: "STEM" },
    { q: "no", domain: "Social Science" },
    { q: "too", domain: "STEM" },
  ];
  const { documents, warnings } = await documentsOf("include/default/German/utils", settings, rows);
  assert.equal(texts(documents), [["yes| a"], ["too| a"]]);
  assert.equal(warnings, [
    "ROOT/include/default/German/utils.py is not the file of lm-evaluation-harness 0.4.13, which our functions follow; prompts may differ",
  ]);
});

test("xcopa's connecting words are those of the user's file", async () => {
  const source =
    'doc_to_text_xx = partial(\n    doc_to_text,\n    connector={\n        "cause": "weil",\n        "effect": "da\\u0072um",\n    },\n)\n';
  const settings =
    "doc_to_text: !function utils.doc_to_text_xx\ndoc_to_target: label\ndoc_to_choice: !function utils.doc_to_choice\n";
  const row = { premise: " Es regnet. ", choice1: "Ändert", choice2: "𝔘b", question: "effect", label: 1 };
  const { documents } = await documentsOf("xcopa/utils", settings, [row], source);
  assert.equal(texts(documents), [["Es regnet darum| ändert", "Es regnet darum| 𝔘b"]]);
});

test("a sentence with a gap has its choices before the rest", async () => {
  const settings = ["doc_to_text", "doc_to_target", "doc_to_choice"].map((name) => `${name}: !function utils.${name}\n`).join("");
  const row = { sentence: "The _ sat_down. ", option1: "cat", option2: "dog", answer: "2" };
  const { documents } = await documentsOf("xwinograd/utils", settings, [row]);
  assert.equal(texts(documents), [["The cat| sat_down.", "The dog| sat_down."]]);
  assert.equal(
    documents.map((document) => document.kind === "choices" && document.gold),
    [[1]],
  );
});

test("a row without the column of a function names the columns that there are", async () => {
  const settings = 'process_docs: !function utils.process_stem\ndoc_to_text: "{{q}}"\ndoc_to_target: 0\ndoc_to_choice: [a]\n';
  await documentsOf("include/default/German/utils", settings, [{ q: "yes", dom: "STEM" }]).then(
    () => assert.unreachable(),
    (error: Error) =>
      assert.is(
        error.message,
        "task helped, split test, process_docs: there is no column domain (the columns are q, dom); correct the row, or the task",
      ),
  );
});

test.run();
