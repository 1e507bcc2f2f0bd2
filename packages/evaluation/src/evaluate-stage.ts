import { stat } from "node:fs/promises";
import { join } from "node:path";
import { encodeScores, parseMetadata, type Score, type TaskScore } from "@mbs/artifacts";
import { at, FailedPreconditionError, UsageError, type ArtifactStream, type Stage, type StageContext } from "@mbs/contracts";
import { readDistribution } from "@mbs/corpora";
import { readAsZero } from "@mbs/models";
import { evaluateOptions, parseEvaluateOptions, type EvaluateOptions } from "./evaluate-options.ts";
import { windowsInShard, withWindows, type WindowedModel } from "./model-windows.ts";
import { checkEvaluation, closeAll, closingOnError, openModels, openTexts, textsFor } from "./open-models.ts";
import type { OpenedModel, Texts } from "./open-models.ts";
import { describeModel } from "./scored-models.ts";
import { scoreWindows } from "./score-windows.ts";
import { originOf, requireSameOrigin, StoredStates } from "./stored-states.ts";
import { describeTasks, readTasks, type OpenedTasks } from "./tasks/read-tasks.ts";
import { scoreTasks } from "./tasks/score-tasks.ts";

async function readShares(values: EvaluateOptions): Promise<Readonly<Record<string, number>> | undefined> {
  const own = at(values.model, 0);
  const hasOwn = await stat(join(own, "distribution.json")).then(
    () => true,
    () => false,
  );
  if (values.shares === undefined && !hasOwn) return undefined;
  return Object.fromEntries((await readDistribution(values.shares ?? own)).shares);
}

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

/** What is evaluated on. */
interface Evaluated {
  readonly texts: Texts | undefined;
  /** States of the first model on the texts. */
  readonly stored: StoredStates | undefined;
  readonly tasks: OpenedTasks | undefined;
}

/** @throws {BadDataError} where the states are not those that the model has on the texts */
async function openStored(
  lastStates: ArtifactStream,
  first: OpenedModel,
  { corpus, length }: Texts,
  values: EvaluateOptions,
  { device }: Pick<StageContext, "device">,
): Promise<StoredStates> {
  const { model, label, vocabulary } = first;
  if (vocabulary?.isRestricted === true) {
    throw new FailedPreconditionError(
      `${label} is restricted to the rows of a trimmed model here, and its last states are of all its tokens; leave out --last-states`,
      { model: label },
    );
  }
  const origin = originOf(first, { corpus: await corpus.address, length, device }, values);
  requireSameOrigin(parseMetadata("last-states", lastStates.schema), origin, first);
  return new StoredStates(lastStates, model.stateWidth);
}

async function* scoreCorpus(
  scored: readonly WindowedModel[],
  stored: StoredStates | undefined,
  values: EvaluateOptions,
  context: StageContext,
): AsyncGenerator<Score, void, undefined> {
  const [first, others] = [at(scored, 0), scored.slice(1)];
  const ofFirst = windowsInShard(first, values);
  stored?.requireWindows(ofFirst);
  // scored together with the first, whose states they are compared with, and put after it
  const together = new Map(comparedWith(first, others, values, context).map((other) => [other.label, new Array<Score>()]));
  const compared = others.filter(({ label }) => together.has(label));
  for await (const score of scoreWindows([first, ...compared], ofFirst, context, stored)) {
    const waiting = together.get(score.model);
    if (waiting === undefined) yield score;
    else waiting.push(score);
  }
  for (const other of others) {
    yield* together.get(other.label) ?? scoreWindows([other], windowsInShard(other, values), context);
  }
}

/** Windows of texts, then documents of tasks. The models are closed at the end. */
async function* scoreAll(
  scored: readonly OpenedModel[],
  { texts, stored, tasks }: Evaluated,
  values: EvaluateOptions,
  context: StageContext,
): AsyncGenerator<Score | TaskScore, void, undefined> {
  try {
    if (texts !== undefined) {
      yield* scoreCorpus(await withWindows(scored, texts, texts.length, values, context), stored, values, context);
    }
    if (tasks !== undefined) yield* scoreTasks(scored, tasks, values, context);
    for (const { model, label } of scored) {
      for (const line of readAsZero(model)) context.warn(`${label}: ${line}`);
    }
  } finally {
    await stored?.close();
    await closeAll(scored);
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
    "mbs evaluate --model M --model out/ --last-states last-states.arrow --corpus V > scores.arrow",
    "mbs evaluate --model trimmed/ --model out/ --corpus V --languages en,hi > scores.arrow",
    "mbs evaluate --model M --model out/ --corpus conversations/ --assistant-only > scores.arrow",
    "mbs evaluate --model M --model out/ --tasks belebele,xnli_hi --task-path lm_eval/tasks --task-rows rows/ > scores.arrow",
    "mbs evaluate --model mt5-small/ --source-target --corpus translations/ > scores.arrow",
  ],
  inputs: {
    lastStates: {
      kinds: ["last-states"],
      optional: true,
      description: "output of `mbs last-states` for the first model on these texts: its blocks are not run",
    },
  },
  outputs: { scores: { kind: "scores", description: "losses of windows, and of the choices of tasks" } },
  options: evaluateOptions,
  async checkPlan(raw, _, pool) {
    const values = parseEvaluateOptions(raw);
    await checkEvaluation(values.corpus, values, pool);
  },
  async run(inputs, raw, context) {
    const values = parseEvaluateOptions(raw);
    const { warn } = context;
    const [lastStates] = inputs["lastStates"] ?? [];
    if (lastStates !== undefined && values.corpus === undefined) {
      throw new UsageError("--last-states are of texts; give --corpus, those that they were made of", { option: "--corpus" });
    }
    const corpus = values.corpus === undefined ? undefined : await openTexts(values.corpus, values, context);
    const tasks = values.tasks === undefined ? undefined : await readTasks(values, context);
    const shares = await readShares(values);
    const scored = await openModels(values, context);
    return closingOnError(scored, async () => {
      const { bos, shards, assistantOnly } = values;
      const texts = corpus && textsFor(corpus, scored, values, warn);
      // before anything is written
      const stored = texts && lastStates && (await openStored(lastStates, at(scored, 0), texts, values, context));
      const described = scored.map(async (own): Promise<[string, object]> => [
        own.label,
        { ...(await describeModel(own, own.activations, warn)), ...(assistantOnly && { assistantOnly }) },
      ]);
      const metadata = {
        ...(texts === undefined
          ? { corpus: "", length: 0, bos: "" }
          : { corpus: await texts.corpus.address, length: texts.length, bos }),
        shares,
        models: Object.fromEntries(await Promise.all(described)),
        ...(shards && { shards }),
        ...(tasks && describeTasks(tasks)),
      };
      return { scores: encodeScores(scoreAll(scored, { texts, stored, tasks }, values, context), metadata) };
    });
  },
};
