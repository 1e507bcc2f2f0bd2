import { collectScores, encodeScores, parseMetadata, type ChoiceScore } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { evaluate, readScoresReport } from "@mbs/evaluation";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Of tools/golden/tasks/make_scores.py: lm-evaluation-harness 0.4.13 with transformers in float32. */
interface Golden {
  readonly runs: readonly {
    readonly task: string;
    readonly fewShot: number;
    readonly means: Readonly<Record<string, number>>;
    readonly documents: readonly {
      readonly logLikelihoods: readonly number[];
      /** Of context and choice. */
      readonly tokens: readonly number[];
      readonly unconditional?: readonly number[];
    }[];
  }[];
}

const root = new URL("../../../../", import.meta.url);
const pathOf = (name: string): string => fileURLToPath(new URL(name, root));
const tasksFolder = pathOf("datasets/controlled-tasks");

/**
 * Nats a text, as far as float32 allows: sums of up to 70 losses of some nats each, whose products are summed in another order
 * on another processor. The golden numbers are rounded to 1e-6.
 */
const tolerance = 1e-4;

const rounded = (means: Iterable<readonly [string, number]>): Record<string, string> =>
  Object.fromEntries([...means].map(([metric, mean]) => [metric, mean.toFixed(9)]));

/** Tasks that measure acc_mutual_info, as make_scores.py writes them. */
async function writeMutualInfo(folder: string): Promise<void> {
  for (const language of ["en", "zh-Hans"]) {
    const lines = [
      `include: ${tasksFolder}/controlled_continuation_${language}.yaml`,
      `task: controlled_mutual_info_${language}`,
      `dataset_kwargs: {data_files: {test: "${tasksFolder}/continuation/${language}.jsonl"}}`,
      "metric_list: [{metric: acc}, {metric: acc_mutual_info}]",
    ];
    await writeFile(join(folder, `mutual_info_${language}.yaml`), lines.join("\n"));
  }
}

test("log-likelihoods and answers to the controlled tasks are those of lm-evaluation-harness", async () => {
  const { runs } = JSON.parse(await readFile(new URL("../fixtures/controlled-tasks.json", import.meta.url), "utf8")) as Golden;
  const folder = await mkdtemp(join(tmpdir(), "mbs-golden-scores-"));
  const context = testContext();
  let compared = 0;
  try {
    await writeMutualInfo(folder);
    for (const fewShot of [0, 2]) {
      const expected = runs.filter((run) => run.fewShot === fewShot);
      const options = {
        model: [pathOf("datasets/controlled-llama")],
        tasks: expected.map(({ task }) => task),
        taskPath: [tasksFolder, folder],
        taskLimit: 12,
        fewShot,
      };
      const { scores } = await evaluate.run({}, options, context);
      assert.ok(scores);
      const metadata = parseMetadata("scores", scores.schema);
      const { tasks } = await collectScores(scores);
      const report = await readScoresReport(encodeScores(tasks, metadata));
      for (const { task, means, documents } of expected) {
        for (const [number, { logLikelihoods, tokens, unconditional }] of documents.entries()) {
          const own = tasks
            .filter((score) => score.task === task && score.document === number)
            .map(({ score }) => score as ChoiceScore);
          const name = `${task}, ${fewShot} examples, document ${number}`;
          const contexts = own.map((choice, index) => at(tokens, index) - choice.tokens);
          assert.is(new Set(contexts).size, 1, `${name}: the choices of a question have one context`);
          for (const [choice, { nll, unconditional: without }] of own.entries()) {
            assert.ok(Math.abs(nll + at(logLikelihoods, choice)) < tolerance, `${name}: ${nll}`);
            const other = unconditional?.[choice];
            assert.is(without === undefined, other === undefined);
            if (without !== undefined && other !== undefined) assert.ok(Math.abs(without + other) < tolerance, name);
            compared++;
          }
        }
        const results = report.tasks.results.filter((result) => result.task === task);
        assert.equal(rounded(results.map(({ metric, value }) => [metric, value])), rounded(Object.entries(means)), task);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  assert.is(compared, runs.flatMap(({ documents }) => documents.flatMap(({ logLikelihoods }) => logLikelihoods)).length);
});

test.run();
