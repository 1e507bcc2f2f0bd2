import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { parseExactMatch, type Judge } from "../answers/exact-match.ts";
import { choiceMetrics, type TaskMetric } from "../task.ts";
import { FunctionReference } from "../yaml/function-reference.ts";
import { asSettings, type Settings } from "../yaml/read-yaml.ts";
import type { TaskSettings } from "./task-settings.ts";

const measured: Readonly<Record<TaskSettings["outputType"], readonly TaskMetric[]>> = {
  multiple_choice: choiceMetrics,
  generate_until: ["exact_match"],
};
const defaults: Readonly<Record<TaskSettings["outputType"], readonly TaskMetric[]>> = {
  multiple_choice: ["acc", "acc_norm"],
  generate_until: ["exact_match"],
};

export interface TaskMetrics {
  readonly metrics: readonly TaskMetric[];
  /** Metrics of the task that this program does not have. */
  readonly others: readonly string[];
  readonly judge: Judge;
}

/** What of a task's `metric_list` is measured. @throws {FailedPreconditionError} where nothing is */
export function parseMetrics(task: string, outputType: TaskSettings["outputType"], settings: Settings): TaskMetrics {
  const list = settings.get("metric_list") ?? undefined;
  if (list === undefined) return { metrics: defaults[outputType], others: [], judge: parseExactMatch(task, new Map()) };
  if (!Array.isArray(list)) throw new BadDataError(`metric_list of the task ${task} has to be a list`, { task });
  const entries = list.map((entry) => asSettings(entry, `metric_list of the task ${task}`));
  const named = entries.map((entry) => {
    const metric = entry.get("metric");
    if (metric instanceof FunctionReference) return metric.toString();
    if (typeof metric === "string") return metric;
    throw new BadDataError(`metric_list of the task ${task} has an entry without "metric"; name it`, { task });
  });
  const ours: readonly string[] = measured[outputType];
  const metrics = [...new Set(named.filter((metric): metric is TaskMetric => ours.includes(metric)))];
  const others = named.filter((metric) => !ours.includes(metric));
  if (metrics.length === 0) {
    throw new FailedPreconditionError(
      `the task ${task} measures ${others.join(", ") || "nothing"}; of ${outputType} tasks there are ${ours.join(", ")}`,
      { task },
    );
  }
  return { metrics, others, judge: parseExactMatch(task, entries[named.indexOf("exact_match")] ?? new Map()) };
}
