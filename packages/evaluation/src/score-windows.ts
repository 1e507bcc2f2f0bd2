import type { Score, ScoreDistance } from "@mbs/artifacts";
import { BadDataError, InterruptedError, at, type Matrix, type StageContext } from "@mbs/contracts";
import {
  advance,
  createLogitComparison,
  embedStreams,
  headStates,
  requireFiniteRows,
  requireFiniteStreams,
  statesOf,
  type Activations,
  type Forward,
  type Model,
  type StreamStates,
  type TokenDistances,
} from "@mbs/models";
import { WindowProgress } from "./window-progress.ts";
import type { PassageWindow } from "./passage-windows.ts";

/** Tokens that are run through a block at once: of 512 to 8192 the number at which products run fastest. */
const batchTokens = 1024;

/** States that are kept between blocks, in bytes, of a model and of the one that it is compared with. Each block's weights are then read once for that many windows. */
const stateBytes = 256 * 1024 * 1024;

const tokensIn = ({ passage }: PassageWindow): readonly number[] => [...passage.inputs.values()].map(({ length }) => length);

const longest = (window: PassageWindow): number => Math.max(...tokensIn(window));

const nameWindow = ({ language, window }: PassageWindow): string => `${language} window ${window}`;

const shape = (window: PassageWindow): string => `${tokensIn(window).join()} from ${window.passage.first}`;

/** Cuts a list into groups of at least one: before the window that would exceed `limit`, or that is not `alike` the first. */
function* groups(
  windows: readonly PassageWindow[],
  limit: number,
  weigh: (window: PassageWindow) => number,
  alike: (window: PassageWindow) => string = () => "",
): Generator<readonly PassageWindow[], void, undefined> {
  let group: PassageWindow[] = [];
  let weight = 0;
  for (const window of windows) {
    const own = weigh(window);
    const [first] = group;
    if (first !== undefined && (weight + own > limit || alike(window) !== alike(first))) {
      yield group;
      group = [];
      weight = 0;
    }
    group.push(window);
    weight += own;
  }
  if (group.length > 0) yield group;
}

/** A model that is scored. */
export interface ScoredBy {
  readonly model: Model;
  /** Its name in the scores. */
  readonly label: string;
  readonly activations: Activations;
}

/** Some windows of one shape, and the states that their tokens are predicted from, of all of them. */
interface EndedBatch {
  readonly windows: readonly PassageWindow[];
  readonly states: Matrix;
}

/** Runs all blocks over some windows: blocks outside, windows inside, so that a block's weights are read once. */
async function runChunk(
  forward: Forward,
  { model, label, activations }: ScoredBy,
  batches: readonly (readonly PassageWindow[])[],
  signal: AbortSignal,
  report: (share: number) => void,
): Promise<readonly EndedBatch[]> {
  const running: { readonly windows: readonly PassageWindow[]; states: StreamStates }[] = [];
  for (const windows of batches) {
    const embedded = await embedStreams(forward, ...windows.map(({ passage }) => passage.inputs));
    requireFiniteStreams(`${label}, embedding`, embedded, windows.map(nameWindow));
    running.push({ windows, states: embedded });
  }
  for (const [block, { name, stream }] of model.blocks.entries()) {
    for (const [index, batch] of running.entries()) {
      if (signal.aborted) throw new InterruptedError("evaluate: stopped");
      const { windows } = batch;
      batch.states = await advance(forward, model.blocks, block, batch.states, { batch: windows.length, activations });
      const made = `${label}, ${name}, stream ${stream}`;
      requireFiniteRows({ made, segments: windows.map(nameWindow) }, statesOf(batch.states, stream));
      report((block * batches.length + index + 1) / (model.blocks.length * batches.length));
    }
  }
  return running.map(({ windows, states }) => ({ windows, states: headStates(states) }));
}

/** Tokens that are predicted in each window of a batch. */
function predictedIn({ windows }: EndedBatch): number {
  const { scored, first } = at(windows, 0).passage;
  return scored.length - first;
}

/** The states that predict a token which counts. */
function predictingStates(batch: EndedBatch): Matrix {
  const { windows, states } = batch;
  const { rows, columns, values } = states;
  const size = predictedIn(batch) * columns;
  const stride = (rows / windows.length) * columns;
  const before = (at(windows, 0).passage.first - 1) * columns;
  const chosen = new Float32Array(windows.length * size);
  for (const index of windows.keys()) {
    const start = index * stride + before;
    chosen.set(values.subarray(start, start + size), index * size);
  }
  return { rows: chosen.length / columns, columns, values: chosen };
}

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
 * @throws {BadDataError} naming the block and the window where states, or else the loss or the distance, are not finite
 */
export async function* scoreWindows(
  models: readonly ScoredBy[],
  windows: readonly PassageWindow[],
  context: StageContext,
): AsyncGenerator<Score, void, undefined> {
  const { threads, device, signal } = context;
  const [first, others] = [at(models, 0), models.slice(1)];
  // beside the states of one model those of the first are kept
  const width = (others.length === 0 ? 0 : first.model.stateWidth) + Math.max(...models.map(({ model }) => model.stateWidth));
  const bytesOf = (window: PassageWindow): number => 4 * width * tokensIn(window).reduce((sum, count) => sum + count, 0);
  const comparison = createLogitComparison(first.model.vocabularySize, threads);
  const forward = await first.model.forward({ threads, device });
  try {
    const progress = new WindowProgress(
      models.map(({ model }) => model),
      windows.length,
      context,
    );
    for (const chunk of groups(windows, stateBytes, bytesOf)) {
      const batches = [...groups(chunk, batchTokens, longest, shape)];
      const reportOf = (place: number) => ({
        blocks: (share: number): void => progress.report(chunk.length, place, { blocks: share, scoring: 0 }),
        scored: (index: number): void =>
          progress.report(chunk.length, place, { blocks: 1, scoring: (index + 1) / batches.length }),
      });
      const ofFirst = reportOf(0);
      ofFirst.blocks(0);
      const ended = await runChunk(forward, first, batches, signal, ofFirst.blocks);
      for (const [index, batch] of others.length === 0 ? ended.entries() : []) {
        if (signal.aborted) throw new InterruptedError("evaluate: stopped");
        yield* scoresOf(first, batch, { losses: await lossesOf(forward, batch), distances: undefined });
        ofFirst.scored(index);
      }
      for (const [place, other] of others.entries()) {
        const { blocks, scored } = reportOf(place + 1);
        const own = await other.model.forward({ threads, device });
        try {
          const ownEnded = await runChunk(own, other, batches, signal, blocks);
          for (const [index, batch] of ownEnded.entries()) {
            if (signal.aborted) throw new InterruptedError("evaluate: stopped");
            const ofBoth = await comparison.scored(
              { forward, states: predictingStates(at(ended, index)) },
              { forward: own, states: predictingStates(batch) },
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
      progress.ended(chunk.length);
    }
  } finally {
    await comparison.close();
    await forward.close();
  }
}

function lossesOf(forward: Forward, batch: EndedBatch): Promise<Float64Array> {
  const { windows } = batch;
  // with the token before the first one that counts, which the first state has read
  const tokens = windows.flatMap(({ passage: { scored, first } }) => [...scored.subarray(first - 1)]);
  return forward.score(predictingStates(batch), Int32Array.from(tokens), windows.length);
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
  const predicted = predictedIn(batch);
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
