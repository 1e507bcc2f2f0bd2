import { at } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import { openTasks } from "@mbs/tasks";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Of tools/golden/tasks/make_scores.py. */
interface Scores {
  readonly runs: readonly {
    readonly task: string;
    readonly fewShot: number;
    readonly documents: readonly { readonly prompt: string }[];
  }[];
}

const root = new URL("../../", import.meta.url);
const tasksFolder = fileURLToPath(new URL("datasets/controlled-tasks", root));
const golden = new URL("packages/evaluation/test/fixtures/controlled-tasks.json", root);

/** The tasks that measure acc_mutual_info, as make_scores.py writes them. */
async function writeMutualInfo(folder: string): Promise<void> {
  for (const language of ["en", "zh-Hans"]) {
    const metrics = "metric_list:\n  - metric: acc\n  - metric: acc_mutual_info\n";
    const rows = `dataset_kwargs:\n  data_files:\n    test: ${tasksFolder}/continuation/${language}.jsonl\n`;
    const yaml = `include: ${tasksFolder}/controlled_continuation_${language}.yaml\ntask: controlled_mutual_info_${language}\n${rows}${metrics}`;
    await writeFile(join(folder, `mutual_info_${language}.yaml`), yaml);
  }
}

test("rows and prompts of the controlled tasks are those of lm-evaluation-harness", async () => {
  const { runs } = JSON.parse(await readFile(golden, "utf8")) as Scores;
  const folder = await mkdtemp(join(tmpdir(), "mbs-controlled-tasks-"));
  try {
    await writeMutualInfo(folder);
    for (const fewShot of [0, 2]) {
      const expected = runs.filter((run) => run.fewShot === fewShot);
      const names = expected.map(({ task }) => task);
      const { tasks } = await openTasks(names, { paths: [tasksFolder, folder], fewShot });
      for (const [index, task] of tasks.entries()) {
        const { documents } = at(
          expected.filter((run) => run.task === task.name),
          0,
        );
        const ours = await task.documents((dataset) => readDatasetRows(dataset), documents.length);
        const prompts = ours.map((document) => {
          if (document.kind !== "choices") return assert.unreachable() as never;
          const texts = document.choices.map(({ context, continuation }) => `${context}\0${continuation}\0`);
          return createHash("sha256").update(texts.join("")).digest("hex").slice(0, 16);
        });
        assert.equal(
          prompts,
          documents.map(({ prompt }) => prompt),
          `${index}: ${task.name}, ${fewShot} examples`,
        );
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
