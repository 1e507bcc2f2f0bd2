import { BadDataError, FailedPreconditionError, quoted } from "@mbs/contracts";
import { choiceMetrics, type TaskMetric } from "../task.ts";
import { FunctionReference } from "../yaml/function-reference.ts";
import { asSettings, type Settings } from "../yaml/read-yaml.ts";
import type { TaskSettings } from "./task-settings.ts";
import { pythonExpression, substitute } from "../python/regular-expression.ts";

/** 1 where an answer is one of the targets, else 0. */
type Judge = (answer: string, targets: readonly string[]) => number;

const flags = ["ignore_case", "ignore_punctuation", "ignore_numbers"] as const;
const known = new Set<string>(["metric", "aggregation", "higher_is_better", "hf_evaluate", "regexes_to_ignore", ...flags]);

/** The metric exact_match, with what it ignores on both sides. `settings` is its entry in metric_list. */
function parseExactMatch(task: string, settings: Settings): Judge {
  const about = `exact_match of the task ${task}`;
  for (const key of settings.keys())
    if (!known.has(key))
      throw new FailedPreconditionError(`${about} has the setting ${quoted(key)}; there are ${[...known].join(", ")}`, { task });
  const [ignoreCase, ignorePunctuation, ignoreNumbers] = flags.map((flag) => settings.get(flag) === true);
  const patterns = settings.get("regexes_to_ignore") ?? [];
  if (!Array.isArray(patterns)) throw new BadDataError(`${about}: regexes_to_ignore has to be a list`, { task });
  const expressions = patterns.map((pattern) => {
    if (typeof pattern !== "string") throw new BadDataError(`${about}: regexes_to_ignore has to be a list of texts`, { task });
    return pythonExpression(pattern, about);
  });
  const reduce = (text: string): string => {
    let rest = expressions.reduce((part, expression) => substitute(expression, "", part), text);
    if (ignoreCase === true) rest = rest.toLowerCase();
    if (ignorePunctuation === true) rest = rest.replace(/[!-/:-@[-`{-~]/g, "");
    return ignoreNumbers === true ? rest.replace(/[0-9]/g, "") : rest;
  };
  return (answer, targets) => {
    const reduced = reduce(answer);
    return targets.some((target) => reduce(target) === reduced) ? 1 : 0;
  };
}

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
