import { readCatalogue } from "./catalogue/catalogue.ts";

/** Names that can be asked for, each kind sorted. */
export interface TaskNames {
  readonly tasks: readonly string[];
  readonly groups: readonly string[];
  readonly tags: readonly string[];
}

/**
 * Names of the tasks, groups and tags in folders or files of tasks. Tasks are not opened: some may need what this program does not have.
 *
 * @throws {UsageError} where a path does not exist
 */
export async function listTasks(paths: readonly string[]): Promise<TaskNames> {
  const entries = [...(await readCatalogue(paths)).entries.values()];
  const namesOf = (kind: string): string[] =>
    entries
      .filter((entry) => entry.kind === kind)
      .map(({ name }) => name)
      .sort();
  return { tasks: namesOf("task"), groups: namesOf("group"), tags: namesOf("tag") };
}
