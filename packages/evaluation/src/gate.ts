import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import { firstModel, type ScoresReport } from "./scores-report.ts";
import { firstMetrics, type TasksReport } from "./tasks/task-results.ts";

/** What a model must keep. */
export interface GateLimits {
  /** Relative rise of perplexity above the reference, in any language: 0.05 is 5%. */
  readonly maxWorstRise?: number | undefined;
  /** Mean KL divergence from the first model in any language, nats a token. */
  readonly maxKl?: number | undefined;
  /** Least share of right answers, by task or group of tasks; `*` is every task. */
  readonly minTask?: ReadonlyMap<string, number> | undefined;
  /** Most that the share of right answers of any task may lie below the reference's: 0.02 is 2 points. */
  readonly maxTaskLoss?: number | undefined;
  /** `point`: the value is beyond the limit; `interval`: so is its whole 95% interval. */
  readonly by: "interval" | "point";
}

/** One figure of one model, compared with its limit. */
export interface GateCheck {
  readonly model: string;
  /** "" where a task names none. */
  readonly language: string;
  /** Task or group; absent where the figure is of a text. */
  readonly task?: string;
  readonly figure: "rise" | "kl" | "task" | "task-loss";
  readonly value: number;
  /** 95% */
  readonly interval: Interval;
  readonly limit: number;
  readonly exceeds: boolean;
}

type Measured = Omit<GateCheck, "limit" | "exceeds">;

/** Whether the limit is the least or the most that a figure may be. */
const isLeast = ({ figure }: Measured): boolean => figure === "task";

/** @throws {FailedPreconditionError} where the interval decides and there is none */
function check(measured: Measured, limit: number, by: GateLimits["by"]): GateCheck {
  const { model, language, task, value, interval } = measured;
  const [low, high] = interval;
  if (by === "interval" && Number.isNaN(low)) {
    const what = task === undefined ? `windows of ${language}` : `documents of ${task}`;
    throw new FailedPreconditionError(
      `${model} has fewer than five ${what}, so no interval; evaluate more of them, or take --by point`,
      { model, language },
    );
  }
  const exceeds = isLeast(measured) ? (by === "interval" ? high : value) < limit : (by === "interval" ? low : value) > limit;
  return { ...measured, limit, exceeds };
}

interface Named {
  readonly model: string;
  readonly language: string;
}

function checkTexts({ results, pairs, distances }: ScoresReport, reference: string, limits: GateLimits): GateCheck[] {
  const { maxWorstRise, maxKl, by } = limits;
  const missing = (model: string, language: string, what: string): never => {
    throw new FailedPreconditionError(`${model} has no ${what} in ${language}; evaluate it together with ${reference}`, {
      model,
      language,
    });
  };
  const checked = results.filter(({ model }) => model !== reference);
  if (checked.length === 0) {
    throw new FailedPreconditionError(
      "the scores have no perplexities to compare: evaluate the model beside the dense one, with --corpus",
    );
  }
  return checked.flatMap(({ model, language }) => {
    const isSame = (other: Named): boolean => other.model === model && other.language === language;
    const checks: GateCheck[] = [];
    if (maxWorstRise !== undefined) {
      const { rise, interval } = pairs.find(isSame) ?? missing(model, language, "rise on the same windows");
      checks.push(check({ model, language, figure: "rise", value: rise, interval }, maxWorstRise, by));
    }
    if (maxKl !== undefined) {
      const { kl, klInterval } = distances.find(isSame) ?? missing(model, language, "KL divergence (evaluate --distances on)");
      checks.push(check({ model, language, figure: "kl", value: kl, interval: klInterval }, maxKl, by));
    }
    return checks;
  });
}

function checkTasks({ results, pairs, means }: TasksReport, reference: string, limits: GateLimits): GateCheck[] {
  const { minTask = new Map<string, number>(), maxTaskLoss, by } = limits;
  const isCompared = ({ model }: Named): boolean => model !== reference;
  const tasks = firstMetrics(results.filter(isCompared));
  if (tasks.length === 0) {
    throw new FailedPreconditionError("the scores have no tasks of a compressed model: evaluate with --tasks");
  }
  const groups = means.filter(({ of, model }) => of === "group" && model !== reference);
  const checks: GateCheck[] = [];
  for (const [name, least] of minTask) {
    const chosen = [
      ...tasks.filter(({ task }) => name === "*" || task === name),
      ...groups.filter((group) => group.name === name).map((group) => ({ ...group, task: group.name, language: "" })),
    ];
    if (chosen.length === 0) {
      const known = [...new Set([...tasks.map(({ task }) => task), ...groups.map((group) => group.name)])];
      throw new UsageError(`--min-task: the scores have no task ${name}; they have ${known.join(", ")}`, {
        option: "--min-task",
      });
    }
    for (const { model, language, task, value, interval } of chosen) {
      checks.push(check({ model, language, task, figure: "task", value, interval }, least, by));
    }
  }
  if (maxTaskLoss !== undefined) {
    for (const { model, language, task, difference, interval } of firstMetrics(pairs)) {
      const [low, high] = interval;
      const loss = { value: -difference, interval: [-high, -low] as const };
      checks.push(check({ model, language, task, figure: "task-loss", ...loss }, maxTaskLoss, by));
    }
  }
  return checks;
}

/**
 * Compares every model but the reference, in every language and task, with the limits.
 *
 * @throws {UsageError} where there is no limit, or a task is named that the scores do not have
 * @throws {FailedPreconditionError} where a figure was not measured, or has no interval and needs one
 */
export function checkGate(report: ScoresReport, limits: GateLimits): readonly GateCheck[] {
  const { maxWorstRise, maxKl, minTask, maxTaskLoss } = limits;
  const [texts, tasks] = [maxWorstRise ?? maxKl, minTask ?? maxTaskLoss].map((limit) => limit !== undefined);
  if (!texts && !tasks) {
    throw new UsageError("nothing to check: give --max-worst-rise, --max-kl, --min-task or --max-task-loss");
  }
  const reference = firstModel(report);
  return [...(texts ? checkTexts(report, reference, limits) : []), ...(tasks ? checkTasks(report.tasks, reference, limits) : [])];
}
