import { FailedPreconditionError, at, type ObjectPool, type StageContext } from "@mbs/contracts";
import { languagesForModels, openCorpus, pairLanguages, takenLanguages, targetFieldOf, type Corpus } from "@mbs/corpora";
import { defaultLength, findNonfiniteWeights, openModel, requirePositions, type Model } from "@mbs/models";
import { requireDecoder } from "./tasks/score-texts.ts";
import type { CorpusTexts } from "./model-windows.ts";
import type { ScoredBy } from "./run-windows.ts";
import type { ComparableModel } from "./scored-models.ts";
import type { TextChoice } from "./text-options.ts";
import { restrictVocabularies } from "./trimmed-vocabulary.ts";

/** How texts are read, with tasks where there are any. */
interface EvaluationChoice extends TextChoice {
  readonly tasks?: readonly string[] | undefined;
}

/** A model that is open, with what is compared of its vocabulary. */
export interface OpenedModel extends ScoredBy, ComparableModel {}

/** Held-out texts, and the tokens of a window. */
export interface Texts extends CorpusTexts {
  readonly length: number;
}

/** @throws as openCorpus; {UsageError} on languages that it does not have */
export async function openTexts(name: string, values: TextChoice, { warn, signal, progress }: StageContext): Promise<Corpus> {
  const corpus = await openCorpus(name, { field: values.field, targetField: targetFieldOf(values), warn, signal, progress });
  // before the models are opened
  takenLanguages(corpus, values.languages);
  return corpus;
}

/** The texts that all models read. */
export function textsFor(
  corpus: Corpus,
  opened: readonly OpenedModel[],
  values: TextChoice,
  warn: (message: string) => void,
): Texts {
  const kept = opened.map(({ model }) => model.trimming?.keep);
  const { languages } = languagesForModels(corpus, values.languages, kept, warn);
  const length = values.length ?? Math.min(...opened.map(({ model: { contextLength } }) => defaultLength(contextLength)));
  return { corpus, languages, length };
}

export async function closeAll(models: readonly Pick<ScoredBy, "model">[]): Promise<void> {
  for (const { model } of models) await model.close();
}

/** Closes models where what is done with them fails. */
export async function closingOnError<T>(models: readonly Pick<ScoredBy, "model">[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await closeAll(models);
    throw error;
  }
}

const isDecoder = ({ stacks }: Model): boolean => stacks === "decoder";

/** @throws {FailedPreconditionError} where models predict nothing or different things, or a decoder a target */
function checkKinds(models: readonly Model[], { labels, sourceTarget, assistantOnly, tasks }: EvaluationChoice): void {
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
async function checkTargetLanguage(model: Model, corpus: Corpus, values: TextChoice): Promise<void> {
  const { ofPair } = await model.passages();
  if (!values.sourceTarget || ofPair === undefined) return;
  const { languages } = languagesForModels(corpus, values.languages, [model.trimming?.keep], () => {});
  const empty = new Int32Array();
  for (const source of languages) ofPair(empty, empty, pairLanguages(source, values));
}

/**
 * Refuses, before a run starts, what evaluating would refuse later.
 *
 * @throws as openModels and openTexts
 */
export async function checkEvaluation(
  corpusName: string | undefined,
  values: EvaluationChoice,
  pool?: ObjectPool,
): Promise<void> {
  const corpus = corpusName === undefined ? undefined : await openCorpus(corpusName);
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
}

/**
 * Opens the models and looks whether they can be run on the texts, and compared.
 *
 * @throws {FailedPreconditionError} on models that predict nothing or different things
 */
export async function openModels(
  values: EvaluationChoice,
  { progress, pool, warn, signal }: StageContext,
): Promise<readonly OpenedModel[]> {
  const { allowNonfinite, activations, labels, length } = values;
  const open: { readonly model: Model }[] = [];
  return closingOnError(open, async () => {
    for (const folder of values.model) open.push({ model: await openModel(folder, { allowNonfinite, progress, pool }) });
    const models = open.map(({ model }) => model);
    checkKinds(models, values);
    for (const model of models) if (length !== undefined) requirePositions(length, model);
    for (const model of models) await findNonfiniteWeights(model, signal);
    const comparable = await restrictVocabularies(models, labels, warn);
    // a dense model is run in float32 in any case
    const isPacked = comparable.map(({ model }) => model.checkpoint.readPacked !== undefined);
    if (activations === "int8" && !isPacked.includes(true)) {
      warn("no model has packed weights as gptq, gptq-v2 and compressed-tensors store them: --activations int8 changes nothing");
    }
    // those of ONNX graphs are about what solvers can change
    for (const { model } of comparable) if (model.kind === "architecture") model.notes.forEach(warn);
    return comparable.map((own, index) => ({
      ...own,
      label: at(labels, index),
      activations: isPacked[index] === true ? activations : "float32",
    }));
  });
}
