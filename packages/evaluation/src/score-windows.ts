import type { Score } from "@mbs/artifacts";
import { BadDataError, InterruptedError, at, type StageContext } from "@mbs/contracts";
import {
  advance,
  embedStreams,
  headStates,
  requireFiniteRows,
  requireFiniteStreams,
  statesOf,
  type Activations,
  type Forward,
  type Model,
  type StreamStates,
} from "@mbs/models";
import type { PassageWindow } from "./passage-windows.ts";

/** Tokens that are run through a step at once: of 512 to 8192 the number at which products run fastest. */
const batchTokens = 1024;

/** States that are kept between steps, in bytes. Each step's weights are then read once for that many windows. */
const stateBytes = 256 * 1024 * 1024;

const tokensIn = ({ passage }: PassageWindow): readonly number[] => [...passage.inputs.values()].map(({ length }) => length);

const longest = (window: PassageWindow): number => Math.max(...tokensIn(window));

const nameWindow = ({ language, window }: PassageWindow): string => `${language} window ${window}`;

const shape = (window: PassageWindow): string => tokensIn(window).join();

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

/** Runs all steps over some windows: steps outside, windows inside, so that a step's weights are read once. */
async function scoreChunk(
  forward: Forward,
  { model, label, activations }: ScoredBy,
  batches: readonly (readonly PassageWindow[])[],
  signal: AbortSignal,
  report: (share: number) => void,
): Promise<readonly Float64Array[]> {
  const running: { readonly windows: readonly PassageWindow[]; states: StreamStates }[] = [];
  for (const windows of batches) {
    const embedded = await embedStreams(forward, ...windows.map(({ passage }) => passage.inputs));
    requireFiniteStreams(`${label}, embedding`, embedded, windows.map(nameWindow));
    running.push({ windows, states: embedded });
  }
  for (const [step, { name, stream }] of model.steps.entries()) {
    for (const [index, batch] of running.entries()) {
      if (signal.aborted) throw new InterruptedError("evaluate: stopped");
      const { windows } = batch;
      batch.states = await advance(forward, model.steps, step, batch.states, { batch: windows.length, activations });
      const made = `${label}, ${name}, stream ${stream}`;
      requireFiniteRows({ made, segments: windows.map(nameWindow) }, statesOf(batch.states, stream));
      report((step * batches.length + index + 1) / (model.steps.length * batches.length));
    }
  }
  const losses: Float64Array[] = [];
  for (const { windows, states } of running) {
    const tokens = Int32Array.from(windows.flatMap(({ passage }) => [...passage.scored]));
    losses.push(await forward.score(headStates(states), tokens, windows.length));
  }
  return losses;
}

/**
 * The loss of a model on each window, in the order of the windows.
 *
 * Memory: the weights of a few steps, and 256 MiB of states at most.
 *
 * @throws {BadDataError} naming the step and the window where states, or else the loss, are not finite
 */
export async function* scoreWindows(
  scored: ScoredBy,
  windows: readonly PassageWindow[],
  context: StageContext,
): AsyncGenerator<Score, void, undefined> {
  const { model, label } = scored;
  const bytesOf = (window: PassageWindow): number =>
    4 * model.hiddenSize * tokensIn(window).reduce((sum, count) => sum + count, 0);
  const forward = await model.forward({ threads: context.threads });
  try {
    let done = 0;
    for (const chunk of groups(windows, stateBytes, bytesOf)) {
      const batches = [...groups(chunk, batchTokens, longest, shape)];
      // The windows of a chunk finish together: progress through its steps is shown as a share of its windows.
      const report = (share: number): void =>
        context.progress({
          activity: `evaluate ${label}`,
          done: done + Math.floor(share * chunk.length),
          total: windows.length,
          unit: "windows",
        });
      report(0);
      const losses = await scoreChunk(forward, scored, batches, context.signal, report);
      for (const [index, batch] of batches.entries()) yield* scoresOf(scored, batch, at(losses, index));
      done += chunk.length;
    }
  } finally {
    await forward.close();
  }
}

function* scoresOf(
  { model, label }: ScoredBy,
  windows: readonly PassageWindow[],
  losses: Float64Array,
): Generator<Score, void, undefined> {
  const predicted = at(windows, 0).passage.scored.length - 1;
  for (const [index, { language, source, window, bytes }] of windows.entries()) {
    const nll = losses.subarray(index * predicted, (index + 1) * predicted).reduce((sum, loss) => sum + loss, 0);
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
    yield { model: label, address: model.address, language, source, window, nll, tokens: predicted, bytes };
  }
}
