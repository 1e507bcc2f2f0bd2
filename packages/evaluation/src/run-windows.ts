import { InterruptedError, at, type Matrix } from "@mbs/contracts";
import { findNonfinite } from "@mbs/numbers";
import { countLackOfSpace, DeviceFullError, freeMatrix, readMatrix } from "@mbs/onnx";
import {
  advance,
  advanceKept,
  embedStreams,
  headStates,
  requireFiniteRows,
  requireFiniteStreams,
  statesOf,
  type Activations,
  type Forward,
  type Model,
  type PlacedStates,
  type StreamStates,
} from "@mbs/models";
import type { PassageWindow } from "./passage-windows.ts";

/** Tokens that are run through a block at once: of 512 to 8192 the number at which products run fastest. */
const batchTokens = 1024;

/** States that are kept between blocks, in bytes, of a model and of the one that it is compared with. Each block's weights are then read once for that many windows. */
const stateBytes = 256 * 1024 * 1024;

/** A model that is scored. */
export interface ScoredBy {
  readonly model: Model;
  /** Its name in the scores. */
  readonly label: string;
  readonly activations: Activations;
}

/** Some windows of one shape, which are run at once. */
export type WindowBatch = readonly PassageWindow[];

/** A batch, and the states that its tokens are predicted from: [windows · predicted tokens, stateWidth]. */
export interface EndedBatch {
  readonly windows: WindowBatch;
  readonly states: Matrix;
}

const tokensIn = ({ passage }: PassageWindow): readonly number[] => [...passage.inputs.values()].map(({ length }) => length);

const longest = (window: PassageWindow): number => Math.max(...tokensIn(window));

const shape = (window: PassageWindow): string => `${tokensIn(window).join()} from ${window.passage.first}`;

export const nameWindow = ({ language, window }: PassageWindow): string => `${language} window ${window}`;

/** Cuts a list into groups of at least one: before the item that would exceed `limit`, or that is not `alike` the first. */
function* groups<T>(
  items: readonly T[],
  limit: number,
  weigh: (item: T) => number,
  alike: (item: T) => string = () => "",
): Generator<readonly T[], void, undefined> {
  let group: T[] = [];
  let weight = 0;
  for (const item of items) {
    const own = weigh(item);
    const [first] = group;
    if (first !== undefined && (weight + own > limit || alike(item) !== alike(first))) {
      yield group;
      group = [];
      weight = 0;
    }
    group.push(item);
    weight += own;
  }
  if (group.length > 0) yield group;
}

/**
 * Windows as they are run: in batches, and these in chunks whose states are kept at once. Batches follow from the windows alone,
 * whatever is kept: a window's states depend, in their last bits, on what is run beside it.
 *
 * @param width of all states that are kept of a token
 */
export function* chunksOf(windows: readonly PassageWindow[], width: number): Generator<readonly WindowBatch[], void, undefined> {
  const bytesOf = (batch: WindowBatch): number => 4 * width * batch.flatMap(tokensIn).reduce((sum, count) => sum + count, 0);
  yield* groups([...groups(windows, batchTokens, longest, shape)], stateBytes, bytesOf);
}

/** Tokens that are predicted in each window of a batch. */
export function predictedIn(windows: WindowBatch): number {
  const { scored, first } = at(windows, 0).passage;
  return scored.length - first;
}

/** The states that predict a token which counts. @param states of all tokens of the windows */
function predictingStates(windows: WindowBatch, { rows, columns, values }: Matrix): Matrix {
  const size = predictedIn(windows) * columns;
  const stride = (rows / windows.length) * columns;
  const before = (at(windows, 0).passage.first - 1) * columns;
  const chosen = new Float32Array(windows.length * size);
  for (const index of windows.keys()) {
    const start = index * stride + before;
    chosen.set(values.subarray(start, start + size), index * size);
  }
  return { rows: chosen.length / columns, columns, values: chosen };
}

/** What a chunk is run with. */
interface ChunkRun {
  readonly signal: AbortSignal;
  /** Called with the share of the chunk's blocks that is done. */
  readonly report: (share: number) => void;
}

/** A batch that has been embedded. */
interface EmbeddedBatch {
  readonly windows: WindowBatch;
  readonly states: StreamStates;
}

/** Calls for each block, and within it for each batch, so that a block's weights are read once. */
async function forEachBlock(
  { model, label }: ScoredBy,
  batches: number,
  { signal, report }: ChunkRun,
  work: (block: number, batch: number) => Promise<void>,
): Promise<void> {
  for (const block of model.blocks.keys()) {
    for (let batch = 0; batch < batches; batch++) {
      if (signal.aborted) throw new InterruptedError(`${label}: stopped`);
      await work(block, batch);
      report((block * batches + batch + 1) / (model.blocks.length * batches));
    }
  }
}

/** What ran blocks where there was no space for the states of all windows beside them. It is not tried again. */
const withoutSpace = new WeakSet<NonNullable<Forward["keptBlock"]>>();

/**
 * Runs all blocks over windows whose states stay on a graphics processor from block to block.
 *
 * @returns undefined where that has no space for them, or where states are not finite, which is looked at in the end only
 */
async function runKept(
  forward: Forward,
  scored: ScoredBy,
  embedded: readonly EmbeddedBatch[],
  run: ChunkRun,
): Promise<readonly EndedBatch[] | undefined> {
  const { blocks } = scored.model;
  const kept: PlacedStates[] = embedded.map(({ states }) => states);
  try {
    await forEachBlock(scored, kept.length, run, async (block, batch) => {
      kept[batch] = await advanceKept(forward, blocks, block, at(kept, batch), at(embedded, batch).windows.length);
    });
    const ended: EndedBatch[] = [];
    for (const [batch, { windows }] of embedded.entries()) {
      const states = await readMatrix(headStates(at(kept, batch)));
      if (findNonfinite(states.values) >= 0) return undefined;
      ended.push({ windows, states: predictingStates(windows, states) });
    }
    return ended;
  } catch (error) {
    if (!(error instanceof DeviceFullError)) throw error;
    countLackOfSpace();
    if (forward.keptBlock !== undefined) withoutSpace.add(forward.keptBlock);
    return undefined;
  } finally {
    for (const states of kept) for (const matrix of states.values()) freeMatrix(matrix);
  }
}

/**
 * Runs all blocks over some windows: blocks outside, windows inside, so that a block's weights are read once.
 *
 * @throws {BadDataError} naming the block and the window where states are not finite
 */
export async function runChunk(
  forward: Forward,
  scored: ScoredBy,
  batches: readonly WindowBatch[],
  run: ChunkRun,
): Promise<readonly EndedBatch[]> {
  const { model, label, activations } = scored;
  const running: { readonly windows: WindowBatch; states: StreamStates }[] = [];
  for (const windows of batches) {
    const embedded = await embedStreams(forward, ...windows.map(({ passage }) => passage.inputs));
    requireFiniteStreams(`${label}, embedding`, embedded, windows.map(nameWindow));
    running.push({ windows, states: embedded });
  }
  if (forward.keptBlock !== undefined && activations === "float32" && !withoutSpace.has(forward.keptBlock)) {
    const ended = await runKept(forward, scored, running, run);
    if (ended !== undefined) return ended;
  }
  await forEachBlock(scored, running.length, run, async (block, index) => {
    const batch = at(running, index);
    const { windows } = batch;
    batch.states = await advance(forward, model.blocks, block, batch.states, { batch: windows.length, activations });
    const { name, stream } = at(model.blocks, block);
    const made = `${label}, ${name}, stream ${stream}`;
    requireFiniteRows({ made, segments: windows.map(nameWindow) }, statesOf(batch.states, stream));
  });
  const ended: EndedBatch[] = [];
  // taken out one after the other, so that the states of all tokens are not held beside those of the predicted ones
  for (let batch = running.shift(); batch !== undefined; batch = running.shift()) {
    const { windows, states } = batch;
    ended.push({ windows, states: predictingStates(windows, headStates(states)) });
  }
  return ended;
}
