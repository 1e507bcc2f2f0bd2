import { stat } from "node:fs/promises";
import { join } from "node:path";
import { encodeScores, type Score, type TaskScore } from "@mbs/artifacts";
import { at, FailedPreconditionError, rangeOfShards, type Stage, type StageContext } from "@mbs/contracts";
import {
  languagesForModels,
  openCorpus,
  pairLanguages,
  readDistribution,
  takenLanguages,
  targetFieldOf,
  type Corpus,
} from "@mbs/corpora";
import {
  defaultLength,
  findNonfiniteWeights,
  openModel,
  readAsZero,
  requirePositions,
  type Activations,
  type Model,
} from "@mbs/models";
import { evaluateOptions, parseEvaluateOptions, type EvaluateOptions } from "./evaluate-options.ts";
import { withWindows, type CorpusTexts, type WindowedModel } from "./model-windows.ts";
import { describeModel } from "./scored-models.ts";
import { scoreWindows, type ScoredBy } from "./score-windows.ts";
import { describeTasks, readTasks, type OpenedTasks } from "./tasks/read-tasks.ts";
import { scoreTasks } from "./tasks/score-tasks.ts";
import { requireDecoder } from "./tasks/score-texts.ts";
import { restrictVocabularies } from "./trimmed-vocabulary.ts";
import type { PassageWindow } from "./passage-windows.ts";

/** Held-out texts, and the tokens of a window. */
interface Texts extends CorpusTexts {
  readonly length: number;
}

async function readShares(values: EvaluateOptions): Promise<Readonly<Record<string, number>> | undefined> {
  const own = at(values.model, 0);
  const hasOwn = await stat(join(own, "distribution.json")).then(
    () => true,
    () => false,
  );
  if (values.shares === undefined && !hasOwn) return undefined;
  return Object.fromEntries((await readDistribution(values.shares ?? own)).shares);
}

async function openTexts(name: string, values: EvaluateOptions, { warn, signal, progress }: StageContext) {
  const corpus = await openCorpus(name, { field: values.field, targetField: targetFieldOf(values), warn, signal, progress });
  // before the models are opened
  takenLanguages(corpus, values.languages);
  return corpus;
}

/** What a model is run with: a dense one in float32 in any case. */
const activationsOf = ({ checkpoint }: Model, { activations }: EvaluateOptions): Activations =>
  checkpoint.readPacked === undefined ? "float32" : activations;

/** Why a model's distributions cannot be compared with those of the first; undefined where they can. */
function incomparable({ model, windows }: WindowedModel, first: WindowedModel): string | undefined {
  const [own, others] = [model.vocabularySize, first.model.vocabularySize];
  if (own !== others) return `its vocabulary has ${own} tokens and that of ${first.label} ${others}`;
  return windows === first.windows ? undefined : "its tokenizer reads the texts as other tokens";
}

/** Those whose distances from the first model are measured; others are named once. */
function comparedWith(first: WindowedModel, others: readonly WindowedModel[], values: EvaluateOptions, { warn }: StageContext) {
  if (values.distances === "off") return [];
  return others.filter((other) => {
    const reason = incomparable(other, first);
    if (reason !== undefined) warn(`${other.label}: no KL divergence from ${first.label}, since ${reason}`);
    return reason === undefined;
  });
}

async function* scoreCorpus(
  scored: readonly WindowedModel[],
  values: EvaluateOptions,
  context: StageContext,
): AsyncGenerator<Score, void, undefined> {
  const [first, others] = [at(scored, 0), scored.slice(1)];
  const inShard = ({ windows }: WindowedModel): readonly PassageWindow[] => {
    const { start, end } = rangeOfShards(values.shards ?? { first: 0, count: 1, of: 1 }, windows.length);
    return windows.slice(start, end);
  };
  // scored together with the first, whose states they are compared with, and put after it
  const together = new Map(comparedWith(first, others, values, context).map((other) => [other.label, new Array<Score>()]));
  const compared = others.filter(({ label }) => together.has(label));
  for await (const score of scoreWindows([first, ...compared], inShard(first), context)) {
    const waiting = together.get(score.model);
    if (waiting === undefined) yield score;
    else waiting.push(score);
  }
  for (const other of others) yield* together.get(other.label) ?? scoreWindows([other], inShard(other), context);
}

/** Windows of texts, then documents of tasks. The models are closed at the end. */
async function* scoreAll(
  models: readonly Model[],
  { texts, tasks }: { readonly texts: Texts | undefined; readonly tasks: OpenedTasks | undefined },
  values: EvaluateOptions,
  context: StageContext,
): AsyncGenerator<Score | TaskScore, void, undefined> {
  try {
    const scored = models.map((model, index): ScoredBy => ({
      model,
      label: at(values.labels, index),
      activations: activationsOf(model, values),
    }));
    if (texts !== undefined) {
      yield* scoreCorpus(await withWindows(scored, texts, texts.length, values, context), values, context);
    }
    if (tasks !== undefined) yield* scoreTasks(scored, tasks, values, context);
    for (const { model, label } of scored) {
      for (const line of readAsZero(model)) context.warn(`${label}: ${line}`);
    }
  } finally {
    for (const model of models) await model.close();
  }
}

const isDecoder = ({ stacks }: Model): boolean => stacks === "decoder";

/** @throws {FailedPreconditionError} where models predict nothing or different things, or a decoder a target */
function checkKinds(models: readonly Model[], { labels, sourceTarget, assistantOnly, tasks }: EvaluateOptions): void {
  const labelled = models.map((model, index) => ({ model, label: at(labels, index) }));
  const silent = labelled.find(({ model }) => model.stacks === "encoder");
  if (silent !== undefined) {
    throw new FailedPreconditionError(
      `${silent.label} is an encoder, which predicts no tokens and has no losses; compare its embeddings of texts by mbs agreement`,
      { model: silent.label },
    );
  }
  if (tasks !== undefined) labelled.forEach(requireDecoder);
  const encoder = assistantOnly ? labelled.find(({ model }) => !isDecoder(model)) : undefined;
  if (encoder !== undefined) {
    throw new FailedPreconditionError(
      `${encoder.label} is an encoder-decoder, which predicts spans of a conversation and no answers; leave out --assistant-only`,
      { model: encoder.label },
    );
  }
  const decoder = labelled.find(({ model }) => isDecoder(model));
  if (decoder === undefined) return;
  if (sourceTarget) {
    throw new FailedPreconditionError(
      `${decoder.label} is a decoder, which predicts a text and no target; leave out --source-target`,
      { model: decoder.label },
    );
  }
  const other = labelled.find(({ model }) => !isDecoder(model));
  if (other === undefined) return;
  throw new FailedPreconditionError(
    `${decoder.label} predicts whole texts and ${other.label}, an encoder-decoder, spans cut out of them; evaluate each by itself`,
    { models: labels.join(", ") },
  );
}

/** Asks for the tokens of languages that a translation model reads before anything is compressed. @throws as ofPair of passages */
async function checkTargetLanguage(model: Model, corpus: Corpus, values: EvaluateOptions): Promise<void> {
  const { ofPair } = await model.passages();
  if (!values.sourceTarget || ofPair === undefined) return;
  const { languages } = languagesForModels(corpus, values.languages, [model.trimming?.keep], () => {});
  const empty = new Int32Array();
  for (const source of languages) ofPair(empty, empty, pairLanguages(source, values));
}

async function openModels(values: EvaluateOptions, corpus: Corpus | undefined, { progress, pool, warn, signal }: StageContext) {
  const { allowNonfinite, labels } = values;
  const models: Model[] = [];
  try {
    for (const folder of values.model) models.push(await openModel(folder, { allowNonfinite, progress, pool }));
    checkKinds(models, values);
    for (const model of models) if (values.length !== undefined) requirePositions(values.length, model);
    const kept = models.map(({ trimming }) => trimming?.keep);
    const texts = corpus && { corpus, languages: languagesForModels(corpus, values.languages, kept, warn).languages };
    for (const model of models) await findNonfiniteWeights(model, signal);
    const comparable = await restrictVocabularies(models, labels, warn);
    const described = comparable.map((own) => describeModel(own, activationsOf(own.model, values), warn));
    return { models: comparable.map(({ model }) => model), described: await Promise.all(described), opened: texts };
  } catch (error) {
    for (const model of models) await model.close();
    throw error;
  }
}

/**
 * Stage `evaluate`: the loss of any number of models on held-out text, one row per window, and on the choices of tasks.
 *
 * Perplexity is exp(Σ nll / predicted tokens) over windows that do not overlap; the first token of a window is not
 * predicted. An encoder-decoder predicts the spans that are cut out of each window, or targets given their sources. `scoresReport` sums the rows up.
 */
export const evaluate: Stage = {
  name: "evaluate",
  runsModel: true,
  summary: "Measure perplexity, distance from the dense model and right answers to tasks, in each language.",
  examples: [
    "mbs evaluate --model out/ --corpus V > scores.arrow",
    "mbs evaluate --model M --model out/ --labels dense,gptq3 --corpus V --json",
    "mbs evaluate --model trimmed/ --model out/ --corpus V --languages en,hi > scores.arrow",
    "mbs evaluate --model M --model out/ --corpus conversations/ --assistant-only > scores.arrow",
    "mbs evaluate --model M --model out/ --tasks belebele,xnli_hi --task-path lm_eval/tasks --task-rows rows/ > scores.arrow",
    "mbs evaluate --model mt5-small/ --source-target --corpus translations/ > scores.arrow",
  ],
  inputs: {},
  outputs: { scores: { kind: "scores", description: "losses of windows, and of the choices of tasks" } },
  options: evaluateOptions,
  async checkPlan(raw, _, pool) {
    const values = parseEvaluateOptions(raw);
    const corpus = values.corpus === undefined ? undefined : await openCorpus(values.corpus);
    if (corpus !== undefined) takenLanguages(corpus, values.languages);
    // those behind the first one may still have to be made
    const model = await openModel(at(values.model, 0), { pool });
    try {
      checkKinds([model], values);
      if (corpus !== undefined) await checkTargetLanguage(model, corpus, values);
      if (values.length !== undefined) requirePositions(values.length, model);
    } finally {
      await model.close();
    }
  },
  async run(_inputs, raw, context) {
    const values = parseEvaluateOptions(raw);
    const { warn } = context;
    const corpus = values.corpus === undefined ? undefined : await openTexts(values.corpus, values, context);
    const address = corpus === undefined ? "" : await corpus.address;
    const tasks = values.tasks === undefined ? undefined : await readTasks(values, context);
    const shares = await readShares(values);
    const { models, described, opened } = await openModels(values, corpus, context);
    if (values.activations === "int8" && described.every(({ activations }) => activations === undefined)) {
      warn("no model has packed weights as gptq, gptq-v2 and compressed-tensors store them: --activations int8 changes nothing");
    }
    // those of ONNX graphs are about what solvers can change
    for (const { kind, notes } of models) if (kind === "architecture") notes.forEach(warn);
    const length = values.length ?? Math.min(...models.map(({ contextLength }) => defaultLength(contextLength)));
    const { bos, shards, assistantOnly } = values;
    const about = Object.fromEntries(
      values.labels.map((label, index) => [label, { ...at(described, index), ...(assistantOnly && { assistantOnly }) }]),
    );
    const texts = opened && { ...opened, length };
    const metadata = {
      ...(texts === undefined ? { corpus: "", length: 0, bos: "" } : { corpus: address, length, bos }),
      shares,
      models: about,
      ...(shards && { shards }),
      ...(tasks && describeTasks(tasks)),
    };
    return { scores: encodeScores(scoreAll(models, { texts, tasks }, values, context), metadata) };
  },
};
