import { allLanguages, inputSite } from "@mbs/artifacts";
import type { Spool, SpoolPlace, Statistic } from "@mbs/artifacts";
import type { Matrix } from "@mbs/contracts";
import { InternalError, InterruptedError } from "@mbs/contracts";
import { statesOf } from "@mbs/models";
import type { Forward, Step, StreamStates } from "@mbs/models";
import type { GramKernel } from "@mbs/onnx";
import type { CapturePlan } from "./capture-plan.ts";
import { LanguageStatistics } from "./language-statistics.ts";
import type { SiteMeans } from "./language-statistics.ts";
import { batchSegments } from "./segment-batches.ts";
import { unstackStreams } from "./stack-streams.ts";

/** A segment whose states lie in a spool. */
export interface SpooledSegment {
  readonly language: string;
  /** Tokens in each stream. */
  readonly lengths: readonly number[];
  /** Stream → its states. */
  readonly places: ReadonlyMap<string, SpoolPlace>;
}

export interface StepCapture {
  readonly step: Step;
  readonly index: number;
  /** Of the states. */
  readonly width: number;
  readonly plan: CapturePlan;
  /** By language, in sorted order; segments in order. */
  readonly segments: ReadonlyMap<string, readonly SpooledSegment[]>;
  /** Language → its weight in a Gram of all languages, sum 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly states: Spool;
  /** Whether the states after the step take the place of those before it. */
  readonly advance: boolean;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

export interface CaptureTools {
  readonly forward: Forward;
  readonly kernel: GramKernel;
  /** Holds the Grams of a step until all languages are done. */
  readonly grams: Spool;
  readonly signal: AbortSignal;
  /** Called with the number of segments that a batch had. */
  readonly advanceProgress: (segments: number) => void;
}

interface SpooledMeans extends Omit<SiteMeans, "gram"> {
  readonly gram: SpoolPlace | undefined;
}

function placeOf(places: SpooledSegment["places"], stream: string): SpoolPlace {
  const place = places.get(stream);
  if (place === undefined) throw new InternalError(`a segment has no states of stream ${stream}`, { stream });
  return place;
}

/** The states of one stream of equally long segments under each other. */
function readStacked({ states, width }: StepCapture, batch: readonly SpooledSegment[], stream: string): Matrix {
  const places = batch.map((segment) => placeOf(segment.places, stream));
  const size = places[0].length / Float32Array.BYTES_PER_ELEMENT;
  const values = new Float32Array(batch.length * size);
  for (const [at, place] of places.entries()) states.readInto(place, values.subarray(at * size));
  return { rows: values.length / width, columns: width, values };
}

/** Tokens that the rows of a site are of: those of its stream, also where an expert reads some of them only. */
const tokensOf = (step: Step, site: string, read: StreamStates): number =>
  statesOf(read, step.sites.find(({ name }) => name === site)?.stream ?? step.stream).rows;

async function captureLanguage(
  capture: StepCapture,
  segments: readonly SpooledSegment[],
  tools: CaptureTools,
): Promise<SiteMeans[]> {
  const { step, index, plan, states, advance, weights } = capture;
  const { forward, kernel, signal, advanceProgress } = tools;
  const statistics = new LanguageStatistics(plan.sites, kernel);
  const sites = plan.sites.map(({ site }) => site).filter((site) => site !== inputSite);
  for (const batch of batchSegments(segments)) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    const read = new Map([step.stream, ...step.reads].map((stream) => [stream, readStacked(capture, batch, stream)] as const));
    const input = statesOf(read, step.stream);
    await statistics.add(inputSite, input, input.rows);
    if (sites.length > 0 || advance) {
      const result = await forward.step(index, input, { batch: batch.length, reads: read, weights, sites, states: advance });
      for (const [site, values] of result.sites) await statistics.add(site, values, tokensOf(step, site, read));
      if (advance) {
        if (result.states === undefined) throw new InternalError(`step ${index} gave no states`);
        for (const [at, made] of unstackStreams(new Map([[step.stream, result.states]]), batch.length).entries()) {
          states.overwrite(placeOf(batch[at].places, step.stream), statesOf(made, step.stream).values);
        }
      }
    }
    advanceProgress(batch.length);
  }
  return statistics.finish();
}

function addScaled(sums: Map<string, Float32Array>, site: string, gram: Float32Array, share: number): void {
  const sum = sums.get(site) ?? new Float32Array(gram.length);
  for (let index = 0; index < gram.length; index++) sum[index] += share * gram[index];
  sums.set(site, sum);
}

/**
 * Runs one step over all segments, language by language, and yields its statistics: by site in the order of the plan, then
 * by language, the Gram before the diagonal. The Gram of all languages, where there is one, comes first.
 *
 * Only one language's sums are in memory; finished Grams wait in a file until their site's turn.
 */
export async function* captureStep(capture: StepCapture, tools: CaptureTools): AsyncGenerator<Statistic> {
  const { plan, segments, shares } = capture;
  const step = capture.step.name;
  const { grams } = tools;
  grams.clear();
  const pooled = new Map<string, Float32Array>();
  const found: { language: string; means: SpooledMeans[] }[] = [];
  for (const [language, own] of segments) {
    const means = (await captureLanguage(capture, own, tools)).map((site): SpooledMeans => {
      if (site.gram !== undefined && plan.pooled) addScaled(pooled, site.plan.site, site.gram, shares[language]);
      return { ...site, gram: site.gram === undefined || plan.pooled ? undefined : grams.append(site.gram) };
    });
    found.push({ language, means });
  }
  for (const [position, { site, width }] of plan.sites.entries()) {
    const sum = pooled.get(site);
    const tokens = found.reduce((seen, { means }) => seen + means[position].tokens, 0);
    if (sum !== undefined) yield { step, site, language: allLanguages, kind: "gram", tokens, width, values: sum };
    for (const { language, means } of found) {
      const { tokens: seen, gram, diagonal } = means[position];
      if (gram !== undefined)
        yield { step, site, language, kind: "gram", tokens: seen, width, values: new Float32Array(grams.read(gram).buffer) };
      if (diagonal !== undefined) yield { step, site, language, kind: "diagonal", tokens: seen, width, values: diagonal };
    }
  }
}
