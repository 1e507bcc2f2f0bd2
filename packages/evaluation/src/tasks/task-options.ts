import { UsageError, type OptionTable } from "@mbs/contracts";

/** What `evaluate` takes for tasks. */
export const taskOptions = {
  tasks: {
    group: "Tasks",
    kind: "list",
    optional: true,
    placeholder: "NAME,…",
    description: "tasks, groups or tags of lm-evaluation-harness' format, patterns too; mbs tasks lists them",
  },
  taskPath: {
    group: "Tasks",
    kind: "resource",
    resource: "tasks",
    many: true,
    optional: true,
    description: "folder of tasks: your copy of lm_eval/tasks, or your own YAML files",
  },
  taskRows: {
    group: "Tasks",
    kind: "resource",
    resource: "rows",
    optional: true,
    description: "folder of the tasks' datasets, DATASET/CONFIGURATION/SPLIT.jsonl or .parquet (the Hub)",
  },
  fewShot: {
    group: "Tasks",
    kind: "integer",
    optional: true,
    minimum: 0,
    maximum: 1000,
    description: "examples before each question (as each task says)",
  },
  fewShotSeed: { group: "Tasks", kind: "integer", default: 1234, minimum: 0, description: "seed of the choice of examples" },
  taskLimit: {
    group: "Tasks",
    kind: "integer",
    optional: true,
    minimum: 1,
    description: "documents of each task, the first ones (all)",
  },
  answerTokens: {
    group: "Tasks",
    kind: "integer",
    optional: true,
    minimum: 1,
    maximum: 1 << 15,
    description: "tokens of a written answer at most (as each task says)",
  },
  longPrompts: {
    group: "Tasks",
    kind: "choice",
    choices: ["cut", "refuse"],
    default: "cut",
    description: "cut a prompt that is longer than the model's context at its beginning, and count it, or end with an error",
  },
} as const satisfies OptionTable;

/** The options of tasks, parsed. */
export interface TaskChoice {
  readonly tasks: readonly string[] | undefined;
  readonly taskPath: readonly string[] | undefined;
  readonly taskRows: string | undefined;
  readonly fewShot: number | undefined;
  readonly fewShotSeed: number;
  readonly taskLimit: number | undefined;
  readonly answerTokens: number | undefined;
  readonly longPrompts: "cut" | "refuse";
}

/** @throws {UsageError} on tasks without a folder of them, and on options of tasks without tasks */
export function checkTaskOptions({ tasks, taskPath, taskRows, fewShot, taskLimit, answerTokens }: TaskChoice): void {
  if (tasks !== undefined) {
    if (taskPath !== undefined) return;
    throw new UsageError("--tasks needs --task-path, a folder of tasks: your copy of lm_eval/tasks, or your own YAML files", {
      option: "--task-path",
    });
  }
  const given = {
    "--task-path": taskPath,
    "--task-rows": taskRows,
    "--few-shot": fewShot,
    "--task-limit": taskLimit,
    "--answer-tokens": answerTokens,
  };
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined) throw new UsageError(`${option} goes with --tasks; name tasks, or leave it out`, { option });
  }
}
