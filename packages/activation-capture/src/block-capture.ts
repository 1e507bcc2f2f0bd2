import { allLanguages, expertOf, expertsSite, inputSite } from "@mbs/artifacts";
import type { ScratchFile, ScratchSlot, Statistic } from "@mbs/artifacts";
import { at, BadDataError, InternalError, InterruptedError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { freeCut, requireFiniteRows, statesOf } from "@mbs/models";
import type { Forward, GivenWeights, Block, BlockCut, Model, StreamStates } from "@mbs/models";
import { findNonfinite } from "@mbs/numbers";
import { freeMatrix, readMatrix } from "@mbs/onnx";
import type { CapturePlan } from "./capture-plan.ts";
import type { CaptureWalks } from "./capture-walks.ts";
import { LanguageStatistics, PooledGrams } from "./language-statistics.ts";
import type { SiteMeans, SumTools } from "./language-statistics.ts";
import type { SegmentBatch } from "./segment-batches.ts";
import type { ScratchStates, StatesOwner } from "./scratch-states.ts";
import { DenseInputs } from "./dense-inputs.ts";
import { nameSegment } from "./segment-passage.ts";

export interface BlockCapture {
  readonly block: Block;
  readonly index: number;
  readonly plan: CapturePlan;
  /** By language, in sorted order. */
  readonly batches: ReadonlyMap<string, readonly SegmentBatch[]>;
  /** Language → its weight in a Gram of all languages, sum 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly states: ScratchStates;
  /** Whether the dense model's states are walked beside the others. */
  readonly compares: boolean;
  /** Where the walks are held before and after this capture; absent where nothing goes on from it. */
  readonly walks: CaptureWalks | undefined;
  /** Whether the states after the block replace those before it. */
  readonly advance: boolean;
  readonly weights: GivenWeights;
}

export interface CaptureTools {
  readonly model: Model;
  readonly forward: Forward;
  readonly sums: SumTools;
  /** Holds the Grams of a block until all languages are done. */
  readonly grams: ScratchFile;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  /** Called with the number of segments that a batch had. */
  readonly advanceProgress: (segments: number) => void;
}

interface ScratchMeans extends Omit<SiteMeans, "gram" | "crossMoment"> {
  readonly gram: ScratchSlot | undefined;
  readonly crossMoment: ScratchSlot | undefined;
}

/** What is yielded of a language at a site. */
type WholeMeans = Pick<SiteMeans, "plan" | "tokens"> & {
  readonly [Kind in "gram" | "crossMoment" | "diagonal"]?: Float32Array | undefined;
};

/** The states that a block reads. */
const readStates = (
  { block, states }: BlockCapture,
  owner: StatesOwner,
  { first, segments }: SegmentBatch,
): Promise<StreamStates> => states.read(owner, [block.stream, ...block.reads], first, segments.length);

async function beginBlock(forward: Forward, capture: BlockCapture, owner: StatesOwner, batch: SegmentBatch): Promise<BlockCut> {
  const { block, index } = capture;
  const read = await readStates(capture, owner, batch);
  return forward.beginBlock(index, statesOf(read, block.stream), { batch: batch.segments.length, reads: read });
}

/** The stream that a site is in. */
const streamOf = ({ stream, sites }: Block, site: string): string => sites.find(({ name }) => name === site)?.stream ?? stream;

/** The tokens of a site's stream. An expert reads only some of them, so its rows are fewer. */
const tokensOf = (block: Block, site: string, { batch, lengths }: BlockCut): number =>
  batch * at(lengths, [block.stream, ...block.reads].indexOf(streamOf(block, site)));

/** The channels of states, without what blocks hand on behind them. @returns [rows, hidden] */
function channelsOf(states: Matrix, hidden: number): Matrix {
  const { rows, columns, values } = states;
  if (columns === hidden) return states;
  const channels = new Float32Array(rows * hidden);
  for (let row = 0; row < rows; row++) channels.set(values.subarray(row * columns, row * columns + hidden), row * hidden);
  return { rows, columns: hidden, values: channels };
}

/** Whether a block has been walked past all sites of a plan. */
const isPast = ({ sites }: CapturePlan, { passed }: BlockCut): boolean =>
  sites.every(({ site }) => site === inputSite || passed.has(site));

/**
 * Runs segments again one by one to say which of them is not finite at a site, and where. Looking at the inputs of every
 * site each time would cost 4% of a block; NaN and Inf also show in the states after the block and in the means.
 *
 * @throws {BadDataError} naming the site, the segment, the token and the channel
 */
async function requireFiniteInputs(capture: BlockCapture, batch: SegmentBatch, { forward }: CaptureTools): Promise<void> {
  const { block, plan, weights, compares } = capture;
  for (const [place, segment] of batch.segments.entries()) {
    const alone = { ...batch, first: batch.first + place, segments: [segment] };
    for (const owner of compares ? (["own", "dense"] as const) : (["own"] as const)) {
      let cut = await beginBlock(forward, capture, owner, alone);
      try {
        while (!isPast(plan, cut)) {
          const next = await forward.nextSites(cut, owner === "own" ? weights : undefined);
          ({ cut } = next);
          for (const [site, input] of next.inputs) {
            const made = `${block.name} ${site}${owner === "own" ? "" : " of the dense model"}`;
            requireFiniteRows(
              { made, segments: [nameSegment(segment)], tokens: tokensOf(block, site, cut) },
              await readMatrix(input),
            );
          }
        }
      } finally {
        freeCut(cut);
      }
    }
  }
}

/** What a block's sums take, and how they are kept. */
interface BlockSums {
  readonly statistics: LanguageStatistics;
  readonly denseInputs: DenseInputs;
  /** What a token of the language counts in a site's cross-moment: the weight of its `DenseTokens`. */
  readonly weightAt: (site: string) => number;
}

/** The cuts of a batch, which are freed where something fails. */
type WalkedCuts = Map<StatesOwner, BlockCut>;

/** Adds the inputs of a block's sites to the sums of a language, and takes the states on where they are wanted. */
async function captureBatch(capture: BlockCapture, batch: SegmentBatch, sums: BlockSums, tools: CaptureTools): Promise<void> {
  const walked: WalkedCuts = new Map();
  try {
    await walkBatch(capture, batch, sums, tools, walked);
  } catch (error) {
    for (const cut of walked.values()) freeCut(cut);
    throw error;
  }
}

/** @param walked takes the cuts that it is at */
async function walkBatch(
  capture: BlockCapture,
  batch: SegmentBatch,
  { statistics, denseInputs, weightAt }: BlockSums,
  tools: CaptureTools,
  walked: WalkedCuts,
): Promise<void> {
  const { block, plan, states, advance, weights, walks, compares } = capture;
  const { forward } = tools;
  const input = plan.sites.find(({ site }) => site === inputSite);
  if (input !== undefined) {
    const own = channelsOf(statesOf(await readStates(capture, "own", batch), block.stream), input.width);
    await statistics.add(inputSite, { input: own, tokens: own.rows });
  }
  if (!advance && plan.sites.every(({ site }) => site === inputSite)) return;
  const reach = (owner: StatesOwner, cut: BlockCut): BlockCut => {
    walked.set(owner, cut);
    return cut;
  };
  const begin = async (owner: StatesOwner): Promise<BlockCut> => reach(owner, await beginBlock(forward, capture, owner, batch));
  const open = async (owner: StatesOwner): Promise<BlockCut> => {
    const held = walks?.of(owner)?.take(batch);
    return held === undefined ? begin(owner) : reach(owner, held);
  };
  let cut = await open("own");
  let dense = compares ? await open("dense") : undefined;
  if (dense !== undefined && dense.round !== cut.round) {
    // there was no space for one of them
    for (const own of walked.values()) freeCut(own);
    cut = await begin("own");
    dense = await begin("dense");
  }
  while (advance ? cut.passed.size < block.sites.length : !isPast(plan, cut)) {
    const next = await forward.nextSites(cut, weights);
    cut = reach("own", next.cut);
    const original = dense && (await forward.nextSites(dense));
    dense = original && reach("dense", original.cut);
    for (const [site, input] of next.inputs) {
      const own = plan.sites.find((one) => one.site === site);
      if (own === undefined) continue;
      const tokens = tokensOf(block, site, cut);
      const aimed = original && (await denseInputs.of(own, next, original));
      const dense = aimed && { input: aimed, weight: weightAt(site) };
      try {
        await statistics.add(site, { input, tokens, residual: next.residuals.get(site), dense });
      } finally {
        if (aimed !== undefined && aimed !== original?.inputs.get(site)) freeMatrix(aimed);
      }
    }
  }
  const leave = async (owner: StatesOwner, at: BlockCut): Promise<void> => {
    const walk = walks?.of(owner);
    if (walk !== undefined) await walk.put(batch, at);
    else freeCut(at);
  };
  if (dense !== undefined) await leave("dense", dense);
  if (!advance) return leave("own", cut);
  const after = await forward.endBlock(cut, weights);
  if (findNonfinite(after.values) >= 0) await requireFiniteInputs(capture, batch, tools);
  requireFiniteRows({ made: `${block.name}, stream ${block.stream}`, segments: batch.segments.map(nameSegment) }, after);
  await states.overwrite(block.stream, batch.first, batch.segments.length, after);
}

async function captureLanguage(
  capture: BlockCapture,
  batches: readonly SegmentBatch[],
  sums: BlockSums,
  tools: CaptureTools,
): Promise<void> {
  const { signal, advanceProgress } = tools;
  for (const batch of batches) {
    if (signal.aborted) throw new InterruptedError("capture: stopped");
    await captureBatch(capture, batch, sums, tools);
    advanceProgress(batch.segments.length);
  }
}

const overflow = (block: string, site: string, language: string): BadDataError =>
  new BadDataError(
    `${block} ${site}: inputs of ${language === allLanguages ? "all languages" : language} are so large that their mean products overflow float32; a weight is broken or too large: take the model from its source again`,
    { block, site, language },
  );

/** Refuses means that are not finite, naming the segment where an input is to blame. */
async function requireFiniteMeans(
  capture: BlockCapture,
  language: string,
  batches: readonly SegmentBatch[],
  means: readonly SiteMeans[],
  tools: CaptureTools,
): Promise<void> {
  const { block, advance } = capture;
  const broken = means.find(({ finite }) => !finite);
  if (broken === undefined) return;
  // the states were not overwritten, so they still show which segment it was
  if (!advance) for (const batch of batches) await requireFiniteInputs(capture, batch, tools);
  throw overflow(block.name, broken.plan.site, language);
}

/** Warns of experts whose Grams have less than full rank, because the router sent them too few tokens. */
function warnOfFewTokens(
  block: string,
  found: readonly { readonly means: readonly ScratchMeans[] }[],
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
    `${block}: ${few.length} of ${sites.length} sites saw fewer tokens than they have channels, the least ${least.site} with ${least.seen} of ${least.width}; damping makes up for it, more text is better`,
  );
}

/** The share of each language's tokens that go through each expert, where all experts of the block are captured. */
function* expertShares(
  { name: block, sites }: Block,
  found: readonly { readonly language: string; readonly means: readonly ScratchMeans[] }[],
): Generator<Statistic> {
  const width = new Set(sites.flatMap(({ name }) => expertOf(name) ?? [])).size;
  for (const { language, means } of found) {
    const shares = new Map(means.map(({ plan, seen, tokens }) => [expertOf(plan.site), seen / tokens]));
    const values = Float32Array.from({ length: width }, (_, expert) => shares.get(expert) ?? NaN);
    const [tokens] = means.flatMap((mean) => (expertOf(mean.plan.site) === undefined ? [] : [mean.tokens]));
    if (tokens === undefined || findNonfinite(values) >= 0) continue;
    yield { block, site: expertsSite, language, kind: "diagonal", tokens, width, values };
  }
}

/** The statistics of a language at a site, the Gram before the cross-moment and the diagonal. */
function* statisticsOf(
  block: string,
  language: string,
  { plan: { site, width }, tokens, gram, crossMoment, diagonal }: WholeMeans,
): Generator<Statistic> {
  for (const [kind, values] of [
    ["gram", gram],
    ["cross-moment", crossMoment],
    ["diagonal", diagonal],
  ] as const) {
    if (values !== undefined) yield { block, site, language, kind, tokens, width, values };
  }
}

/**
 * Runs one block over all segments, language by language, and yields its statistics: how its router shares out tokens, then by
 * site in the order of the plan, and by language. Those of all languages, where there are any, come first.
 *
 * Only one language's sums are in memory; of several sites finished Grams wait in a file until their site's turn.
 */
export async function* captureBlock(capture: BlockCapture, tools: CaptureTools): AsyncGenerator<Statistic> {
  const { plan, batches, shares } = capture;
  const block = capture.block.name;
  const { grams } = tools;
  grams.clear();
  const pooledGrams = new PooledGrams();
  const statistics = new LanguageStatistics(plan.sites, tools.sums);
  const denseInputs = new DenseInputs(tools.model, capture.block, tools.sums);
  const isSingle = plan.sites.length === 1 && !plan.pooled;
  const found: { language: string; means: ScratchMeans[] }[] = [];
  for (const [language, own] of batches) {
    const share = shares[language];
    if (share === undefined) throw new InternalError(`${language} has no weight in the mix`, { language });
    const heads = own.flatMap(({ segments }) => segments);
    const { streams } = tools.model;
    const tokens = streams.map((_, place) => heads.reduce((sum, { lengths }) => sum + at(lengths, place), 0));
    const weightAt = (site: string): number =>
      (plan.pooled ? share : 1) / at(tokens, streams.indexOf(streamOf(capture.block, site)));
    await captureLanguage(capture, own, { statistics, denseInputs, weightAt }, tools);
    const means = await statistics.finish(plan.pooled ? { grams: pooledGrams, share } : undefined);
    await requireFiniteMeans(capture, language, own, means, tools);
    if (isSingle) for (const mean of means) yield* statisticsOf(block, language, mean);
    const keep = (values: Float32Array | undefined) => (isSingle ? undefined : values && grams.append(values));
    found.push({
      language,
      means: means.map((mean) => ({ ...mean, gram: keep(mean.gram), crossMoment: keep(mean.crossMoment) })),
    });
  }
  warnOfFewTokens(block, found, tools.warn);
  if (isSingle) return;
  yield* expertShares(capture.block, found);
  const read = (slot: ScratchSlot | undefined) => slot && new Float32Array(grams.read(slot).buffer);
  for (const [position, sitePlan] of plan.sites.entries()) {
    const tokens = found.reduce((seen, { means }) => seen + at(means, position).tokens, 0);
    const { site } = sitePlan;
    const pooled = plan.pooled ? { gram: pooledGrams.get(site), crossMoment: await statistics.takeCrossMoment(site) } : {};
    if (pooled.crossMoment !== undefined && findNonfinite(pooled.crossMoment) >= 0) throw overflow(block, site, allLanguages);
    yield* statisticsOf(block, allLanguages, { plan: sitePlan, tokens, ...pooled });
    for (const { language, means } of found) {
      const { gram, crossMoment, ...mean } = at(means, position);
      yield* statisticsOf(block, language, { ...mean, gram: read(gram), crossMoment: read(crossMoment) });
    }
  }
}
