import { BadDataError, UsageError } from "@mbs/contracts";
import { parseFilters } from "./answers/filters.ts";
import { parseGenerationLimits } from "./answers/generation-limits.ts";
import { readCatalogue } from "./catalogue/catalogue.ts";
import { matchNames } from "./catalogue/match-names.ts";
import { resolveTasks, type ResolvedTask } from "./catalogue/resolve-tasks.ts";
import { parseMetrics } from "./configuration/metrics.ts";
import { languageOf } from "./configuration/task-language.ts";
import { parseTaskSettings, withoutFunctions, type SettingsContext } from "./configuration/task-settings.ts";
import { EvaluationTask } from "./evaluation-task.ts";
import { createHelpers } from "./helpers/helpers.ts";
import { print } from "./python/print.ts";
import type { OpenTasksOptions, Task, TaskSet } from "./task.ts";
import { createTemplateReader } from "./template/template.ts";
import { createSettingsReader } from "./yaml/merged-settings.ts";

const defaultSeed = 1234;

/**
 * Opens tasks, with the groups that show them as one figure. Rows are not read yet.
 *
 * @param names of tasks, groups and tags; `*`, `?` and `[…]` stand for what they do in lm-evaluation-harness
 * @throws {UsageError} where a name or path stands for nothing
 * @throws {FailedPreconditionError} naming a task and what of it this program does not have
 * @throws {BadDataError} naming a file that cannot be read, or a setting that is wrong
 */
export async function openTasks(names: readonly string[], options: OpenTasksOptions): Promise<TaskSet> {
  const { fewShot, fewShotSeed = defaultSeed } = options;
  if (fewShot !== undefined && !(Number.isInteger(fewShot) && fewShot >= 0))
    throw new UsageError(`${fewShot} examples are not possible; give a whole number from 0`);
  if (!(Number.isSafeInteger(fewShotSeed) && fewShotSeed >= 0))
    throw new UsageError(`${fewShotSeed} is no seed; give a whole number from 0`);
  const catalogue = await readCatalogue(options.paths);
  const resolved = await resolveTasks(matchNames(names, catalogue), catalogue, createSettingsReader());
  const open = createOpener({ fewShot, seed: fewShotSeed, warn: options.warn });
  const tasks: Task[] = [];
  for (const task of resolved.tasks) tasks.push(await open(task));
  return { tasks, groups: resolved.groups };
}

interface OpenerOptions {
  readonly fewShot?: number | undefined;
  readonly seed?: number;
  readonly warn?: ((message: string) => void) | undefined;
}

/** Opens tasks that share helpers, templates and what was warned of already. */
export function createOpener({ fewShot, seed = defaultSeed, warn }: OpenerOptions): (task: ResolvedTask) => Promise<Task> {
  const warnOnce = createWarner(warn);
  const context: OpenContext = {
    helpers: createHelpers(warnOnce),
    readTemplate: createTemplateReader(),
    warnOnce,
    fewShot,
    seed,
  };
  return (task) => openTask(task, context);
}

interface OpenContext extends SettingsContext {
  readonly warnOnce: (key: string, message: string) => void;
  readonly fewShot: number | undefined;
  readonly seed: number;
}

/** Thousands of tasks share a template and its oddities, so each is warned of once. */
function createWarner(warn: ((message: string) => void) | undefined): (key: string, message: string) => void {
  const told = new Set<string>();
  return (key, message) => {
    if (told.has(key)) return;
    told.add(key);
    warn?.(message);
  };
}

async function openTask(resolved: ResolvedTask, context: OpenContext): Promise<Task> {
  const { name, settings: raw } = resolved;
  const settings = await parseTaskSettings(resolved, context);
  const metrics = parseMetrics(name, settings.outputType, raw);
  const isGenerated = settings.outputType === "generate_until";
  const limits = parseGenerationLimits(name, isGenerated ? raw : new Map());
  const { filter, others } = parseFilters(name, isGenerated ? raw.get("filter_list") : undefined);
  if (settings.outputType === "multiple_choice" && settings.choices === undefined)
    throw new BadDataError(`the task ${name} has no doc_to_choice; add it`, { task: name });
  warnOfTheRest(
    name,
    { metrics: metrics.others, filters: others, sampled: limits.sampled, repeats: raw.get("repeats") },
    context,
  );
  // As in lm-evaluation-harness, a task that says 0 keeps it.
  const fewShot = settings.fewShotCount === 0 ? 0 : (context.fewShot ?? settings.fewShotCount ?? 0);
  if (fewShot !== (context.fewShot ?? fewShot))
    context.warnOnce("few-shot", `the task ${name} says num_fewshot: 0, and so has no examples`);
  return new EvaluationTask({
    settings,
    metrics,
    filter,
    limits,
    fewShot,
    seed: context.seed,
    version: print(withoutFunctions(settings.metadata.get("version") ?? "", name)),
    language: languageOf(resolved),
  });
}

interface Unfollowed {
  readonly metrics: readonly string[];
  readonly filters: readonly string[];
  readonly sampled: boolean;
  readonly repeats: unknown;
}

function warnOfTheRest(task: string, { metrics, filters, sampled, repeats }: Unfollowed, { warnOnce }: OpenContext): void {
  if (metrics.length > 0)
    warnOnce(`metrics ${metrics.join(" ")}`, `the task ${task} has metrics that are not measured here: ${metrics.join(", ")}`);
  if (filters.length > 0)
    warnOnce(
      `filters ${filters.join(" ")}`,
      `the task ${task} has more than one way to filter answers; the first counts, not ${filters.join(", ")}`,
    );
  if (sampled) warnOnce("sampled", `the task ${task} wants answers drawn at random; here the most likely token is taken`);
  if (typeof repeats === "number" && repeats > 1)
    warnOnce("repeats", `the task ${task} wants ${repeats} answers a question; here it is one`);
}
