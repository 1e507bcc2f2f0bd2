import { allLanguages, inputSite } from "@mbs/artifacts";
import type { Spool, SpoolSlot, Statistic } from "@mbs/artifacts";
import { at, BadDataError, InternalError, InterruptedError } from "@mbs/contracts";
import { requireFiniteRows, statesOf } from "@mbs/models";
import type { Forward, GivenWeights, Step, StepCut, StreamStates } from "@mbs/models";
import { findNonfinite } from "@mbs/numbers";
import type { CapturePlan } from "./capture-plan.ts";
import { LanguageStatistics } from "./language-statistics.ts";
import type { SiteMeans, SumTools } from "./language-statistics.ts";
import { addScaled } from "./running-sums.ts";
import { unstackStreams } from "./segment-batches.ts";

/** A segment whose states lie in a spool. */
export interface SpooledSegment {
  /** As messages name it. */
  readonly name: string;
  readonly language: string;
  /** Tokens in each stream. */
  readonly lengths: readonly number[];
  /** Stream → its states. */
  readonly slots: ReadonlyMap<string, SpoolSlot>;
  /** The dense model's states by stream, where they are given. */
  readonly dense?: ReadonlyMap<string, SpoolSlot>;
}

/** Equally long segments of one language, which run together. */
export type SegmentBatch = readonly SpooledSegment[];

export interface StepCapture {
  readonly step: Step;
  readonly index: number;
  /** Of the states. */
  readonly width: number;
  readonly plan: CapturePlan;
  /** By language, in sorted order. */
  readonly batches: ReadonlyMap<string, readonly SegmentBatch[]>;
  /** Language → its weight in a Gram of all languages, sum 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly states: Spool;
  /** Whether the states after the step replace those before it. */
  readonly advance: boolean;
  readonly weights: GivenWeights;
}

export interface CaptureTools {
  readonly forward: Forward;
  readonly sums: SumTools;
  /** Holds the Grams of a step until all languages are done. */
  readonly grams: Spool;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  /** Called with the number of segments that a batch had. */
  readonly advanceProgress: (segments: number) => void;
}

interface SpooledMeans extends Omit<SiteMeans, "gram" | "crossMoment"> {
  readonly gram: SpoolSlot | undefined;
  readonly crossMoment: SpoolSlot | undefined;
}

function slotOf(slots: SpooledSegment["slots"], stream: string): SpoolSlot {
  const slot = slots.get(stream);
  if (slot === undefined) throw new InternalError(`a segment has no states of stream ${stream}`, { stream });
  return slot;
}

/** The states of the streams that a step reads, of equally long segments under each other. */
function readStreams({ step, states, width }: StepCapture, segments: readonly SpooledSegment["slots"][]): StreamStates {
  const read = [step.stream, ...step.reads].map((stream) => {
    const slots = segments.map((segment) => slotOf(segment, stream));
    const sizes = slots.map(({ length }) => length / Float32Array.BYTES_PER_ELEMENT);
    const values = new Float32Array(sizes.reduce((sum, size) => sum + size, 0));
    let start = 0;
    for (const slot of slots) {
      states.readInto(slot, values.subarray(start));
      start += slot.length / Float32Array.BYTES_PER_ELEMENT;
    }
    return [stream, { rows: values.length / width, columns: width, values }] as const;
  });
  return new Map(read);
}

const beginStep = (forward: Forward, { step, index }: StepCapture, read: StreamStates, batch: number): Promise<StepCut> =>
  forward.beginStep(index, statesOf(read, step.stream), { batch, reads: read });

/** How many of a step's sites have to be reached for those of a plan. */
const sitesToReach = ({ sites }: Step, plan: CapturePlan): number =>
  sites.findLastIndex(({ name }) => plan.sites.some(({ site }) => site === name)) + 1;

/**
 * Runs segments again one by one to say which of them is not finite at a site, and where. Looking at the inputs of every
 * site each time would cost 4% of a step; NaN and Inf also show in the states after the step and in the means.
 *
 * @throws {BadDataError} naming the site, the segment, the token and the channel
 */
async function requireFiniteInputs(capture: StepCapture, segments: SegmentBatch, { forward }: CaptureTools): Promise<void> {
  const { step, plan, weights } = capture;
  for (const { name: segment, slots, dense } of segments) {
    for (const [from, given, what] of [
      [slots, weights, ""],
      [dense, undefined, " of the dense model"],
    ] as const) {
      if (from === undefined) continue;
      const read = readStreams(capture, [from]);
      let cut = await beginStep(forward, capture, read, 1);
      for (const { name, stream = step.stream } of step.sites.slice(0, sitesToReach(step, plan))) {
        const next = await forward.nextSite(cut, given);
        ({ cut } = next);
        // an expert reads only some of the tokens of its stream
        const tokens = statesOf(read, stream).rows;
        requireFiniteRows({ made: `${step.name} ${name}${what}`, segments: [segment], tokens }, next.input);
      }
    }
  }
}

/** The slots of the dense model's states, of all segments or of none. */
function denseSlots(batch: SegmentBatch): readonly SpooledSegment["slots"][] | undefined {
  const slots = batch.flatMap(({ dense }) => dense ?? []);
  if (slots.length === 0) return undefined;
  if (slots.length === batch.length) return slots;
  throw new InternalError(`${batch.length - slots.length} of ${batch.length} segments have no states of the dense model`);
}

/** Adds the inputs of a step's sites to the sums of a language, and takes the states on where they are wanted. */
async function captureBatch(
  capture: StepCapture,
  batch: SegmentBatch,
  statistics: LanguageStatistics,
  tools: CaptureTools,
): Promise<void> {
  const { step, plan, states, advance, weights } = capture;
  const { forward } = tools;
  const read = readStreams(
    capture,
    batch.map(({ slots }) => slots),
  );
  const own = statesOf(read, step.stream);
  await statistics.add(inputSite, own, own.rows);
  const sites = step.sites.slice(0, advance ? step.sites.length : sitesToReach(step, plan));
  if (sites.length === 0 && !advance) return;
  const slots = denseSlots(batch);
  let cut = await beginStep(forward, capture, read, batch.length);
  let dense = slots && (await beginStep(forward, capture, readStreams(capture, slots), batch.length));
  for (const { name, stream = step.stream } of sites) {
    const { rows: tokens } = statesOf(read, stream);
    const next = await forward.nextSite(cut, weights);
    ({ cut } = next);
    await statistics.add(name, next.input, tokens);
    if (dense === undefined) continue;
    const original = await forward.nextSite(dense);
    dense = original.cut;
    await statistics.compare(name, original.input, next.input, tokens);
  }
  if (!advance) return;
  const after = await forward.endStep(cut, weights);
  if (findNonfinite(after.values) >= 0) await requireFiniteInputs(capture, batch, tools);
  requireFiniteRows({ made: `${step.name}, stream ${step.stream}`, segments: batch.map(({ name }) => name) }, after);
  for (const [position, made] of unstackStreams(new Map([[step.stream, after]]), batch.length).entries()) {
    states.overwrite(slotOf(at(batch, position).slots, step.stream), statesOf(made, step.stream).values);
  }
}

async function captureLanguage(
  capture: StepCapture,
  language: string,
  batches: readonly SegmentBatch[],
  tools: CaptureTools,
): Promise<SiteMeans[]> {
  const { step, plan, advance } = capture;
  const { sums, signal, advanceProgress } = tools;
  const statistics = new LanguageStatistics(plan.sites, sums);
  for (const batch of batches) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    await captureBatch(capture, batch, statistics, tools);
    advanceProgress(batch.length);
  }
  const means = statistics.finish();
  const broken = means.find(({ gram, diagonal, crossMoment }) =>
    [gram, diagonal, crossMoment].some((values) => values !== undefined && findNonfinite(values) >= 0),
  );
  if (broken === undefined) return means;
  // the states were not overwritten, so they still show which segment it was
  if (!advance) await requireFiniteInputs(capture, batches.flat(), tools);
  throw new BadDataError(
    `${step.name} ${broken.plan.site}: inputs of ${language} are so large that their mean products overflow float32; a weight is broken or too large: take the model from its source again`,
    { step: step.name, site: broken.plan.site, language },
  );
}

/** Warns of experts whose Grams have less than full rank, because the router sent them too few tokens. */
function warnOfFewTokens(
  step: string,
  found: readonly { readonly means: readonly SpooledMeans[] }[],
  warn: CaptureTools["warn"],
) {
  const sites = (found[0]?.means ?? []).map(({ plan }, position) => {
    const all = found.map(({ means }) => at(means, position));
    const [seen, tokens] = [all.reduce((sum, mean) => sum + mean.seen, 0), all.reduce((sum, mean) => sum + mean.tokens, 0)];
    return { site: plan.site, width: plan.width, seen, tokens };
  });
  const few = sites.filter(({ width, seen, tokens }) => seen < tokens && seen < width).sort((a, b) => a.seen - b.seen);
  const [least] = few;
  if (least === undefined) return;
  warn(
    `${step}: ${few.length} of ${sites.length} sites saw fewer tokens than they have channels, the least ${least.site} with ${least.seen} of ${least.width}; damping makes up for it, more text is better`,
  );
}

/**
 * Runs one step over all segments, language by language, and yields its statistics: by site in the order of the plan, then
 * by language, the Gram before the cross-moment and the diagonal. Those of all languages, where there are any, come first.
 *
 * Only one language's sums are in memory; finished Grams wait in a file until their site's turn.
 */
export async function* captureStep(capture: StepCapture, tools: CaptureTools): AsyncGenerator<Statistic> {
  const { plan, batches, shares } = capture;
  const step = capture.step.name;
  const { grams } = tools;
  grams.clear();
  const pooled = { gram: new Map<string, Float32Array>(), crossMoment: new Map<string, Float32Array>() };
  const found: { language: string; means: SpooledMeans[] }[] = [];
  for (const [language, own] of batches) {
    const share = shares[language];
    if (share === undefined) throw new InternalError(`${language} has no weight in the mix`, { language });
    const means = (await captureLanguage(capture, language, own, tools)).map((site): SpooledMeans => {
      const keep = (kind: keyof typeof pooled): SpoolSlot | undefined => {
        const values = site[kind];
        if (values === undefined || !plan.pooled) return values && grams.append(values);
        const sum = pooled[kind].get(site.plan.site) ?? new Float32Array(values.length);
        pooled[kind].set(site.plan.site, sum);
        addScaled(sum, values, share);
        return undefined;
      };
      return { ...site, gram: keep("gram"), crossMoment: keep("crossMoment") };
    });
    found.push({ language, means });
  }
  warnOfFewTokens(step, found, tools.warn);
  for (const [position, { site, width }] of plan.sites.entries()) {
    const tokens = found.reduce((seen, { means }) => seen + at(means, position).tokens, 0);
    for (const [kind, sums] of [
      ["gram", pooled.gram],
      ["cross-moment", pooled.crossMoment],
    ] as const) {
      const values = sums.get(site);
      if (values !== undefined) yield { step, site, language: allLanguages, kind, tokens, width, values };
    }
    for (const { language, means } of found) {
      const { tokens: own, gram, diagonal, crossMoment } = at(means, position);
      for (const [kind, slot] of [
        ["gram", gram],
        ["cross-moment", crossMoment],
      ] as const) {
        if (slot === undefined) continue;
        yield { step, site, language, kind, tokens: own, width, values: new Float32Array(grams.read(slot).buffer) };
      }
      if (diagonal !== undefined) yield { step, site, language, kind: "diagonal", tokens: own, width, values: diagonal };
    }
  }
}
