import { createHash } from "node:crypto";
import type { StageContext } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import { openTasks, type Task, type TaskDocument, type TaskGroup } from "@mbs/tasks";
import type { ScoredGroup, ScoredTask } from "./scored-tasks.ts";
import type { TaskChoice } from "./task-options.ts";

/** A task with its rendered documents. */
export interface OpenedTask {
  readonly task: Task;
  readonly documents: readonly TaskDocument[];
}

export interface OpenedTasks {
  readonly tasks: readonly OpenedTask[];
  readonly groups: readonly TaskGroup[];
}

/** A document whose written answer has no more tokens than that. */
const limitAnswer = (document: TaskDocument, most = Infinity): TaskDocument =>
  document.kind === "choices" ? document : { ...document, maximumTokens: Math.min(document.maximumTokens, most) };

/**
 * Reads tasks and renders their documents.
 *
 * @throws {UsageError} on an unknown task
 * @throws {BadDataError} where a task or a row is broken, or a task has no document
 */
export async function readTasks(choice: TaskChoice, { warn, signal, progress }: StageContext): Promise<OpenedTasks> {
  const { tasks: names = [], taskPath: paths = [], taskRows: folder, fewShot, fewShotSeed, taskLimit, answerTokens } = choice;
  const { tasks, groups } = await openTasks(names, { paths, fewShotSeed, warn, ...(fewShot !== undefined && { fewShot }) });
  const opened: OpenedTask[] = [];
  for (const [done, task] of tasks.entries()) {
    signal.throwIfAborted();
    progress({ activity: "read tasks", done, total: tasks.length, unit: "tasks" });
    const rendered = await task.documents((dataset) => readDatasetRows(dataset, { folder, warn, signal, progress }), taskLimit);
    const documents = rendered.map((document) => limitAnswer(document, answerTokens));
    opened.push({ task, documents });
  }
  return { tasks: opened, groups };
}

/** SHA-256 of all that a model is asked, and what is right: of a list in JSON, which may be longer than a text can be. */
function documentsAddress(documents: readonly TaskDocument[]): string {
  const hash = createHash("sha256");
  for (const [index, document] of documents.entries()) hash.update(`${index === 0 ? "[" : ","}${JSON.stringify(document)}`);
  return hash.update("]").digest("hex");
}

/** What the scores' metadata say of tasks and groups. */
export function describeTasks({ tasks, groups }: OpenedTasks): {
  readonly tasks: Readonly<Record<string, ScoredTask>>;
  readonly groups: Readonly<Record<string, ScoredGroup>>;
} {
  const described = tasks.map(({ task, documents }): [string, ScoredTask] => {
    const { name, version, metrics, fewShot } = task;
    return [name, { version, metrics, fewShot, documents: documentsAddress(documents) }];
  });
  const named = groups.map(({ name, tasks: members, weightBySize }): [string, ScoredGroup] => [
    name,
    { tasks: members, weightBySize },
  ]);
  return { tasks: Object.fromEntries(described), groups: Object.fromEntries(named) };
}
