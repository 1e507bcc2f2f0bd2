import { encodeLastStates, type LastStates } from "@mbs/artifacts";
import { at, parseOptions, parseShard, shardOption, type OptionTable, type Stage, type StageContext } from "@mbs/contracts";
import { readAsZero } from "@mbs/models";
import { evaluateOptions } from "./evaluate-options.ts";
import { windowsInShard, withWindows, type WindowedModel } from "./model-windows.ts";
import { checkEvaluation, closeAll, closingOnError, openModels, openTexts, textsFor } from "./open-models.ts";
import { chunksOf, runChunk, type EndedBatch } from "./run-windows.ts";
import { countWindows, originOf, tokensAddress } from "./stored-states.ts";
import { checkTextOptions, labelOf, sourceOptions, textOptions } from "./text-options.ts";
import { WindowProgress, workOf } from "./window-progress.ts";
import type { PassageWindow } from "./passage-windows.ts";

/** What `mbs last-states` takes: what `mbs evaluate` is to be given, as far as states depend on it. */
const lastStatesOptions = {
  model: { kind: "resource", resource: "model", description: "model folder: the first one of the evaluations" },
  corpus: { group: "Texts", kind: "resource", resource: "corpus", description: evaluateOptions.corpus.description },
  ...textOptions,
  ...sourceOptions,
  shard: shardOption(
    "--shard",
    "take a part of the windows alone, as mbs evaluate does with the same: 2/8 is the second of eight",
  ),
} as const satisfies OptionTable;

function parseLastStatesOptions(raw: unknown) {
  const { model, ...values } = parseOptions(lastStatesOptions, raw, "last-states");
  checkTextOptions(values);
  return { ...values, model: [model], labels: [labelOf(model)], shards: parseShard(values.shard, "--shard") };
}

function* recordsOf({ windows, states: { rows, columns, values } }: EndedBatch): Generator<LastStates> {
  const own = rows / windows.length;
  const size = own * columns;
  for (const [index, { language, source, window, passage }] of windows.entries()) {
    const start = index * size;
    const tokens = tokensAddress(passage);
    yield { language, source, window, tokens, rows: own, width: columns, values: values.subarray(start, start + size) };
  }
}

/** The states of all windows, a chunk at a time. The model is closed at the end. */
async function* runWindows(
  scored: WindowedModel,
  windows: readonly PassageWindow[],
  context: StageContext,
): AsyncGenerator<LastStates, void, undefined> {
  const { threads, device, signal } = context;
  const { model } = scored;
  try {
    const progress = new WindowProgress("last-states", [workOf(model, 0)], windows.length, context);
    const forward = await model.forward({ threads, device });
    try {
      for (const batches of chunksOf(windows, model.stateWidth)) {
        const size = batches.flat().length;
        const report = (share: number): void => progress.report(size, 0, { blocks: share, scoring: 0 });
        report(0);
        for (const batch of await runChunk(forward, scored, batches, { signal, report })) yield* recordsOf(batch);
        progress.ended(size);
      }
    } finally {
      await forward.close();
    }
    for (const line of readAsZero(model)) context.warn(`${scored.label}: ${line}`);
  } finally {
    await closeAll([scored]);
  }
}

/**
 * Stage `last-states`: what a model's head reads of the tokens that `evaluate` predicts. With it a further model is compared with
 * this one without running its blocks again, to the same bytes.
 */
export const lastStates: Stage = {
  name: "last-states",
  runsModel: true,
  summary: "Run a dense model over held-out texts once, for all evaluations that compare other models with it.",
  examples: [
    "mbs last-states --model M --corpus V > last-states.arrow",
    "mbs evaluate --model M --model out/ --corpus V --last-states last-states.arrow > scores.arrow",
  ],
  inputs: {},
  outputs: { lastStates: { kind: "last-states", description: "states of the predicted tokens, before the last norm" } },
  options: lastStatesOptions,
  async checkPlan(raw, _, pool) {
    const values = parseLastStatesOptions(raw);
    await checkEvaluation(values.corpus, values, pool);
  },
  async run(_inputs, raw, context) {
    const values = parseLastStatesOptions(raw);
    const corpus = await openTexts(values.corpus, values, context);
    const opened = await openModels(values, context);
    return closingOnError(opened, async () => {
      const texts = textsFor(corpus, opened, values, context.warn);
      const first = at(await withWindows(opened, texts, texts.length, values, context), 0);
      const windows = windowsInShard(first, values);
      const origin = originOf(first, { corpus: await corpus.address, length: texts.length, device: context.device }, values);
      const metadata = { ...origin, windows: countWindows(windows) };
      return { lastStates: encodeLastStates(runWindows(first, windows, context), metadata) };
    });
  },
};
