import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openTasks } from "../src/index.ts";
import type { Task, TaskDocument, TaskRow } from "../src/task.ts";

/** What lm-evaluation-harness 0.4.13 made of fixtures/tasks: tools/golden/tasks/make_fixtures.py writes it. */
interface Golden {
  readonly rows: Readonly<Record<string, Readonly<Record<string, readonly TaskRow[]>>>>;
  readonly documents: readonly {
    readonly asked: string;
    readonly task: string;
    readonly fewShot: number | null;
    readonly documents: readonly GoldenDocument[] | string;
  }[];
}

interface GoldenDocument {
  readonly requests?: readonly (readonly [string, string])[];
  readonly gold?: readonly number[];
  readonly lengths?: readonly (readonly [number, number])[];
  readonly context?: string;
  readonly until?: string | readonly string[];
  readonly maximum?: number;
  /** Scores of answers, as a model may write them. */
  readonly scores?: Readonly<Record<string, number>>;
}

const fixtures = new URL("fixtures/", import.meta.url);
const golden = JSON.parse(await readFile(new URL("prompts.json", fixtures), "utf8")) as Golden;

function asGolden(document: TaskDocument, task: Task, like: GoldenDocument): GoldenDocument {
  if (document.kind === "generation") {
    const answers = Object.keys(like.scores ?? {});
    return {
      context: document.context,
      until: typeof like.until === "string" ? (document.until[0] ?? "") : document.until,
      maximum: document.maximumTokens,
      scores: Object.fromEntries(answers.map((answer) => [answer, task.judge(document, answer)])),
    };
  }
  const unconditional = document.choices.flatMap((choice) => (choice.unconditional === undefined ? [] : [choice.unconditional]));
  return {
    requests: [...document.choices, ...unconditional].map(({ context, continuation }) => [context, continuation]),
    gold: document.gold,
    lengths: document.choices.map(({ characters, bytes }) => [characters, bytes]),
  };
}

const readGolden = async ({ path, split }: { path: string; split: string }): Promise<readonly TaskRow[]> =>
  golden.rows[path]?.[split] ?? [];

for (const { asked, task: name, fewShot, documents } of golden.documents) {
  test(`${asked}: ${name} with ${fewShot ?? "its own number of"} examples`, async () => {
    const { tasks } = await openTasks([asked], {
      paths: [new URL("tasks", fixtures).pathname],
      ...(fewShot === null ? {} : { fewShot }),
    });
    const task = tasks.find((one) => one.name === name);
    assert.ok(task, `${asked} has ${tasks.map((one) => one.name).join(", ")}`);
    if (typeof documents === "string") {
      await task.documents(readGolden).then(
        () => assert.unreachable(documents),
        (error: Error) => assert.match(error.message, /7 examples are wanted of 4 rows/),
      );
      return;
    }
    const ours = await task.documents(readGolden, documents.length);
    assert.equal(
      ours.map((document, index) => asGolden(document, task, documents[index] ?? {})),
      documents,
    );
  });
}

test.run();
