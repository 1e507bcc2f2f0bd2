import { readSegments, ScratchFile, type Segment } from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InternalError,
  InterruptedError,
  type ArtifactStream,
  type Matrix,
  type StageContext,
} from "@mbs/contracts";
import { createLogitComparison, rowsAt } from "@mbs/models";
import type { EmbeddingsForward, Forward, Model } from "@mbs/models";
import { mean } from "@mbs/numbers";
import { ofAllExperts } from "./allocation-method.ts";

/** Most tokens of a language that are run: more change what is found by less than languages differ. */
const mostTokens = 128;

/** Fewest tokens of a language. */
const fewestTokens = 16;

/** Passes over all tokens of the segments that the trials may take together, while each language has more than the fewest. */
export const passes = 4;

/** One tensor without the others of its site. */
export interface LoneTensor {
  readonly tensor: string;
  readonly columns: number;
  /** As the model reads it, row by row; not modified. */
  readonly values: Float32Array;
}

/** Makes other values of a weight; of the embedding, of the rows that the texts read. */
export type Perturbation = (weight: LoneTensor) => Promise<Float32Array>;

/** Weights that are changed at once. */
interface Trial {
  /** -1 for the embedding. */
  readonly block: number;
  readonly columns: number;
  readonly tensors: readonly string[];
}

/** A trial for each of some tensors; the same weights of all experts of a block share one, since each sees some of the tokens alone. */
function trialsOf(model: Model, wanted: ReadonlySet<string>): Trial[] {
  const embedding = model.kind === "architecture" ? model.layout.embedding : undefined;
  const ofEmbedding =
    embedding !== undefined && wanted.has(embedding) ? [{ block: -1, columns: model.hiddenSize, tensors: [embedding] }] : [];
  const ofBlocks = model.blocks.flatMap(({ sites }, block) => {
    const trials = new Map<string, Trial>();
    for (const { name, width: columns, weights } of sites) {
      const place = ofAllExperts(name);
      for (const [index, { tensor }] of weights.entries()) {
        if (!wanted.has(tensor)) continue;
        const key = JSON.stringify([place, index]);
        trials.set(key, { block, columns, tensors: [...(trials.get(key)?.tensors ?? []), tensor] });
      }
    }
    return [...trials.values()];
  });
  return [...ofEmbedding, ...ofBlocks];
}

/** The beginning of one segment of each language, all of one length. */
interface ShortTexts {
  readonly languages: readonly string[];
  readonly length: number;
  /** Language by language. */
  readonly tokens: Int32Array;
}

async function readShortTexts(segments: ArtifactStream, model: Model, trials: readonly Trial[]): Promise<ShortTexts> {
  const firsts = new Map<string, Segment>();
  let all = 0;
  for await (const segment of readSegments(segments)) {
    all += segment.tokens.length;
    const known = firsts.get(segment.language);
    if (known === undefined || known.tokens.length < segment.tokens.length) firsts.set(segment.language, segment);
  }
  if (firsts.size === 0) throw new BadDataError("allocate: the artifact has no segments; sample at least one");
  const found = [...firsts].sort(([a], [b]) => (a < b ? -1 : 1));
  const blocks = model.blocks.length;
  const runs = trials.reduce((sum, { block }) => sum + blocks - block, 0);
  const affordable = Math.floor((passes * all * blocks) / (runs * found.length));
  const wanted = Math.min(mostTokens, Math.max(fewestTokens, affordable));
  const length = Math.min(wanted, ...found.map(([, { tokens }]) => tokens.length));
  const tokens = new Int32Array(found.length * length);
  for (const [index, [, segment]] of found.entries()) tokens.set(segment.tokens.subarray(0, length), index * length);
  return { languages: found.map(([language]) => language), length, tokens };
}

/** |changed - states|² / |states|² of one token. */
function rowChange(states: Float32Array, changed: Float32Array, first: number, width: number): number {
  let [change, size] = [0, 0];
  for (let index = first; index < first + width; index += 1) {
    const state = at(states, index);
    change += (at(changed, index) - state) ** 2;
    size += state ** 2;
  }
  return size > 0 ? change / size : 0;
}

/** What the head multiplies; in a model whose graph does not show that, the states after the last block themselves. */
const compared = (forward: Forward, states: Matrix): Promise<Matrix> | Matrix => forward.embeddings?.headInput(states) ?? states;

/** Mean over tokens of |changed - dense|² / |dense|² of each language. */
function relativeChange(dense: Matrix, changed: Matrix, { languages, length }: ShortTexts): Map<string, number> {
  const { columns } = dense;
  return new Map(
    languages.map((language, place) => {
      let sum = 0;
      for (let row = place * length; row < (place + 1) * length; row += 1) {
        sum += rowChange(dense.values, changed.values, row * columns, columns);
      }
      return [language, sum / length];
    }),
  );
}

/** States before the first block, with another embedding of the tokens that are read. */
async function embedChanged(
  { checkpoint, hiddenSize: columns, stateWidth }: Model,
  embeddings: EmbeddingsForward,
  { languages, length, tokens }: ShortTexts,
  tensor: string,
  perturb: Perturbation,
): Promise<Float32Array> {
  const distinct = [...new Set(tokens)].sort((a, b) => a - b);
  const values = await checkpoint.readRowsF32(tensor, distinct);
  const changed = await perturb({ tensor, columns, values });
  const rowOf = (place: number): Float32Array =>
    Float32Array.from({ length: columns }, (_, column) => {
      const index = place * columns + column;
      return at(changed, index) - at(values, index);
    });
  const changes = new Map(distinct.map((token, place) => [token, rowOf(place)]));
  const states = new Float32Array(tokens.length * stateWidth);
  for (const place of languages.keys()) {
    const own = await embeddings.embedChanged(tokens.subarray(place * length, (place + 1) * length), changes);
    states.set(own.values, place * length * stateWidth);
  }
  return states;
}

/** Positions whose predictions are compared, of all trials together: of a vocabulary of 250,000 about a second each hundred. */
export const comparedPositions = 1024;

/**
 * Positions that are compared of a trial, evenly spaced. The first goes by the golden ratio from trial to trial: positions, and with
 * them languages, must not go with the depth of a trial.
 */
export function positionsOf(trial: number, count: number, all: number): number[] {
  const shift = (trial * 0.618_033_988_749_894_9) % 1;
  return Array.from({ length: count }, (_, index) => Math.floor(((index + shift) * all) / count));
}

/** States after the last block. */
interface LastStates {
  readonly columns: number;
  readonly dense: Float32Array;
  readonly trials: number;
  /** Of one trial, [tokens, columns]. */
  readonly changed: (trial: number) => Float32Array;
}

/** Adds to what is known of a language. */
const addTo = (sums: Map<string, number>, language: string, value: number): void => {
  sums.set(language, (sums.get(language) ?? 0) + value);
};

/**
 * What a relative change of what the head multiplies costs in each language: the KL divergence of the predictions, nats a token,
 * over the change, both summed over some positions of every trial.
 */
async function lossOfChange(
  { vocabularySize }: Model,
  forward: Forward,
  { languages, length }: ShortTexts,
  { columns, dense, trials, changed }: LastStates,
  { signal }: StageContext,
): Promise<ReadonlyMap<string, number>> {
  const all = dense.length / columns;
  const perTrial = Math.max(1, Math.floor(comparedPositions / trials));
  const comparison = createLogitComparison(vocabularySize);
  const [losses, changes] = [new Map<string, number>(), new Map<string, number>()];
  for (let trial = 0; trial < trials; trial += 1) {
    if (signal.aborted) throw new InterruptedError("allocate: stopped");
    const positions = positionsOf(trial, perTrial, all);
    const pick = (values: Float32Array) => rowsAt({ rows: all, columns, values }, positions);
    const [before, after] = [pick(dense), pick(changed(trial))];
    const { kl } = await comparison.of({ forward, states: before }, { forward, states: after });
    const [read, readAfter] = [await compared(forward, before), await compared(forward, after)];
    for (const [row, position] of positions.entries()) {
      const language = at(languages, Math.floor(position / length));
      addTo(losses, language, at(kl, row));
      addTo(changes, language, rowChange(read.values, readAfter.values, row * read.columns, read.columns));
    }
  }
  return ratios(losses, changes);
}

/**
 * Of each language one sum over the other; that over all languages where the other is zero, and zero where nothing has any.
 *
 * @param over of the same languages
 */
function ratios(sums: ReadonlyMap<string, number>, over: ReadonlyMap<string, number>): Map<string, number> {
  const [all, overAll] = [sums, over].map((own) => [...own.values()].reduce((total, value) => total + value, 0)) as [
    number,
    number,
  ];
  const common = overAll > 0 ? all / overAll : 0;
  return new Map(
    [...sums].map(([language, own]) => {
      const other = over.get(language) ?? 0;
      return [language, other > 0 ? own / other : common];
    }),
  );
}

/** Runs all trials through the model side by side, so that each block's weights are read once. */
async function runTrials(
  model: Model,
  forward: Forward,
  texts: ShortTexts,
  trials: readonly Trial[],
  perturb: Perturbation,
  context: StageContext,
): Promise<OutputChanges> {
  const { signal, progress } = context;
  const batch = texts.languages.length;
  const scratch = new ScratchFile();
  try {
    let dense = await forward.embed(texts.tokens, batch);
    const { rows, columns } = dense;
    const begun: { readonly trial: Trial; readonly slot: ReturnType<ScratchFile["append"]> }[] = [];
    const read = (slot: ReturnType<ScratchFile["append"]>): Float32Array => {
      const values = new Float32Array(rows * columns);
      scratch.readInto(slot, values);
      return values;
    };
    for (const trial of trials.filter(({ block }) => block < 0)) {
      const { embeddings } = forward;
      if (embeddings === undefined) throw new InternalError("the forward pass does not show what the embedding reads");
      const states = await embedChanged(model, embeddings, texts, at(trial.tensors, 0), perturb);
      begun.push({ trial, slot: scratch.append(states) });
    }
    for (const [index, block] of model.blocks.entries()) {
      if (signal.aborted) throw new InterruptedError("allocate: stopped");
      for (const { slot } of begun) {
        scratch.overwrite(slot, (await forward.block(index, { rows, columns, values: read(slot) }, { batch })).values);
      }
      for (const trial of trials.filter((own) => own.block === index)) {
        const weights = new Map<string, Float32Array>();
        for (const tensor of trial.tensors) {
          weights.set(tensor, await perturb({ tensor, columns: trial.columns, values: await model.readWeight(tensor) }));
        }
        begun.push({ trial, slot: scratch.append((await forward.block(index, dense, { batch, weights })).values) });
      }
      dense = await forward.block(index, dense, { batch });
      progress({ activity: `allocate (output of ${block.name})`, done: index + 1, total: model.blocks.length, unit: "blocks" });
    }
    const output = await compared(forward, dense);
    const changes = new Map<string, ReadonlyMap<string, number>>();
    for (const { trial, slot } of begun) {
      const change = relativeChange(output, await compared(forward, { rows, columns, values: read(slot) }), texts);
      // all experts of a block were changed at once: each has its part of what that did
      const part = new Map([...change].map(([language, value]) => [language, value / trial.tensors.length]));
      for (const tensor of trial.tensors) changes.set(tensor, part);
    }
    const changed = (trial: number): Float32Array => read(at(begun, trial).slot);
    const last = { columns, dense: dense.values, trials: begun.length, changed };
    return { changes, losses: await lossOfChange(model, forward, texts, last, context) };
  } finally {
    scratch.close();
  }
}

/** How much the model's output changes with some tensors. */
export interface OutputChanges {
  /** Tensor → language → relative change of what the head multiplies, dimensionless; of experts an equal part of what all of them do. */
  readonly changes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Language → what a change of 1 costs, nats a token, over all trials. */
  readonly losses: ReadonlyMap<string, number>;
}

/**
 * How much what the head multiplies changes when one tensor is changed: the mean over tokens of |Δ|² / |x|². The head is the same
 * for all tensors, so that the loss that a change costs goes with it. Before the last norm a few very large channels, which it
 * makes small, would decide alone.
 *
 * It takes at most about four passes of the model over the segments, or 16 tokens of each language where that is more.
 *
 * @param model of one stream, a decoder
 * @param segments texts of all languages
 * @param wanted tensors that are changed, weights of sites or the embedding, which then changes as what is read alone
 */
export async function measureOutputChange(
  model: Model,
  segments: ArtifactStream,
  wanted: ReadonlySet<string>,
  perturb: Perturbation,
  context: StageContext,
): Promise<OutputChanges> {
  const trials = trialsOf(model, wanted);
  const texts = await readShortTexts(segments, model, trials);
  const forward = await model.forward({ threads: context.threads, device: context.device });
  try {
    return await runTrials(model, forward, texts, trials, perturb, context);
  } finally {
    await forward.close();
  }
}

/** Relative errors in the own outputs of tensors that made the changes: tensor → language → error. */
export type CausedErrors = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What a unit of a tensor's own relative output error costs in a language, nats a token. */
export type Prices = (tensor: string, language: string) => number;

/**
 * What errors of tensors cost, from trials of each alone: nats a token for each unit of relative output error.
 *
 * A price is the tensor's, the change that it made for each unit of error as means over languages, times the language's: by how much
 * more all tensors together change its output than that, and what such a change costs it. One trial of one tensor says little of one
 * language. Of a language without trials, such as that of a mix, the common price is taken.
 *
 * @param caused in the trials, of each tensor that had one
 * @returns prices of these tensors; 0 where a trial changed nothing
 */
export function pricesOf({ changes, losses }: OutputChanges, caused: CausedErrors): Prices {
  const ofTensor = new Map(
    [...caused].flatMap(([tensor, errors]) => {
      const own = changes.get(tensor);
      if (own === undefined || errors.size === 0) return [];
      const error = mean([...errors.values()]);
      return [[tensor, error > 0 ? mean([...own.values()]) / error : 0] as const];
    }),
  );
  const [measured, expected] = [new Map<string, number>(), new Map<string, number>()];
  for (const [tensor, errors] of caused) {
    for (const [language, error] of errors) {
      const change = changes.get(tensor)?.get(language);
      if (change === undefined) continue;
      addTo(measured, language, change);
      addTo(expected, language, error * (ofTensor.get(tensor) ?? 0));
    }
  }
  const factors = ratios(measured, expected);
  const common = mean([...losses.values()]);
  return (tensor, language) => {
    const price = ofTensor.get(tensor);
    if (price === undefined) {
      throw new InternalError(`${tensor}: its change of the model's output was not measured`, { tensor });
    }
    return price * (factors.get(language) ?? 1) * (losses.get(language) ?? common);
  };
}
