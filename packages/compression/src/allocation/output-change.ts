import { readSegments, ScratchFile, type Segment } from "@mbs/artifacts";
import { at, BadDataError, InternalError, InterruptedError, type ArtifactStream, type StageContext } from "@mbs/contracts";
import type { Forward, Model } from "@mbs/models";
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

/** Makes other values of a weight. */
export type Perturbation = (weight: LoneTensor) => Promise<Float32Array>;

/** Weights that are changed at once. */
interface Trial {
  readonly block: number;
  readonly columns: number;
  readonly tensors: readonly string[];
}

/** A trial for each of some tensors; the same weights of all experts of a block share one, since each sees some of the tokens alone. */
function trialsOf(model: Model, wanted: ReadonlySet<string>): Trial[] {
  return model.blocks.flatMap(({ sites }, block) => {
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

/** Mean over tokens of |changed - states|² / |states|² of each language. */
function relativeChange(states: Float32Array, changed: Float32Array, { languages, length }: ShortTexts): Map<string, number> {
  const width = states.length / (languages.length * length);
  return new Map(
    languages.map((language, place) => {
      let sum = 0;
      for (let row = place * length; row < (place + 1) * length; row += 1) {
        let [change, size] = [0, 0];
        for (let index = row * width; index < (row + 1) * width; index += 1) {
          const state = at(states, index);
          change += (at(changed, index) - state) ** 2;
          size += state ** 2;
        }
        if (size > 0) sum += change / size;
      }
      return [language, sum / length];
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
  { signal, progress }: StageContext,
): Promise<Map<string, Map<string, number>>> {
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
    return new Map(
      begun.flatMap(({ trial, slot }) => {
        const change = relativeChange(dense.values, read(slot), texts);
        return trial.tensors.map((tensor) => [tensor, change] as const);
      }),
    );
  } finally {
    scratch.close();
  }
}

/** Tensor → language → relative change of the model's output, dimensionless. */
export type OutputChanges = ReadonlyMap<string, ReadonlyMap<string, number>>;

/**
 * How much the states after the last block change when one tensor is changed: the mean over tokens of |Δ|² / |x|². What follows
 * the last block (a norm, the head) is the same for all tensors, so that the loss that a change costs goes with it.
 *
 * It takes at most about four passes of the model over the segments, or 16 tokens of each language where that is more.
 *
 * @param model of one stream, a decoder
 * @param segments texts of all languages
 * @param wanted tensors that are changed, weights of sites
 * @param perturb how a tensor is changed
 * @returns tensor → language → the change, dimensionless
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
  const forward = await model.forward({ threads: context.threads });
  try {
    return await runTrials(model, forward, texts, trials, perturb, context);
  } finally {
    await forward.close();
  }
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * What a unit of a tensor's own relative output error costs the model: the change of its output for each unit.
 *
 * @param caused relative error in the tensor's own output that made this change, of each language
 * @returns 0 where the trial changed nothing
 * @throws {InternalError} where the tensor had no trial
 */
export function priceOf(changes: OutputChanges, tensor: string, caused: readonly number[]): number {
  const change = changes.get(tensor);
  if (change === undefined || caused.length === 0) {
    throw new InternalError(`${tensor}: its change of the model's output was not measured`, { tensor });
  }
  const mean = meanOf(caused);
  return mean > 0 ? meanOf([...change.values()]) / mean : 0;
}
