import { basename, isAbsolute } from "node:path";
import { collectScores, openArtifact, parseMetadata } from "@mbs/artifacts";
import { describeModel } from "@mbs/assembly";
import type { CardResults } from "@mbs/assembly";
import { FailedPreconditionError, isObject, nameMethods } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { readScoredGroups, readScoredModels, readScoredTasks, scoresReport } from "@mbs/evaluation";
import { findResource, parseRecipe, readRecipeText } from "@mbs/pipeline";
import { reportByTrainingShare } from "@mbs/reporting";
import { parse, stringify } from "yaml";

/** A model whose scores are not those of float32, if there is one. */
function roundedModel({ schema }: ArtifactStream): { readonly model: string; readonly activations: string } | undefined {
  for (const [model, { activations }] of readScoredModels(parseMetadata("scores", schema).models)) {
    if (activations !== undefined) return { model, activations };
  }
  return undefined;
}

/** @throws {FailedPreconditionError} where activations were rounded */
async function readFloatScores(stream: ArtifactStream) {
  const rounded = roundedModel(stream);
  if (rounded !== undefined) {
    const { model, activations } = rounded;
    throw new FailedPreconditionError(
      `scores: ${model} was evaluated with activations in ${activations}, and a card states what is measured in float32; evaluate again without --activations`,
      { model },
    );
  }
  return { metadata: parseMetadata("scores", stream.schema), ...(await collectScores(stream)) };
}

/**
 * Sums scores up for a model card.
 *
 * @param streams artifacts of kind scores; the first model of the first is what others are compared with
 * @param address of the model that the card is of
 */
async function readCardResults(streams: readonly ArtifactStream[], address: string): Promise<CardResults> {
  const all = [];
  for (const stream of streams) all.push(await readFloatScores(stream));
  const [windows, scores] = [all.flatMap((one) => one.windows), all.flatMap((one) => one.tasks)];
  const shares = all.find(({ metadata }) => metadata.shares)?.metadata.shares;
  const tasks = new Map(all.flatMap(({ metadata }) => [...readScoredTasks(metadata.tasks)]));
  const groups = new Map(all.flatMap(({ metadata }) => [...readScoredGroups(metadata.groups)]));
  const methods = new Map(
    all.flatMap(({ metadata }) =>
      [...readScoredModels(metadata.models)].flatMap(([model, { made }]): [string, string][] =>
        made === undefined || made.methods.length === 0 ? [] : [[model, nameMethods(made.methods)]],
      ),
    ),
  );
  const report = reportByTrainingShare(scoresReport(windows, { shares, tasks: { scores, tasks, groups } }), shares);
  return {
    ...report,
    models: [...new Set([...report.averages, ...report.tasks.results].map(({ model }) => model))],
    methods,
    subject: [...windows, ...scores].find((score) => score.address === address)?.model,
    corpora: [...new Set(all.map(({ metadata }) => metadata.corpus))].filter((corpus) => corpus !== ""),
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
