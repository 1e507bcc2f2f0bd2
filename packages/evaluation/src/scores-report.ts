import { collectScores, parseMetadata, type Score, type TaskScore } from "@mbs/artifacts";
import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { averageLanguages, type ModelAverages } from "./averages.ts";
import { leastWindows } from "./bootstrap.ts";
import { summariseDistances, type LanguageDistance } from "./language-distances.ts";
import { comparePairs, type PairedDifference } from "./pairs.ts";
import { readScoredModels, type ScoredModel } from "./scored-models.ts";
import { readScoredGroups, readScoredTasks, type ScoredGroup, type ScoredTask } from "./tasks/scored-tasks.ts";
import { reportTasks, type TasksReport } from "./tasks/task-results.ts";
import { summarise, summariseSources, type LanguageResult, type SourceResult } from "./results.ts";

/** What `mbs evaluate --json` prints. */
export interface ScoresReport {
  readonly results: readonly LanguageResult[];
  /** One entry a model, all three averages in it. */
  readonly averages: readonly ModelAverages[];
  /** Every other model against the reference. */
  readonly pairs: readonly PairedDifference[];
  /** Every model whose distributions were compared with those of the first one. */
  readonly distances: readonly LanguageDistance[];
  /** Results by source, where sources were kept apart. */
  readonly sources: readonly SourceResult[];
  /** Answers to tasks. */
  readonly tasks: TasksReport;
  /** What could not be compared, or has no interval, and why. */
  readonly notes: readonly string[];
}

/** Without intervals nothing can be claimed, so that finding nothing then means nothing. */
function noteFewWindows(results: readonly LanguageResult[]): string[] {
  const few = new Set(results.filter(({ windows }) => windows < leastWindows).map(({ language }) => language));
  if (few.size === 0) return [];
  return [
    `fewer than ${leastWindows} windows of ${[...few].join(", ")}: no intervals there, nor of means over languages, so nothing can be claimed of them; give more text of them, or, where it is below ${leastWindows}, a larger --windows`,
  ];
}

/** Rounding activations is part of what is measured: a rise above a model in float32 is not of the weights alone. */
function noteActivations(models: ReadonlyMap<string, ScoredModel>): string[] {
  const rounded = [...models].filter(([, { activations }]) => activations === "int8").map(([name]) => name);
  if (rounded.length === 0) return [];
  return [
    `${rounded.join(", ")}: evaluated with activations rounded to 8 bits (--activations int8); not to be compared with scores in float32`,
  ];
}

/** Answers are easier than questions, and end tokens easier than both. */
const noteAssistant = (models: ReadonlyMap<string, ScoredModel>): string[] =>
  [...models.values()].some(({ assistantOnly }) => assistantOnly === true)
    ? ["the assistant's tokens alone are scored (--assistant-only); not to be compared with scores of whole texts"]
    : [];

/** The names of a list, the first three of many. */
const someOf = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

/** What other programs compute with such a model is NaN. */
const noteNonfinite = (models: ReadonlyMap<string, ScoredModel>): string[] =>
  [...models].flatMap(([name, { nonfinite = [] }]) =>
    nonfinite.length === 0
      ? []
      : [
          `${name}: NaN and Inf of ${someOf(nonfinite)} were read as 0 (--allow-nonfinite); other programs will compute NaN with it`,
        ],
  );

/** Fewer rows make the softmax smaller, and perplexity lower, by themselves. */
function noteVocabularies(models: ReadonlyMap<string, ScoredModel>): string[] {
  const parts = [...models].flatMap(([name, { vocabulary }]) => (vocabulary === undefined ? [] : [{ name, ...vocabulary }]));
  const named = (isRestricted: boolean): string =>
    parts
      .filter((part) => part.isRestricted === isRestricted)
      .map(({ name, rows, of }) => `${name} (${rows} of ${of} rows)`)
      .join(", ");
  const [restricted, trimmed] = [named(true), named(false)];
  if (trimmed === "") return [];
  return [
    restricted === ""
      ? `${trimmed}: trimmed; not to be compared with scores of the model before that, which has a larger softmax: evaluate both together`
      : `${restricted}: restricted to the rows of ${trimmed}, with the same tokens; not to be compared with scores over the whole vocabulary`,
  ];
}

/** Nats a token. Between models so near to the first one, KL was found to say nothing about which of them is better. */
const nearLossless = 0.001;

function noteNearLossless(distances: readonly LanguageDistance[]): string[] {
  const models = [...new Set(distances.map(({ model }) => model))];
  const near = models.filter((name) => distances.every(({ model, kl }) => model !== name || kl < nearLossless));
  if (near.length === 0) return [];
  return [
    `${near.join(", ")}: KL below ${nearLossless} nats a token in every language, nearly lossless; differences of KL this small do not show which model is better`,
  ];
}

/** What is known beside the losses of windows. */
export interface ScoresAbout {
  /** Training mixture for the weighted average, on any scale. */
  readonly shares?: Readonly<Record<string, number>> | undefined;
  /** The model that others are compared with; default the first. */
  readonly reference?: string | undefined;
  /** As the scores' metadata describe them, by name. */
  readonly models?: ReadonlyMap<string, ScoredModel>;
  readonly tasks?: {
    readonly scores: readonly TaskScore[];
    readonly tasks: ReadonlyMap<string, ScoredTask>;
    readonly groups: ReadonlyMap<string, ScoredGroup>;
  };
}

/**
 * Sums up the scores of any number of models.
 *
 * @throws {UsageError} where the reference has no scores
 */
export function scoresReport(
  scores: readonly Score[],
  { shares, reference, models = new Map(), tasks }: ScoresAbout = {},
): ScoresReport {
  const { pairs, notes } = comparePairs(scores, reference);
  const results = summarise(scores);
  const distances = summariseDistances(scores);
  return {
    results,
    averages: averageLanguages(scores, shares, reference),
    pairs,
    distances,
    sources: summariseSources(scores),
    tasks: reportTasks(tasks?.scores ?? [], tasks ?? { tasks: new Map(), groups: new Map() }, reference),
    notes: [
      ...noteActivations(models),
      ...noteAssistant(models),
      ...noteNonfinite(models),
      ...noteVocabularies(models),
      ...notes,
      ...noteFewWindows(results),
      ...noteNearLossless(distances),
    ],
  };
}

/**
 * The model that stands first in the scores.
 *
 * @throws {BadDataError} where there is none
 */
export function firstModel({ results, tasks }: ScoresReport): string {
  const first = results[0]?.model ?? tasks.results[0]?.model;
  if (first === undefined) throw new BadDataError("the scores are of no model; evaluate again");
  return first;
}

/**
 * Sums up an artifact of scores.
 *
 * @throws as `collectScores` and `scoresReport`
 */
export async function readScoresReport(stream: ArtifactStream): Promise<ScoresReport> {
  const { shares, models, tasks, groups } = parseMetadata("scores", stream.schema);
  const scores = await collectScores(stream);
  return scoresReport(scores.windows, {
    shares,
    models: readScoredModels(models),
    tasks: { scores: scores.tasks, tasks: readScoredTasks(tasks), groups: readScoredGroups(groups) },
  });
}
