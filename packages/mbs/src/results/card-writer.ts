import { basename, isAbsolute } from "node:path";
import { collectScores, openArtifact, parseMetadata } from "@mbs/artifacts";
import type { Score, TaskScore } from "@mbs/artifacts";
import { describeModel } from "@mbs/assembly";
import type { CardAnswers, CardResults, CardRow, CardScore } from "@mbs/assembly";
import { FailedPreconditionError, isObject } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { readScoredGroups, readScoredModels, readScoredTasks, scoresReport } from "@mbs/evaluation";
import type { Average, ModelAverages, ScoredGroup, ScoredTask, TasksReport } from "@mbs/evaluation";
import { findResource, parseRecipe, readRecipeText } from "@mbs/pipeline";
import { reportByTrainingShare } from "@mbs/reporting";
import { parse, stringify } from "yaml";

const scoreOf = ({ perplexity, interval, rise, riseInterval }: Average): CardScore => ({
  perplexity,
  interval,
  ...(rise !== undefined && riseInterval !== undefined && { rise, riseInterval }),
});

function averageRow(label: string, averages: readonly ModelAverages[], key: "unweighted" | "weighted"): CardRow[] {
  const scores = averages.map((average) => average[key]);
  return scores.some((score) => score !== undefined) ? [{ label, scores: scores.map((score) => score && scoreOf(score)) }] : [];
}

/** A model whose scores are not those of float32, if there is one. */
function roundedModel({ schema }: ArtifactStream): { readonly model: string; readonly activations: string } | undefined {
  for (const [model, { activations }] of readScoredModels(parseMetadata("scores", schema).models)) {
    if (activations !== undefined) return { model, activations };
  }
  return undefined;
}

/** Right answers to each task, by each of its metrics, and to groups of tasks. */
function answersOf({ results, pairs, means }: TasksReport): CardAnswers[] {
  const tasks = results.map(({ model, task, metric, value, interval, chance }): CardAnswers => {
    const pair = pairs.find((one) => one.model === model && one.task === task && one.metric === metric);
    const against = pair && { difference: pair.difference, differenceInterval: pair.interval, flips: pair.flips };
    return { model, task, metric, value, interval, chance, ...against };
  });
  const groups = means
    .filter(({ of }) => of === "group")
    .map(({ model, name, value, interval, chance, difference, differenceInterval, flips }): CardAnswers => {
      const against = difference !== undefined && differenceInterval !== undefined && flips !== undefined;
      return {
        model,
        task: name,
        metric: "mean",
        value,
        interval,
        chance,
        ...(against && { difference, differenceInterval, flips }),
      };
    });
  return [...tasks, ...groups];
}

/**
 * Sums scores up for a model card.
 *
 * @param streams artifacts of kind scores; the first model of the first is what others are compared with
 * @param address of the model that the card is of
 * @throws {FailedPreconditionError} where activations were rounded
 */
async function readCardResults(streams: readonly ArtifactStream[], address: string): Promise<CardResults> {
  const scores: Score[] = [];
  const answers: TaskScore[] = [];
  const [tasks, groups] = [new Map<string, ScoredTask>(), new Map<string, ScoredGroup>()];
  const corpora = new Set<string>();
  let shares: Readonly<Record<string, number>> | undefined;
  for (const stream of streams) {
    const metadata = parseMetadata("scores", stream.schema);
    if (metadata.corpus !== "") corpora.add(metadata.corpus);
    const rounded = roundedModel(stream);
    if (rounded !== undefined) {
      const { model, activations } = rounded;
      throw new FailedPreconditionError(
        `scores: ${model} was evaluated with activations in ${activations}, and a card states what is measured in float32; evaluate again without --activations`,
        { model },
      );
    }
    shares ??= metadata.shares;
    for (const [name, task] of readScoredTasks(metadata.tasks)) tasks.set(name, task);
    for (const [name, group] of readScoredGroups(metadata.groups)) groups.set(name, group);
    const all = await collectScores(stream);
    scores.push(...all.windows);
    answers.push(...all.tasks);
  }
  const report = scoresReport(scores, { shares, tasks: { scores: answers, tasks, groups } });
  const { results, pairs, averages, distances, tasks: answered } = reportByTrainingShare(report, shares);
  const models = [...new Set([...averages, ...answered.results].map(({ model }) => model))];
  const languages = [...new Set(results.map(({ language }) => language))].map((label): CardRow => ({
    label,
    scores: models.map((model) => {
      const isIt = (entry: { readonly model: string; readonly language: string }): boolean =>
        entry.model === model && entry.language === label;
      const [found, pair] = [results.find(isIt), pairs.find(isIt)];
      if (found === undefined) return undefined;
      const { perplexity, interval } = found;
      return { perplexity, interval, ...(pair && { rise: pair.rise, riseInterval: pair.interval }) };
    }),
  }));
  // Of the first model the language of the highest perplexity, of others the one that rose most above it.
  const worst: CardRow = {
    label: "worst language",
    scores: averages.map(({ model, worst: highest, worstRise }) => {
      const language = worstRise?.language ?? highest.language;
      const score = languages.find(({ label }) => label === language)?.scores[models.indexOf(model)];
      return score && { ...score, language };
    }),
  };
  return {
    models,
    subject: [...scores, ...answers].find((score) => score.address === address)?.model,
    languages,
    averages: [
      ...averageRow("mean of languages", averages, "unweighted"),
      ...averageRow("weighted by training share", averages, "weighted"),
      ...(averages.length > 0 ? [worst] : []),
    ],
    distances,
    tasks: answersOf(answered),
    corpora: [...corpora],
  };
}

/** What a model's card is made of beside its mbs.json; paths of files. */
export interface CardFiles {
  readonly scores: readonly string[];
  readonly recipe?: string | undefined;
}

/** Paths shortened to names: the folders of this machine mean nothing to a reader elsewhere. */
const withoutFolders = (value: unknown): unknown => {
  if (typeof value === "string") return isAbsolute(value) ? basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutFolders(entry)]));
};

/** A recipe for the card: without its output and the addresses of its nodes, which recipe.yaml has. */
function shortened(recipe: string): string {
  const { output: _output, hashes, ...rest } = parse(recipe) as Record<string, unknown>;
  const { nodes: _nodes, ...inputs } = (hashes ?? {}) as Record<string, unknown>;
  return stringify(withoutFolders({ ...rest, ...(Object.keys(inputs).length > 0 && { hashes: inputs }) }));
}

/** The name of the model that a recipe compresses: the last part of its path. */
function nameIn(recipe: string): string | undefined {
  const { model } = parse(recipe) as { readonly model?: unknown };
  return typeof model === "string" ? basename(model) : undefined;
}

/** @throws as readRecipe, where a file is no recipe */
async function recipeAt(path: string): Promise<string> {
  const text = await readRecipeText(path);
  parseRecipe(text, path);
  return shortened(text);
}

/** Writes the card of an assembled folder with scores and recipe. */
export async function writeCard(folder: string, { scores, recipe }: CardFiles): Promise<void> {
  const streams = await Promise.all(scores.map((path) => openArtifact(path)));
  const text = recipe === undefined ? undefined : await recipeAt(recipe);
  await describeModel(folder, {
    results: streams.length === 0 ? undefined : await readCardResults(streams, (await findResource("model", folder)).address),
    recipe: text,
    name: text === undefined ? undefined : nameIn(text),
  });
}

/**
 * Writes the card of a run's model, without scores that a card does not state.
 *
 * @param note shows a line on what was left out
 */
export async function writeRunCard(
  folder: string,
  { scores, recipe }: { readonly scores: string | undefined; readonly recipe: string },
  note: (message: string) => void,
): Promise<void> {
  const rounded = scores === undefined ? undefined : roundedModel(await openArtifact(scores));
  if (rounded !== undefined) {
    note(`the card has no scores, since ${rounded.model} was evaluated with activations in ${rounded.activations}`);
  }
  await writeCard(folder, { scores: scores === undefined || rounded !== undefined ? [] : [scores], recipe });
}
