/**
 * Compares our prompts with those that lm-evaluation-harness wrote: see README.md here.
 *
 * usage: node --conditions=mbs-source --import tsx tools/golden/tasks/compare.ts TASKS_FOLDER PROMPTS.jsonl
 */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { MbsError } from "@mbs/contracts";
import { openTasks, type Task, type TaskDocument } from "@mbs/tasks";

interface TheirDocument {
  readonly requests?: readonly (readonly [string, string])[];
  readonly gold?: readonly number[];
  readonly lengths?: readonly (readonly [number, number])[];
  readonly context?: string;
  readonly until?: readonly string[];
  readonly maximum?: number;
  readonly scores?: Readonly<Record<string, number>>;
}

interface Line {
  readonly task: string;
  readonly failure?: string;
  readonly rows: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  readonly documents: Readonly<Record<string, readonly TheirDocument[] | string>>;
}

/** A document in their form. */
function asTheirs(document: TaskDocument, task: Task, theirs: TheirDocument): TheirDocument {
  if (document.kind === "generation") {
    const answers = Object.keys(theirs.scores ?? {});
    const scores = Object.fromEntries(answers.map((answer) => [answer, task.judge(document, answer)]));
    return { context: document.context, until: document.until, maximum: document.maximumTokens, scores };
  }
  const unconditional = document.choices.flatMap((choice) => (choice.unconditional === undefined ? [] : [choice.unconditional]));
  return {
    requests: [...document.choices, ...unconditional].map(({ context, continuation }) => [context, continuation]),
    gold: document.gold,
    lengths: document.choices.map(({ characters, bytes }) => [characters, bytes]),
  };
}

/** The first difference of a task; undefined where all is equal. */
async function difference(task: Task, line: Line, theirs: readonly TheirDocument[]): Promise<string | undefined> {
  const ours = await task.documents(async ({ split }) => line.rows[split] ?? []);
  if (ours.length !== theirs.length) return `${ours.length} documents, and ${theirs.length}`;
  for (const [index, document] of ours.entries()) {
    const their = theirs[index] ?? {};
    const our = JSON.stringify(asTheirs(document, task, their));
    if (our !== JSON.stringify(their)) return `document ${index}\n  ours   ${our}\n  theirs ${JSON.stringify(their)}`;
  }
  return undefined;
}

const [folder = "", prompts = ""] = process.argv.slice(2);
const lines: Line[] = [];
for await (const text of createInterface({ input: createReadStream(prompts), crlfDelay: Infinity }))
  lines.push(JSON.parse(text) as Line);
const counts = { tasks: 0, prompts: 0, refused: 0, failed: 0, different: 0 };
for (const fewShot of [0, 3]) {
  const opened = new Map<string, Task>();
  const names = lines.filter(({ failure }) => failure === undefined).map(({ task }) => task);
  const refusals = new Map<string, string>();
  for (let rest = names; rest.length > 0;) {
    try {
      const { tasks } = await openTasks(rest, { paths: [folder], fewShot });
      for (const task of tasks) opened.set(task.name, task);
      break;
    } catch (error) {
      if (!(error instanceof MbsError)) throw error;
      const { message, facts } = error;
      const refused = facts["task"];
      if (typeof refused !== "string") throw error;
      refusals.set(refused, message);
      rest = rest.filter((name) => name !== refused);
    }
  }
  for (const line of lines) {
    const theirs = line.documents?.[fewShot];
    const task = opened.get(line.task);
    if (task === undefined) {
      counts.refused += 1;
      console.log(`refused   ${line.task}: ${refusals.get(line.task) ?? line.failure}`);
    } else if (typeof theirs === "string" || theirs === undefined) {
      counts.failed += 1;
      const ours = await task.documents(async ({ split }) => line.rows[split] ?? []).then(() => "works", String);
      console.log(`fails     ${line.task}: theirs ${theirs}; ours ${ours}`);
    } else {
      const found = await difference(task, line, theirs).catch((error: unknown) => String(error));
      if (found === undefined) {
        counts.tasks += 1;
        counts.prompts += theirs.length;
      } else {
        counts.different += 1;
        console.log(`different ${line.task}, ${fewShot} examples: ${found}`);
      }
    }
  }
}
console.log(JSON.stringify(counts));
