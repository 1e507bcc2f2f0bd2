import { allLanguages, inputSite } from "@mbs/artifacts";
import type { Spool, SpoolPlace, Statistic } from "@mbs/artifacts";
import type { Matrix } from "@mbs/contracts";
import { InternalError, InterruptedError } from "@mbs/contracts";
import type { Forward } from "@mbs/models";
import type { CapturePlan } from "./capture-plan.ts";
import { LanguageStatistics } from "./language-statistics.ts";
import type { SiteMeans, SumTools } from "./language-statistics.ts";
import { batchSegments } from "./segment-batches.ts";

/** A segment whose states lie in a spool. */
export interface SpooledSegment {
  readonly language: string;
  readonly rows: number;
  readonly place: SpoolPlace;
  /** Where the dense model's states of the segment lie, where they are given. */
  readonly dense?: SpoolPlace;
}

export interface StepCapture {
  readonly name: string;
  readonly index: number;
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
  readonly sums: SumTools;
  /** Holds the Grams of a step until all languages are done. */
  readonly grams: Spool;
  readonly signal: AbortSignal;
  /** Called with the number of segments that a batch had. */
  readonly advanceProgress: (segments: number) => void;
}

interface SpooledMeans extends Omit<SiteMeans, "gram" | "crossMoment"> {
  readonly gram: SpoolPlace | undefined;
  readonly crossMoment: SpoolPlace | undefined;
}

/** States of equally long segments under each other, [segments · rows, width]. */
function stackSpooled(states: Spool, places: readonly SpoolPlace[], rows: number): Matrix {
  const size = (places[0]?.length ?? 0) / Float32Array.BYTES_PER_ELEMENT;
  const values = new Float32Array(places.length * size);
  for (const [at, place] of places.entries()) states.readInto(place, values.subarray(at * size));
  return { rows: places.length * rows, columns: size / rows, values };
}

async function captureLanguage(
  capture: StepCapture,
  segments: readonly SpooledSegment[],
  tools: CaptureTools,
): Promise<SiteMeans[]> {
  const { index, plan, states, advance, weights } = capture;
  const { forward, sums, signal, advanceProgress } = tools;
  const statistics = new LanguageStatistics(plan.sites, sums);
  const sites = plan.sites.map(({ site }) => site).filter((site) => site !== inputSite);
  for (const batch of batchSegments(segments)) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    const [{ rows }] = batch;
    const input = stackSpooled(
      states,
      batch.map(({ place }) => place),
      rows,
    );
    const size = rows * input.columns;
    await statistics.add(inputSite, input, input.rows);
    if (sites.length > 0 || advance) {
      const result = await forward.step(index, input, { batch: batch.length, weights, sites, states: advance });
      for (const [site, values] of result.sites) await statistics.add(site, values, input.rows);
      const densePlaces = batch.flatMap(({ dense }) => dense ?? []);
      if (densePlaces.length === batch.length && sites.length > 0) {
        const dense = stackSpooled(states, densePlaces, rows);
        const original = await forward.step(index, dense, { batch: batch.length, sites, states: false });
        for (const [site, values] of result.sites) {
          await statistics.compare(site, original.sites.get(site) ?? values, values, input.rows);
        }
      }
      if (advance) {
        if (result.states === undefined) throw new InternalError(`step ${index} gave no states`);
        for (const [at, segment] of batch.entries()) {
          states.overwrite(segment.place, result.states.values.subarray(at * size, (at + 1) * size));
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
 * by language, the Gram before the cross-moment and the diagonal. Those of all languages, where there are any, come first.
 *
 * Only one language's sums are in memory; finished Grams wait in a file until their site's turn.
 */
export async function* captureStep(capture: StepCapture, tools: CaptureTools): AsyncGenerator<Statistic> {
  const { name: step, plan, segments, shares } = capture;
  const { grams } = tools;
  grams.clear();
  const pooled = { gram: new Map<string, Float32Array>(), crossMoment: new Map<string, Float32Array>() };
  const found: { language: string; means: SpooledMeans[] }[] = [];
  const tokens = [...segments.values()].flat().reduce((sum, { rows }) => sum + rows, 0);
  for (const [language, own] of segments) {
    const means = (await captureLanguage(capture, own, tools)).map((site): SpooledMeans => {
      const keep = (kind: keyof typeof pooled): SpoolPlace | undefined => {
        const values = site[kind];
        if (values === undefined || !plan.pooled) return values && grams.append(values);
        addScaled(pooled[kind], site.plan.site, values, shares[language]);
        return undefined;
      };
      return { ...site, gram: keep("gram"), crossMoment: keep("crossMoment") };
    });
    found.push({ language, means });
  }
  for (const [position, { site, width }] of plan.sites.entries()) {
    for (const [kind, sums] of [
      ["gram", pooled.gram],
      ["cross-moment", pooled.crossMoment],
    ] as const) {
      const values = sums.get(site);
      if (values !== undefined) yield { step, site, language: allLanguages, kind, tokens, width, values };
    }
    for (const { language, means } of found) {
      const { tokens: seen, gram, diagonal, crossMoment } = means[position];
      for (const [kind, place] of [
        ["gram", gram],
        ["cross-moment", crossMoment],
      ] as const) {
        if (place === undefined) continue;
        yield { step, site, language, kind, tokens: seen, width, values: new Float32Array(grams.read(place).buffer) };
      }
      if (diagonal !== undefined) yield { step, site, language, kind: "diagonal", tokens: seen, width, values: diagonal };
    }
  }
}
