import { continuationRows } from "./continuations.ts";
import { heldOutLanguages, heldOutPages, shuffledBy } from "./held-out-pages.ts";
import { pairRows } from "./pairs.ts";
import { writingOf } from "./words.ts";

/** Most documents of a task. */
const mostDocuments = 100;

const made = "# made by tools/controlled-tasks\n";

const metrics = (names: readonly string[]): string =>
  `metric_list:\n${names.map((name) => `  - metric: ${name}\n    aggregation: mean\n    higher_is_better: true\n`).join("")}`;

const templates = {
  _continuation_yaml: `${made}dataset_path: json
output_type: multiple_choice
test_split: test
fewshot_split: test
doc_to_text: "{{context}}"
doc_to_choice: choices
doc_to_target: label
${metrics(["acc", "acc_norm", "acc_bytes"])}`,
  _pairs_yaml: `${made}dataset_path: json
output_type: multiple_choice
test_split: test
fewshot_split: test
doc_to_text: ""
doc_to_choice: "{{[sentence, swapped]}}"
doc_to_target: 0
target_delimiter: ""
num_fewshot: 0
${metrics(["acc"])}`,
};

type Kind = "continuation" | "pairs";

const taskName = (kind: Kind, language: string): string => `controlled_${kind}_${language}`;

const taskYaml = (kind: Kind, language: string): string => `${made}include: _${kind}_yaml
task: ${taskName(kind, language)}
dataset_kwargs:
  data_files:
    test: ${kind}/${language}.jsonl
${kind === "continuation" && writingOf(language).space === "" ? 'target_delimiter: ""\n' : ""}metadata:
  version: 1.0
  language: ${language}
`;

const groupYaml = (
  kind: Kind,
  languages: readonly string[],
  names: readonly string[],
): string => `${made}group: controlled_${kind}
task:
${languages.map((language) => `  - ${taskName(kind, language)}\n`).join("")}aggregate_metric_list:
${names.map((name) => `  - metric: ${name}\n    aggregation: mean\n    weight_by_size: false\n`).join("")}metadata:
  version: 1.0
`;

/** The first documents of a shuffled order, as JSON lines. */
function jsonLines(rows: readonly object[]): string {
  const chosen = shuffledBy(rows, (row) => JSON.stringify(row)).slice(0, mostDocuments);
  return chosen.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** All files of datasets/controlled-tasks but its README, by their paths in it. */
export async function taskFiles(): Promise<ReadonlyMap<string, string>> {
  const languages = await heldOutLanguages();
  const files = new Map<string, string>(Object.entries(templates));
  for (const language of languages) {
    const pages = await heldOutPages(language);
    files.set(`continuation/${language}.jsonl`, jsonLines(continuationRows(language, pages)));
    files.set(`pairs/${language}.jsonl`, jsonLines(pairRows(language, pages)));
    for (const kind of ["continuation", "pairs"] as const)
      files.set(`${taskName(kind, language)}.yaml`, taskYaml(kind, language));
  }
  files.set("controlled_continuation.yaml", groupYaml("continuation", languages, ["acc", "acc_norm", "acc_bytes"]));
  files.set("controlled_pairs.yaml", groupYaml("pairs", languages, ["acc"]));
  return files;
}
