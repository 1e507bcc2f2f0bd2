import { UsageError, type OptionTable } from "@mbs/contracts";

/** What `evaluate` takes for tasks. */
export const taskOptions = {
  tasks: {
    kind: "list",
    optional: true,
    placeholder: "NAME,…",
    description: "tasks, groups or tags to answer, in the format of lm-evaluation-harness; patterns such as xnli_* too",
  },
  taskPath: {
    kind: "resource",
    resource: "tasks",
    many: true,
    optional: true,
    description: "folder of tasks: your copy of lm_eval/tasks, or your own YAML files",
  },
  taskRows: {
    kind: "resource",
    resource: "rows",
    optional: true,
    description: "folder of the tasks' datasets, DATASET/CONFIGURATION/SPLIT.jsonl or .parquet (the Hub)",
  },
  fewShot: {
    kind: "integer",
    optional: true,
    minimum: 0,
    maximum: 1000,
    description: "examples before each question (as each task says)",
  },
  fewShotSeed: { kind: "integer", default: 1234, minimum: 0, description: "seed of the choice of examples" },
  taskLimit: { kind: "integer", optional: true, minimum: 1, description: "documents of each task, the first ones (all)" },
  longPrompts: {
    kind: "choice",
    choices: ["cut", "refuse"],
    default: "cut",
    description: "a prompt that is longer than the model's context loses its beginning, which is counted, or ends the evaluation",
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
  readonly longPrompts: "cut" | "refuse";
}

/** @throws {UsageError} on tasks without a folder of them, and on options of tasks without tasks */
export function checkTaskOptions({ tasks, taskPath, taskRows, fewShot, taskLimit }: TaskChoice): void {
  if (tasks !== undefined) {
    if (taskPath !== undefined) return;
    throw new UsageError("--tasks needs --task-path, a folder of tasks: your copy of lm_eval/tasks, or your own YAML files", {
      option: "--task-path",
    });
  }
  const given = { "--task-path": taskPath, "--task-rows": taskRows, "--few-shot": fewShot, "--task-limit": taskLimit };
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined) throw new UsageError(`${option} goes with --tasks; name tasks, or leave it out`, { option });
  }
}
