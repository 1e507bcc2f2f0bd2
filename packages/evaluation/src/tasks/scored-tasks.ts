import { BadDataError, isCount, isObject } from "@mbs/contracts";
import { taskMetrics, type TaskMetric } from "@mbs/tasks";

/** What scores keep of a task. */
export interface ScoredTask {
  /** `metadata.version` of the task; "" where it has none. */
  readonly version: string;
  /** The first one is shown where there is space for one. */
  readonly metrics: readonly TaskMetric[];
  /** Examples before each question. */
  readonly fewShot: number;
  /** SHA-256 of all prompts, choices and right answers: equal where models were asked the same. */
  readonly documents: string;
}

/** What scores keep of a group of tasks. */
export interface ScoredGroup {
  readonly tasks: readonly string[];
  /** Whether a task counts by its number of documents; else all the same. */
  readonly weightBySize: boolean;
}

const isText = (value: unknown): value is string => typeof value === "string";
const areMetrics = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((metric) => taskMetrics.some((known) => known === metric));

const isScoredTask = (value: unknown): value is ScoredTask =>
  isObject(value) &&
  isText(value["version"]) &&
  areMetrics(value["metrics"]) &&
  isCount(value["fewShot"]) &&
  isText(value["documents"]);

const isScoredGroup = (value: unknown): value is ScoredGroup =>
  isObject(value) && typeof value["weightBySize"] === "boolean" && Array.isArray(value["tasks"]) && value["tasks"].every(isText);

function readAll<T>(what: string, is: (value: unknown) => value is T, entries: Readonly<Record<string, unknown>>) {
  return new Map(
    Object.entries(entries).map(([name, value]) => {
      if (is(value)) return [name, value];
      throw new BadDataError(`scores: the description of ${what} ${name} is malformed; evaluate again`, { name });
    }),
  );
}

/**
 * The tasks described in the scores, by name.
 *
 * @param tasks of the scores' metadata
 * @throws {BadDataError} where they are malformed
 */
export const readScoredTasks = (tasks: Readonly<Record<string, unknown>> = {}): ReadonlyMap<string, ScoredTask> =>
  readAll("task", isScoredTask, tasks);

/** The same for groups of tasks. */
export const readScoredGroups = (groups: Readonly<Record<string, unknown>> = {}): ReadonlyMap<string, ScoredGroup> =>
  readAll("group", isScoredGroup, groups);
