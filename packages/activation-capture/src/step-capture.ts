import { allLanguages, inputSite } from "@mbs/artifacts";
import type { Spool, SpoolSlot, Statistic } from "@mbs/artifacts";
import { at, BadDataError, InternalError, InterruptedError } from "@mbs/contracts";
import { requireFiniteRows, statesOf } from "@mbs/models";
import type { Forward, GivenWeights, Step, StepCut, StreamStates } from "@mbs/models";
import { findNonfinite } from "@mbs/numbers";
import type { CapturePlan } from "./capture-plan.ts";
import type { CaptureWalks } from "./capture-walks.ts";
import { LanguageStatistics, PooledMoments } from "./language-statistics.ts";
import type { SiteMeans, SumTools } from "./language-statistics.ts";
import type { SegmentBatch } from "./segment-batches.ts";
import type { SpooledStates, StatesOwner } from "./spooled-states.ts";
import { nameSegment } from "./state-source.ts";

export interface StepCapture {
  readonly step: Step;
  readonly index: number;
  readonly plan: CapturePlan;
  /** By language, in sorted order. */
  readonly batches: ReadonlyMap<string, readonly SegmentBatch[]>;
  /** Language → its weight in a Gram of all languages, sum 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly states: SpooledStates;
  /** Whether the dense model's states are walked beside the others. */
  readonly compares: boolean;
  /** Where the walks are held before and after this capture; absent where nothing goes on from it. */
  readonly walks: CaptureWalks | undefined;
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

/** What is yielded of a language at a site. */
type WholeMeans = Pick<SiteMeans, "plan" | "tokens"> & {
  readonly [Kind in "gram" | "crossMoment" | "diagonal"]?: Float32Array | undefined;
};

/** The states that a step reads. */
const readStates = (
  { step, states }: StepCapture,
  owner: StatesOwner,
  { first, segments }: SegmentBatch,
): Promise<StreamStates> => states.read(owner, [step.stream, ...step.reads], first, segments.length);

async function beginStep(forward: Forward, capture: StepCapture, owner: StatesOwner, batch: SegmentBatch): Promise<StepCut> {
  const { step, index } = capture;
  const read = await readStates(capture, owner, batch);
  return forward.beginStep(index, statesOf(read, step.stream), { batch: batch.segments.length, reads: read });
}

/** The tokens of a site's stream. An expert reads only some of them, so its rows are fewer. */
function tokensOf({ stream, reads, sites }: Step, site: string, { batch, lengths }: StepCut): number {
  const own = sites.find(({ name }) => name === site)?.stream ?? stream;
  return batch * at(lengths, [stream, ...reads].indexOf(own));
}

/** Whether a step has been walked past all sites of a plan. */
const isPast = ({ sites }: CapturePlan, { passed }: StepCut): boolean =>
  sites.every(({ site }) => site === inputSite || passed.has(site));

/**
 * Runs segments again one by one to say which of them is not finite at a site, and where. Looking at the inputs of every
 * site each time would cost 4% of a step; NaN and Inf also show in the states after the step and in the means.
 *
 * @throws {BadDataError} naming the site, the segment, the token and the channel
 */
async function requireFiniteInputs(capture: StepCapture, batch: SegmentBatch, { forward }: CaptureTools): Promise<void> {
  const { step, plan, weights, compares } = capture;
  for (const [place, segment] of batch.segments.entries()) {
    const alone = { ...batch, first: batch.first + place, segments: [segment] };
    for (const owner of compares ? (["own", "dense"] as const) : (["own"] as const)) {
      let cut = await beginStep(forward, capture, owner, alone);
      while (!isPast(plan, cut)) {
        const next = await forward.nextSites(cut, owner === "own" ? weights : undefined);
        ({ cut } = next);
        for (const [site, input] of next.inputs) {
          const made = `${step.name} ${site}${owner === "own" ? "" : " of the dense model"}`;
          requireFiniteRows({ made, segments: [nameSegment(segment)], tokens: tokensOf(step, site, cut) }, input);
        }
      }
    }
  }
}

/** Adds the inputs of a step's sites to the sums of a language, and takes the states on where they are wanted. */
async function captureBatch(
  capture: StepCapture,
  batch: SegmentBatch,
  statistics: LanguageStatistics,
  tools: CaptureTools,
): Promise<void> {
  const { step, plan, states, advance, weights, walks, compares } = capture;
  const { forward } = tools;
  if (plan.sites.some(({ site }) => site === inputSite)) {
    const own = statesOf(await readStates(capture, "own", batch), step.stream);
    await statistics.add(inputSite, own, own.rows);
  }
  if (!advance && plan.sites.every(({ site }) => site === inputSite)) return;
  const open = async (owner: StatesOwner): Promise<StepCut> =>
    walks?.of(owner)?.take(batch) ?? (await beginStep(forward, capture, owner, batch));
  let cut = await open("own");
  let dense = compares ? await open("dense") : undefined;
  if (dense !== undefined && dense.round !== cut.round) {
    // there was no space for one of them
    cut = await beginStep(forward, capture, "own", batch);
    dense = await beginStep(forward, capture, "dense", batch);
  }
  while (advance ? cut.passed.size < step.sites.length : !isPast(plan, cut)) {
    const next = await forward.nextSites(cut, weights);
    ({ cut } = next);
    const original = dense && (await forward.nextSites(dense));
    dense = original?.cut;
    for (const [site, input] of next.inputs) {
      const tokens = tokensOf(step, site, cut);
      await statistics.add(site, input, tokens, original?.inputs.get(site));
    }
  }
  walks?.of("own")?.put(batch, cut);
  if (dense !== undefined) walks?.of("dense")?.put(batch, dense);
  if (!advance) return;
  const after = await forward.endStep(cut, weights);
  if (findNonfinite(after.values) >= 0) await requireFiniteInputs(capture, batch, tools);
  requireFiniteRows({ made: `${step.name}, stream ${step.stream}`, segments: batch.segments.map(nameSegment) }, after);
  await states.overwrite(step.stream, batch.first, batch.segments.length, after);
}

async function captureLanguage(
  capture: StepCapture,
  batches: readonly SegmentBatch[],
  statistics: LanguageStatistics,
  tools: CaptureTools,
): Promise<void> {
  const { signal, advanceProgress } = tools;
  for (const batch of batches) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    await captureBatch(capture, batch, statistics, tools);
    advanceProgress(batch.segments.length);
  }
}

/** Refuses means that are not finite, naming the segment where an input is to blame. */
async function requireFiniteMeans(
  capture: StepCapture,
  language: string,
  batches: readonly SegmentBatch[],
  means: readonly SiteMeans[],
  tools: CaptureTools,
): Promise<void> {
  const { step, advance } = capture;
  const broken = means.find(({ finite }) => !finite);
  if (broken === undefined) return;
  // the states were not overwritten, so they still show which segment it was
  if (!advance) for (const batch of batches) await requireFiniteInputs(capture, batch, tools);
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

/** The statistics of a language at a site, the Gram before the cross-moment and the diagonal. */
function* statisticsOf(
  step: string,
  language: string,
  { plan: { site, width }, tokens, gram, crossMoment, diagonal }: WholeMeans,
): Generator<Statistic> {
  for (const [kind, values] of [
    ["gram", gram],
    ["cross-moment", crossMoment],
    ["diagonal", diagonal],
  ] as const) {
    if (values !== undefined) yield { step, site, language, kind, tokens, width, values };
  }
}

/**
 * Runs one step over all segments, language by language, and yields its statistics: by site in the order of the plan, then
 * by language. Those of all languages, where there are any, come first.
 *
 * Only one language's sums are in memory; of several sites finished Grams wait in a file until their site's turn.
 */
export async function* captureStep(capture: StepCapture, tools: CaptureTools): AsyncGenerator<Statistic> {
  const { plan, batches, shares } = capture;
  const step = capture.step.name;
  const { grams } = tools;
  grams.clear();
  const moments = new PooledMoments();
  const statistics = new LanguageStatistics(plan.sites, tools.sums);
  const isSingle = plan.sites.length === 1 && !plan.pooled;
  const found: { language: string; means: SpooledMeans[] }[] = [];
  for (const [language, own] of batches) {
    const share = shares[language];
    if (share === undefined) throw new InternalError(`${language} has no weight in the mix`, { language });
    await captureLanguage(capture, own, statistics, tools);
    const means = statistics.finish(plan.pooled ? { moments, share } : undefined);
    await requireFiniteMeans(capture, language, own, means, tools);
    if (isSingle) for (const mean of means) yield* statisticsOf(step, language, mean);
    const spool = (values: Float32Array | undefined) => (isSingle ? undefined : values && grams.append(values));
    found.push({
      language,
      means: means.map((mean) => ({ ...mean, gram: spool(mean.gram), crossMoment: spool(mean.crossMoment) })),
    });
  }
  warnOfFewTokens(step, found, tools.warn);
  if (isSingle) return;
  const read = (slot: SpoolSlot | undefined) => slot && new Float32Array(grams.read(slot).buffer);
  for (const [position, sitePlan] of plan.sites.entries()) {
    const tokens = found.reduce((seen, { means }) => seen + at(means, position).tokens, 0);
    const { site } = sitePlan;
    const pooled = { gram: moments.gram.get(site), crossMoment: moments.crossMoment.get(site) };
    yield* statisticsOf(step, allLanguages, { plan: sitePlan, tokens, ...pooled });
    for (const { language, means } of found) {
      const { gram, crossMoment, ...mean } = at(means, position);
      yield* statisticsOf(step, language, { ...mean, gram: read(gram), crossMoment: read(crossMoment) });
    }
  }
}
