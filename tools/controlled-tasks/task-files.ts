import { continuationRows } from "./continuations.ts";
import { fileURLToPath } from "node:url";
import { heldOutFiles, heldOutPages, shuffledBy } from "./held-out-pages.ts";
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

const kinds = ["continuation", "pairs"] as const;

/** A text in YAML's double quotes; a character that is not seen is written by its number. */
const escaped = (text: string): string => JSON.stringify(text).replaceAll("\u200b", "\\u200b");

/** What stands between a context and its choice, where it is not the format's own: a space. */
const delimiterYaml = (space: string): string => (space === " " ? "" : `target_delimiter: ${escaped(space)}\n`);

const taskYaml = (name: string, kind: Kind, language: string): string => `${made}include: _${kind}_yaml
task: ${name}_${kind}_${language}
dataset_kwargs:
  data_files:
    test: ${kind}/${language}.jsonl
${kind === "continuation" ? delimiterYaml(writingOf(language).space) : ""}metadata:
  version: 1.0
  language: ${language}
`;

const groupYaml = (
  name: string,
  kind: Kind,
  languages: readonly string[],
  metricNames: readonly string[],
): string => `${made}group: ${name}_${kind}
task:
${languages.map((language) => `  - ${name}_${kind}_${language}\n`).join("")}aggregate_metric_list:
${metricNames.map((metric) => `  - metric: ${metric}\n    aggregation: mean\n    weight_by_size: false\n`).join("")}metadata:
  version: 1.0
`;

/** The first documents of a shuffled order, as JSON lines. */
function jsonLines(rows: readonly object[]): string {
  const chosen = shuffledBy(rows, (row) => JSON.stringify(row)).slice(0, mostDocuments);
  return chosen.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** What tasks are made of. */
export interface TaskTexts {
  readonly manifest: string;
  /** The tasks' names begin with it. */
  readonly name: string;
  /** Some of the manifest's; all where absent. */
  readonly languages?: readonly string[] | undefined;
}

/** What datasets/controlled-tasks is made of. */
export const controlledTexts: TaskTexts = {
  manifest: fileURLToPath(new URL("../../datasets/controlled-texts/heldout.yaml", import.meta.url)),
  name: "controlled",
};

/** All files of a folder of tasks, by their paths in it. */
export async function taskFiles({ manifest, name, languages }: TaskTexts): Promise<ReadonlyMap<string, string>> {
  const texts = await heldOutFiles(manifest);
  const wanted = languages ?? [...texts.keys()];
  const files = new Map<string, string>(Object.entries(templates));
  for (const language of wanted) {
    const file = texts.get(language);
    if (file === undefined) throw new Error(`${manifest}: no language ${language}; there are ${[...texts.keys()].join(", ")}`);
    const pages = await heldOutPages(file);
    files.set(`continuation/${language}.jsonl`, jsonLines(continuationRows(language, pages)));
    files.set(`pairs/${language}.jsonl`, jsonLines(pairRows(language, pages)));
    for (const kind of kinds) files.set(`${name}_${kind}_${language}.yaml`, taskYaml(name, kind, language));
  }
  files.set(`${name}_continuation.yaml`, groupYaml(name, "continuation", wanted, ["acc", "acc_norm", "acc_bytes"]));
  files.set(`${name}_pairs.yaml`, groupYaml(name, "pairs", wanted, ["acc"]));
  return files;
}
