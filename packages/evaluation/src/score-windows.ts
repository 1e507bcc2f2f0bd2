import type { Score, ScoreDistance } from "@mbs/artifacts";
import { BadDataError, InterruptedError, at, type StageContext } from "@mbs/contracts";
import { createLogitComparison, type Forward, type TokenDistances } from "@mbs/models";
import { chunksOf, nameWindow, predictedIn, runChunk, type EndedBatch, type ScoredBy } from "./run-windows.ts";
import { WindowProgress, workOf } from "./window-progress.ts";
import type { PassageWindow } from "./passage-windows.ts";
import type { StoredStates } from "./stored-states.ts";

/** The loss of each predicted token, and how far its distribution is from the first model's, where that was measured. */
interface BatchResult {
  readonly losses: Float64Array;
  readonly distances: TokenDistances | undefined;
}

/** The tokens that those states are to predict. */
const predictedTokens = ({ windows }: EndedBatch): Int32Array =>
  Int32Array.from(windows.flatMap(({ passage }) => Array.from(passage.scored.subarray(passage.first))));

/**
 * The loss of models on each window, and their distances from the first one: by chunk of the windows, then by model; the first
 * model's with those of the second, since both come from the same logits.
 *
 * Memory: the weights of a few blocks and the head of the first model and of one other, and 256 MiB of states at most.
 *
 * @param models of one tokenizer and, where there are several, one vocabulary
 * @param stored states of the first model, in the place of running its blocks. All of it is read
 * @throws {BadDataError} naming the block and the window where states, or else the loss or the distance, are not finite
 */
export async function* scoreWindows(
  models: readonly ScoredBy[],
  windows: readonly PassageWindow[],
  context: StageContext,
  stored?: StoredStates,
): AsyncGenerator<Score, void, undefined> {
  const { threads, device, signal } = context;
  const [first, others] = [at(models, 0), models.slice(1)];
  // beside the states of one model those of the first are kept
  const width = (others.length === 0 ? 0 : first.model.stateWidth) + Math.max(...models.map(({ model }) => model.stateWidth));
  const comparison = createLogitComparison(first.model.vocabularySize);
  const forward = await first.model.forward({ threads, device });
  try {
    // the logits of another model are compared with those of the first, which are made again for it
    const headsOf = (index: number): number => (index > 0 ? 2 : models.length === 1 ? 1 : 0);
    const work = models.map(({ model }, index) => workOf(model, headsOf(index), index > 0 || stored === undefined));
    const progress = new WindowProgress("evaluate", work, windows.length, context);
    for (const batches of chunksOf(windows, width)) {
      const size = batches.flat().length;
      const reportOf = (place: number) => ({
        blocks: (share: number): void => progress.report(size, place, { blocks: share, scoring: 0 }),
        scored: (index: number): void => progress.report(size, place, { blocks: 1, scoring: (index + 1) / batches.length }),
      });
      const ofFirst = reportOf(0);
      ofFirst.blocks(0);
      const ended = await (stored === undefined
        ? runChunk(forward, first, batches, { signal, report: ofFirst.blocks })
        : stored.read(batches, signal));
      for (const [index, batch] of others.length === 0 ? ended.entries() : []) {
        if (signal.aborted) throw new InterruptedError("evaluate: stopped");
        yield* scoresOf(first, batch, { losses: await lossesOf(forward, batch), distances: undefined });
        ofFirst.scored(index);
      }
      for (const [place, other] of others.entries()) {
        const { blocks, scored } = reportOf(place + 1);
        const own = await other.model.forward({ threads, device });
        try {
          const ownEnded = await runChunk(own, other, batches, { signal, report: blocks });
          for (const [index, batch] of ownEnded.entries()) {
            if (signal.aborted) throw new InterruptedError("evaluate: stopped");
            const ofBoth = await comparison.scored(
              { forward, states: at(ended, index).states },
              { forward: own, states: batch.states },
              predictedTokens(batch),
            );
            if (place === 0) yield* scoresOf(first, at(ended, index), { losses: ofBoth.firstLosses, distances: undefined });
            yield* scoresOf(other, batch, { losses: ofBoth.secondLosses, distances: ofBoth });
            scored(index);
          }
        } finally {
          await own.close();
        }
      }
      progress.ended(size);
    }
    await stored?.end(signal);
  } finally {
    await forward.close();
  }
}

function lossesOf(forward: Forward, batch: EndedBatch): Promise<Float64Array> {
  const { windows } = batch;
  // with the token before the first one that counts, which the first state has read
  const tokens = windows.flatMap(({ passage: { scored, first } }) => [...scored.subarray(first - 1)]);
  return forward.score(batch.states, Int32Array.from(tokens), windows.length);
}

/** @throws {BadDataError} where a divergence is not finite */
function distanceOf(
  label: string,
  window: PassageWindow,
  { kl, agrees }: TokenDistances,
  token: number,
  end: number,
): ScoreDistance {
  const own = kl.slice(token, end);
  const wrong = own.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    throw new BadDataError(
      `${label}: KL divergence of token ${wrong + 1} of ${nameWindow(window)} is ${at(own, wrong)}; the weights of a head overflow or are broken: take the models from their sources again`,
      { model: label, language: window.language, window: window.window },
    );
  }
  return { kl: own, agreed: agrees.subarray(token, end).reduce((sum, agrees) => sum + agrees, 0) };
}

function* scoresOf(
  { model, label }: ScoredBy,
  batch: EndedBatch,
  { losses, distances }: BatchResult,
): Generator<Score, void, undefined> {
  const predicted = predictedIn(batch.windows);
  for (const [index, passage] of batch.windows.entries()) {
    const { language, source, window, bytes } = passage;
    const [start, end] = [index * predicted, (index + 1) * predicted];
    const nll = losses.subarray(start, end).reduce((sum, loss) => sum + loss, 0);
    if (!Number.isFinite(nll)) {
      throw new BadDataError(
        `${label}: loss of ${language} window ${window} is ${nll}; the weights of its head overflow or are broken: take the model from its source again`,
        {
          model: label,
          language,
          window,
        },
      );
    }
    const score = { model: label, address: model.address, language, source, window, nll, tokens: predicted, bytes };
    yield distances === undefined ? score : { ...score, distance: distanceOf(label, passage, distances, start, end) };
  }
}
