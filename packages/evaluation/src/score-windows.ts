import type { Score } from "@mbs/artifacts";
import { BadDataError, InterruptedError, type Matrix, type StageContext } from "@mbs/contracts";
import type { Forward, Model } from "@mbs/models";
import type { Window } from "./windows.ts";

/** Tokens that are run through a step at once. */
const batchTokens = 2048;

/** States that are kept between steps, in bytes. Each step's weights are then read once for that many windows. */
const stateBytes = 256 * 1024 * 1024;

interface StackedWindows {
  readonly windows: readonly Window[];
  readonly tokens: Int32Array;
}

function stack(windows: readonly Window[]): StackedWindows {
  const length = windows[0].tokens.length;
  const tokens = new Int32Array(windows.length * length);
  windows.forEach((window, index) => tokens.set(window.tokens, index * length));
  return { windows, tokens };
}

function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[], void, undefined> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Runs all steps over some windows: steps outside, windows inside, so that a step's weights are read once. */
async function scoreChunk(
  forward: Forward,
  model: Model,
  batches: readonly StackedWindows[],
  signal: AbortSignal,
  report: (share: number) => void,
): Promise<readonly Float64Array[]> {
  const states: Matrix[] = [];
  for (const { tokens } of batches) states.push(await forward.embed(tokens));
  for (let step = 0; step < model.steps.length; step++) {
    for (const [index, { windows }] of batches.entries()) {
      if (signal.aborted) throw new InterruptedError("evaluate: stopped");
      const result = await forward.step(step, states[index], { batch: windows.length });
      if (result.states) states[index] = result.states;
      report((step * batches.length + index + 1) / (model.steps.length * batches.length));
    }
  }
  const losses: Float64Array[] = [];
  for (const [index, { windows, tokens }] of batches.entries()) {
    losses.push(await forward.score(states[index], tokens, windows.length));
  }
  return losses;
}

/**
 * The loss of a model on each window, in the order of the windows.
 *
 * Memory: the weights of a few steps, and 256 MiB of states at most.
 *
 * @throws {BadDataError} where a loss is not finite
 */
export async function* scoreWindows(
  model: Model,
  label: string,
  windows: readonly Window[],
  context: StageContext,
): AsyncGenerator<Score, void, undefined> {
  if (windows.length === 0) return;
  const length = windows[0].tokens.length;
  const batchSize = Math.max(1, Math.floor(batchTokens / length));
  const chunkSize = Math.max(batchSize, Math.floor(stateBytes / (4 * length * model.hiddenSize)));
  const forward = await model.forward({ threads: context.threads });
  try {
    let done = 0;
    for (const chunk of chunksOf(windows, chunkSize)) {
      const batches = [...chunksOf(chunk, batchSize)].map(stack);
      // All windows of a chunk are finished together, so that a share of them stands for its steps.
      const report = (share: number): void =>
        context.progress({
          activity: `evaluate ${label}`,
          done: done + Math.floor(share * chunk.length),
          total: windows.length,
          unit: "windows",
        });
      const losses = await scoreChunk(forward, model, batches, context.signal, report);
      for (const [index, batch] of batches.entries()) yield* scoresOf(model, label, batch.windows, losses[index]);
      done += chunk.length;
    }
  } finally {
    await forward.close();
  }
}

function* scoresOf(
  model: Model,
  label: string,
  windows: readonly Window[],
  losses: Float64Array,
): Generator<Score, void, undefined> {
  const predicted = windows[0].tokens.length - 1;
  for (const [index, { language, source, window, bytes }] of windows.entries()) {
    const nll = losses.subarray(index * predicted, (index + 1) * predicted).reduce((sum, loss) => sum + loss, 0);
    if (!Number.isFinite(nll)) {
      throw new BadDataError(`${label}: loss of ${language} window ${window} is ${nll}; its weights overflow or are broken`, {
        model: label,
        language,
        window,
      });
    }
    yield { model: label, address: model.address, language, source, window, nll, tokens: predicted, bytes };
  }
}
