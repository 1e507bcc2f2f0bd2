export { listTasks, summariseTasks } from "./list-tasks.ts";
export type { TaskName, TaskSummary } from "./list-tasks.ts";
export { openTasks } from "./open-tasks.ts";
export { stripEnd } from "./python/text.ts";
export { taskMetrics } from "./task.ts";
export type {
  Choice,
  ChoiceDocument,
  GenerationDocument,
  OpenTasksOptions,
  ReadTaskRows,
  ScoredText,
  Task,
  TaskDataset,
  TaskDocument,
  TaskGroup,
  TaskMetric,
  TaskRow,
  TaskSet,
} from "./task.ts";
