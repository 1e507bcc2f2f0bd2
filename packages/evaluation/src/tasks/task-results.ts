import type { TaskScore } from "@mbs/artifacts";
import { at, BadDataError, groupBy } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import type { TaskMetric } from "@mbs/tasks";
import { bootstrapInterval, drawWindows, leastWindows, resamples } from "../bootstrap.ts";
import { excludesZero } from "../pairs.ts";
import { collectAnswers } from "./answers.ts";
import type { Answers, TaskAnswers } from "./answers.ts";
import type { ScoredGroup, ScoredTask } from "./scored-tasks.ts";

/** One model on one task by one metric. Intervals are 95% bootstrap intervals over documents; NaN (null in JSON) of fewer than five. */
export interface TaskResult {
  readonly model: string;
  readonly task: string;
  /** BCP 47; "" where the task names none. */
  readonly language: string;
  readonly metric: TaskMetric;
  /** Share of right answers. */
  readonly value: number;
  readonly interval: Interval;
  readonly documents: number;
  /** What guessing gives; null for answers in text. */
  readonly chance: number | null;
  /** Whether the whole interval lies above chance; false where there is no interval, or no chance. */
  readonly aboveChance: boolean;
}

/** A model's answers against those of the reference, on the same documents. */
export interface TaskPair {
  readonly model: string;
  readonly reference: string;
  readonly task: string;
  readonly language: string;
  readonly metric: TaskMetric;
  /** Share of right answers, less the reference's. */
  readonly difference: number;
  /** 95% paired bootstrap interval over documents. */
  readonly interval: Interval;
  /** Whether the interval does, and McNemar's exact test too: of few flips the bootstrap alone is too sure. */
  readonly excludesZero: boolean;
  /** Share of documents whose answer was right and is wrong now, or the other way round. @see arXiv:2407.09141 */
  readonly flips: number;
  readonly flipsInterval: Interval;
  /** Share of documents: right by the reference, wrong by the model. */
  readonly lost: number;
  /** Wrong by the reference, right by the model. */
  readonly gained: number;
  /** Share of documents with another answer, right or wrong. */
  readonly changed: number;
}

/** The mean of several tasks: of a group, or of all tasks of one language. */
export interface TaskMean {
  readonly model: string;
  /** Name of the group, or the language. */
  readonly name: string;
  readonly of: "group" | "language";
  readonly tasks: readonly string[];
  /** Of the first metric of each task. */
  readonly value: number;
  readonly interval: Interval;
  /** The same mean of what guessing gives; null where a task has answers in text. */
  readonly chance: number | null;
  /** As of a result. */
  readonly aboveChance: boolean;
  /** Less the reference's; absent for the reference. */
  readonly difference?: number;
  readonly differenceInterval?: Interval;
  /** Mean share of flipped answers; absent for the reference. */
  readonly flips?: number;
  readonly flipsInterval?: Interval;
}

/** What `mbs evaluate --tasks … --json` prints of tasks. */
export interface TasksReport {
  readonly results: readonly TaskResult[];
  readonly pairs: readonly TaskPair[];
  readonly means: readonly TaskMean[];
  readonly notes: readonly string[];
}

/** Of each model and task the row of its first metric: what is shown where there is space for one. */
export const firstMetrics = <Row extends { readonly model: string; readonly task: string }>(
  rows: readonly Row[],
): readonly Row[] => [...groupBy(rows, ({ model, task }) => JSON.stringify([model, task])).values()].map(([first]) => first);

const shareOf = (values: Uint8Array, picks?: Int32Array): number => {
  if (picks === undefined) return values.reduce((sum, value) => sum + value, 0) / values.length;
  let sum = 0;
  for (const pick of picks) sum += at(values, pick);
  return sum / picks.length;
};

/** Of answers that were drawn from before: a task is in its own result, in differences and in means, and drawing takes most of the time. */
const drawn = new WeakMap<Uint8Array, readonly number[]>();

/** The share in each bootstrap draw. The draws depend on task, seed and number of documents alone, so models are paired. */
function drawShares(values: Uint8Array, task: string, seed: number): readonly number[] {
  const shares = drawn.get(values) ?? Array.from(drawWindows(values.length, task, seed), (picks) => shareOf(values, picks));
  drawn.set(values, shares);
  return shares;
}

function metricOf({ byMetric, task }: TaskAnswers, metric: TaskMetric): Answers {
  const found = byMetric.get(metric);
  if (found === undefined) throw new BadDataError(`scores: ${task} was not measured by ${metric}; evaluate again`, { task });
  return found;
}

const firstMetric = ({ byMetric, task }: TaskAnswers): TaskMetric => {
  for (const metric of byMetric.keys()) return metric;
  throw new BadDataError(`scores: ${task} has no metric; evaluate again`, { task });
};

const isAbove = ([low]: Interval, chance: number | null): boolean => chance !== null && low > chance;

function resultsOf(own: TaskAnswers, seed: number): TaskResult[] {
  const { model, task, language, documents, chance = null } = own;
  return [...own.byMetric].map(([metric, { right }]) => {
    const interval = bootstrapInterval(drawShares(right, task, seed), documents.length);
    return {
      model,
      task,
      language,
      metric,
      value: shareOf(right),
      interval,
      documents: documents.length,
      chance,
      aboveChance: isAbove(interval, chance),
    };
  });
}

const differenceOf = (own: readonly number[], other: readonly number[]): readonly number[] =>
  own.map((value, draw) => value - at(other, draw));

const flipped = (own: Answers, other: Answers): Uint8Array =>
  own.right.map((right, index) => Number(right !== other.right[index]));

/**
 * McNemar's exact test.
 *
 * @returns the two-sided probability that of all flips as many or more go one way, where both ways are as likely
 */
function signTest(gained: number, lost: number): number {
  const flips = gained + lost;
  let term = 0.5 ** flips;
  let tail = 0;
  // of more flips than that the term underflows, and the interval is exact enough
  if (term === 0) return 0;
  for (let index = 0; index <= Math.min(gained, lost); index++) {
    tail += term;
    term *= (flips - index) / (index + 1);
  }
  return Math.min(1, 2 * tail);
}

function pairsOf(own: TaskAnswers, other: TaskAnswers, seed: number): TaskPair[] {
  const { model, task, language, documents } = own;
  return [...own.byMetric].map(([metric, answers]) => {
    const reference = metricOf(other, metric);
    const [ownDraws, otherDraws] = [drawShares(answers.right, task, seed), drawShares(reference.right, task, seed)];
    const interval = bootstrapInterval(differenceOf(ownDraws, otherDraws), documents.length);
    const flips = flipped(answers, reference);
    const countWhere = (is: (right: number, before: number) => boolean): number =>
      answers.right.filter((right, document) => is(right, at(reference.right, document))).length;
    const [lost, gained] = [countWhere((right, before) => right < before), countWhere((right, before) => right > before)];
    const changed = answers.answers.filter((answer, document) => answer !== reference.answers[document]).length;
    return {
      model,
      reference: other.model,
      task,
      language,
      metric,
      difference: shareOf(answers.right) - shareOf(reference.right),
      interval,
      excludesZero: excludesZero(interval) && signTest(gained, lost) < 0.05,
      flips: shareOf(flips),
      flipsInterval: bootstrapInterval(drawShares(flips, task, seed), documents.length),
      lost: lost / documents.length,
      gained: gained / documents.length,
      changed: changed / documents.length,
    };
  });
}

/** Tasks that are averaged, with their weights, which sum to 1. */
interface AveragedTasks {
  readonly name: string;
  readonly of: TaskMean["of"];
  readonly weights: ReadonlyMap<string, number>;
}

function averagedTasks(answers: readonly TaskAnswers[], groups: ReadonlyMap<string, ScoredGroup>): AveragedTasks[] {
  const sizes = new Map(answers.map(({ task, documents }) => [task, documents.length]));
  const weigh = (tasks: readonly string[], bySize: boolean): ReadonlyMap<string, number> => {
    const weights = tasks.flatMap((task) => {
      const size = sizes.get(task);
      return size === undefined ? [] : [[task, bySize ? size : 1] as const];
    });
    const sum = weights.reduce((total, [, weight]) => total + weight, 0);
    return new Map(weights.map(([task, weight]) => [task, weight / sum]));
  };
  const byLanguage = groupBy(
    answers.filter(({ language }) => language !== ""),
    ({ language }) => language,
  );
  return [
    ...[...groups].map(([name, group]) => ({ name, of: "group" as const, weights: weigh(group.tasks, group.weightBySize) })),
    ...[...byLanguage].map(([name, own]) => ({
      name,
      of: "language" as const,
      weights: weigh([...new Set(own.map(({ task }) => task))], false),
    })),
  ].filter(({ weights }) => weights.size > 0);
}

/** A weighted mean over tasks of the share of ones, and of each draw. */
function meanOf(weights: ReadonlyMap<string, number>, valuesOf: (task: string) => Uint8Array, seed: number) {
  let value = 0;
  let fewest = Infinity;
  const draws = Array.from({ length: resamples }, () => 0);
  for (const [task, weight] of weights) {
    const values = valuesOf(task);
    fewest = Math.min(fewest, values.length);
    value += weight * shareOf(values);
    for (const [draw, share] of drawShares(values, task, seed).entries()) draws[draw] = at(draws, draw) + weight * share;
  }
  return { value, draws, fewest };
}

type Answered = (task: string) => TaskAnswers;

function taskMean(model: string, own: Answered, other: Answered | undefined, averaged: AveragedTasks, seed: number): TaskMean {
  const { name, of, weights } = averaged;
  const tasks = [...weights.keys()];
  const answersIn = (answered: Answered, task: string): Answers => metricOf(answered(task), firstMetric(own(task)));
  const mean = meanOf(weights, (task) => answersIn(own, task).right, seed);
  const chances = [...weights].map(([task, weight]) => (own(task).chance ?? NaN) * weight);
  const sum = chances.reduce((total, share) => total + share, 0);
  const chance = Number.isNaN(sum) ? null : sum;
  const interval = bootstrapInterval(mean.draws, mean.fewest);
  const common = {
    model,
    name,
    of,
    tasks,
    value: mean.value,
    interval,
    chance,
    aboveChance: isAbove(interval, chance),
  };
  if (other === undefined) return common;
  const reference = meanOf(weights, (task) => answersIn(other, task).right, seed);
  const flips = meanOf(weights, (task) => flipped(answersIn(own, task), answersIn(other, task)), seed);
  return {
    ...common,
    difference: mean.value - reference.value,
    differenceInterval: bootstrapInterval(differenceOf(mean.draws, reference.draws), mean.fewest),
    flips: flips.value,
    flipsInterval: bootstrapInterval(flips.draws, mean.fewest),
  };
}

const sameDocuments = (own: TaskAnswers, other: TaskAnswers): boolean =>
  own.documents.length === other.documents.length && own.documents.every((number, index) => number === other.documents[index]);

function notesOf(answers: readonly TaskAnswers[], results: readonly TaskResult[], reference: string): string[] {
  const cut = answers.flatMap((own) => (own.cut === 0 ? [] : [`${own.cut} of ${own.task} by ${own.model}`]));
  const few = new Set(results.filter(({ documents }) => documents < leastWindows).map(({ task }) => task));
  const own = results.filter(({ model, chance, task }) => model === reference && chance !== null && !few.has(task));
  const guessing = groupBy(own, ({ task }) => task);
  const atChance = [...guessing].filter(([, all]) => all.every(({ aboveChance }) => !aboveChance)).map(([task]) => task);
  return [
    ...(cut.length > 0 ? [`prompts longer than the context were cut at their beginning, documents: ${cut.join(", ")}`] : []),
    ...(few.size > 0 ? [`fewer than five documents of ${[...few].join(", ")}: no intervals there`] : []),
    ...(atChance.length > 0
      ? [
          `${reference} is not above chance in ${atChance.join(", ")}: what other models score there says nothing of what they lost`,
        ]
      : []),
  ];
}

/**
 * Sums up the answers of any number of models to tasks.
 *
 * @param described tasks and groups as the scores' metadata describe them
 * @param reference the model that others are compared with; default the first
 * @throws {BadDataError} where a task is not described, or a document is incomplete
 */
export function reportTasks(
  scores: readonly TaskScore[],
  described: { readonly tasks: ReadonlyMap<string, ScoredTask>; readonly groups: ReadonlyMap<string, ScoredGroup> },
  reference?: string,
  seed = 0,
): TasksReport {
  const answers = collectAnswers(scores, (task) => {
    const found = described.tasks.get(task);
    if (found === undefined) throw new BadDataError(`scores: task ${task} is not described; evaluate again`, { task });
    return found.metrics;
  });
  for (const [name, { tasks }] of described.groups) {
    const missing = tasks.find((task) => !described.tasks.has(task));
    if (missing !== undefined)
      throw new BadDataError(`scores: the group ${name} has the task ${missing}, which was not answered; evaluate again`, {
        group: name,
        task: missing,
      });
  }
  const byModel = groupBy(answers, ({ model }) => model);
  const names = [...byModel.keys()];
  const [first] = names;
  if (first === undefined) return { results: [], pairs: [], means: [], notes: [] };
  const against = reference ?? first;
  const answered = (model: string): Answered => {
    const own = new Map((byModel.get(model) ?? []).map((one) => [one.task, one]));
    return (task) => {
      const found = own.get(task);
      if (found === undefined) throw new BadDataError(`scores: ${model} did not answer ${task}; evaluate again`, { model, task });
      return found;
    };
  };
  const referenceAnswers = byModel.has(against) ? answered(against) : undefined;
  const pairs = answers.flatMap((own) => {
    if (own.model === against || referenceAnswers === undefined) return [];
    const other = referenceAnswers(own.task);
    if (sameDocuments(own, other)) return pairsOf(own, other, seed);
    throw new BadDataError(`scores: ${own.model} and ${against} answered other documents of ${own.task}; evaluate again`, {
      task: own.task,
    });
  });
  const averaged = averagedTasks(byModel.get(first) ?? [], described.groups);
  const means = names.flatMap((model) =>
    averaged.map((one) => taskMean(model, answered(model), model === against ? undefined : referenceAnswers, one, seed)),
  );
  const results = answers.flatMap((own) => resultsOf(own, seed));
  return { results, pairs, means, notes: notesOf(answers, results, against) };
}
