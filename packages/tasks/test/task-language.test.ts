import { openTasks } from "@mbs/tasks";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withFiles } from "./temporary-folder.ts";

const task = (name: string, dataset: string, language?: string): string =>
  [
    `task: ${name}`,
    "dataset_path: made/up",
    `dataset_name: ${dataset}`,
    "test_split: test",
    "output_type: multiple_choice",
    'doc_to_text: ""',
    'doc_to_choice: ["a", "b"]',
    "doc_to_target: 0",
    "metric_list: [{metric: acc}]",
    ...(language === undefined ? [] : [`metadata: {language: "${language}"}`]),
  ].join("\n");

test("the language of a task is what its metadata say, or its dataset's configuration", async () => {
  const cases: readonly [name: string, dataset: string, language: string | undefined, expected: string | undefined][] = [
    // as texts of this language are named
    ["said_zh", "x", "zh-Hans", "zh-Hans"],
    ["said_hi", "x", "hin_Deva", "hi"],
    ["said_german", "x", "German", "de"],
    ["belebele_hin_Deva", "hin_Deva", undefined, "hi"],
    ["belebele_zho_Hant", "zho_Hant", undefined, "zh-Hant"],
    ["include_german_stem", "German", undefined, "de"],
    ["rte", "rte", undefined, undefined],
    ["arc_easy", "ARC-Easy", undefined, undefined],
  ];
  const files = Object.fromEntries(cases.map(([name, dataset, language]) => [`${name}.yaml`, task(name, dataset, language)]));
  await withFiles(files, async (folder) => {
    const { tasks } = await openTasks(
      cases.map(([name]) => name),
      { paths: [folder] },
    );
    const found = new Map(tasks.map(({ name, language }) => [name, language]));
    for (const [name, , , expected] of cases) assert.is(found.get(name), expected, name);
  });
});

test.run();
