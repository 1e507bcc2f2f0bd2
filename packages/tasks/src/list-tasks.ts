import { MbsError } from "@mbs/contracts";
import { readCatalogue, type Catalogue, type Entry } from "./catalogue/catalogue.ts";
import { matchNames } from "./catalogue/match-names.ts";
import { resolveTasks } from "./catalogue/resolve-tasks.ts";
import { createOpener } from "./open-tasks.ts";
import type { TaskMetric } from "./task.ts";
import { createSettingsReader } from "./yaml/merged-settings.ts";

/** A name that can be asked for. */
export interface TaskName {
  readonly name: string;
  readonly kind: "task" | "group" | "tag";
}

/** What a name stands for. */
export interface TaskSummary extends TaskName {
  /** Tasks that it stands for; 1 for a task, 0 where they cannot be found. */
  readonly tasks: number;
  /** BCP 47, of a task that names one. */
  readonly language?: string;
  /** Of a task. */
  readonly metrics?: readonly TaskMetric[];
  /** Dataset and configuration that the rows come from, of a task. */
  readonly dataset?: string;
  /** Why it cannot be answered here; absent where it can. */
  readonly refused?: string;
}

const kinds: readonly TaskName["kind"][] = ["group", "tag", "task"];

/**
 * Names of the groups, tags and tasks in folders or files of tasks, each kind sorted. Tasks are not opened: some may need
 * what this program does not have.
 *
 * @throws {UsageError} where a path does not exist
 */
export async function listTasks(paths: readonly string[]): Promise<readonly TaskName[]> {
  const entries = [...(await readCatalogue(paths)).entries.values()];
  return kinds.flatMap((kind) =>
    entries
      .filter((entry) => entry.kind === kind)
      .map(({ name }) => ({ name, kind }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  );
}

/**
 * What names and globs stand for. Tasks are opened, without their rows, to find out whether they can be answered.
 *
 * @throws {UsageError} where a path does not exist, or a name stands for nothing
 */
export async function* summariseTasks(
  names: readonly string[],
  paths: readonly string[],
): AsyncGenerator<TaskSummary, void, undefined> {
  const catalogue = await readCatalogue(paths);
  const readSettings = createSettingsReader();
  const open = createOpener({});
  for (const name of matchNames(names, catalogue)) {
    const entry = catalogue.entries.get(name);
    if (entry !== undefined) yield await summarise(entry, { catalogue, readSettings, open });
  }
}

interface Reading {
  readonly catalogue: Catalogue;
  readonly readSettings: ReturnType<typeof createSettingsReader>;
  readonly open: ReturnType<typeof createOpener>;
}

async function summarise({ name, kind }: Entry, { catalogue, readSettings, open }: Reading): Promise<TaskSummary> {
  try {
    const { tasks } = await resolveTasks([name], catalogue, readSettings);
    const [first] = tasks;
    if (kind !== "task" || first === undefined) return { name, kind, tasks: tasks.length };
    const { language, metrics } = await open(first);
    const [path, configuration] = ["dataset_path", "dataset_name"].map((key) => first.settings.get(key));
    const dataset = [path, configuration].filter((part) => typeof part === "string").join("/");
    return { name, kind, tasks: 1, dataset, metrics, ...(language !== undefined && { language }) };
  } catch (error) {
    if (error instanceof MbsError) return { name, kind, tasks: kind === "task" ? 1 : 0, refused: error.message };
    throw error;
  }
}
