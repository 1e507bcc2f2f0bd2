import { headSite, inputSite, ScratchFile } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, languageWeights } from "@mbs/contracts";
import type { ArtifactStream, LanguageMix, OptionValues, StageContext } from "@mbs/contracts";
import { readAsZero } from "@mbs/models";
import type { Forward } from "@mbs/models";
import { createBlas, createMomentKernel } from "@mbs/onnx";
import type { OnnxBlas } from "@mbs/onnx";
import { captureBlock } from "./block-capture.ts";
import type { BlockCapture, CaptureTools } from "./block-capture.ts";
import { keepLayers, noLayers } from "./block-layers.ts";
import type { BlockLayers } from "./block-layers.ts";
import type { captureOptions } from "./capture-options.ts";
import { chooseSites, planBlock } from "./capture-plan.ts";
import type { CaptureRequest } from "./capture-plan.ts";
import { CaptureWalks } from "./capture-walks.ts";
import { withDense } from "./dense-states.ts";
import { captureEmbeddings } from "./embeddings-capture.ts";
import type { WalkRequest } from "./held-walk.ts";
import type { SumTools } from "./language-statistics.ts";
import { ScratchStates } from "./scratch-states.ts";
import type { StatesOwner } from "./scratch-states.ts";
import { batchSegments } from "./segment-batches.ts";
import type { Shard } from "./shards.ts";
import { leaveUnread, readSegmentStates } from "./state-source.ts";
import type { SegmentHead, StateSource } from "./state-source.ts";
import { TokenRows } from "./token-rows.ts";

/** What a capture is asked for. */
export interface CaptureWork extends StateSource {
  /** What the artifact is of, where it is not of all segments. */
  readonly shard: Shard | undefined;
  /** The dense model's states beside those of `source`. */
  readonly dense: ArtifactStream | undefined;
  readonly values: OptionValues<typeof captureOptions>;
  readonly budget: number;
  readonly mix: LanguageMix | undefined;
  /** The blocks to run: all from segments, the next one from states. */
  readonly blocks: readonly number[];
  /** Whether embedding and head are captured, behind the blocks. */
  readonly withEmbeddings: boolean;
  readonly layers: BlockLayers;
}

/**
 * The walks of a capture that another one may have begun, or a later stage may go on from. There are none where all sites are
 * captured: the layers that are made of them change what every site but the first reads.
 */
function takeWalks({ source, dense, shard, model, values, layers }: CaptureWork, { pool, threads, device }: StageContext) {
  const { site: sites, allowNonfinite } = values;
  if (pool === undefined || sites === undefined || sites.includes(inputSite)) return undefined;
  const request = (owner: StatesOwner, { address: states }: ArtifactStream, given: BlockLayers): WalkRequest => ({
    origin: { model: model.address, allowNonfinite, states, owner, threads, device },
    layers: given,
  });
  const requests = [request("own", source, layers), ...(dense === undefined ? [] : [request("dense", dense, noLayers)])];
  return requests.every(({ origin }) => origin.states !== undefined)
    ? CaptureWalks.take(pool, requests, sites, shard?.shards.of ?? 1)
    : undefined;
}

interface OwnedSumTools extends SumTools {
  readonly blas: OnnxBlas;
}

/** What a capture holds open until its last statistic is taken. */
class CaptureResources {
  readonly forward: Forward;
  readonly sums: OwnedSumTools;
  readonly grams = new ScratchFile();
  readonly states: ScratchStates;
  readonly #work: CaptureWork;

  constructor(forward: Forward, work: CaptureWork, { threads, device, pool, progress }: StageContext) {
    const { dense, model } = work;
    this.#work = work;
    this.forward = forward;
    this.sums = {
      kernel: createMomentKernel({ threads, pool, device }),
      blas: createBlas({ threads, pool }),
      rows: new TokenRows({ threads, pool }),
    };
    this.states = new ScratchStates(
      model.stateWidth,
      () => withDense(readSegmentStates(work, forward), dense, model),
      (done) => progress({ activity: "read segments", done, unit: "segments" }),
    );
  }

  async close(): Promise<void> {
    const { source, dense, model } = this.#work;
    this.states.close();
    if (!this.states.isRead) for (const stream of [source, ...(dense === undefined ? [] : [dense])]) await leaveUnread(stream);
    this.grams.close();
    await this.sums.kernel.release();
    await this.sums.blas.release();
    await this.sums.rows.release();
    await this.forward.close();
    await model.close();
  }
}

/** The segments of a capture, and what all its blocks have in common. */
interface SegmentPlan extends Pick<BlockCapture, "batches" | "shares" | "states" | "walks"> {
  readonly heads: readonly SegmentHead[];
  /** Languages of all shards together. */
  readonly languages: number;
  readonly request: CaptureRequest;
}

async function planSegments(work: CaptureWork, states: ScratchStates, walks: CaptureWalks | undefined): Promise<SegmentPlan> {
  const { shard, values, budget, dense } = work;
  const all = walks?.batches ?? [...batchSegments(await states.heads())];
  if (all.length === 0) throw new BadDataError("the artifact has no segments; sample at least one");
  walks?.begin(all);
  const heads = all.flatMap(({ segments }) => segments);
  const languages = [...new Set(heads.map(({ language }) => language))].sort();
  return {
    heads,
    batches: new Map(languages.map((name) => [name, all.filter(({ language }) => language === name)] as const)),
    shares: sharesOf(countTokens(heads), work),
    states,
    walks,
    languages: shard === undefined ? languages.length : Object.keys(shard.wholeTokens).length,
    request: {
      statistics: values.statistics,
      grams: values.grams,
      budget,
      cross: dense !== undefined,
      normalised: values.normaliseTokens,
    },
  };
}

/** The tools of each block, which count the segments of all. */
function toolsByBlock(work: CaptureWork, { heads }: SegmentPlan, resources: CaptureResources, context: StageContext) {
  const { model, blocks, withEmbeddings } = work;
  const { forward, sums, grams } = resources;
  const { signal, progress, warn } = context;
  const total = (blocks.length + (withEmbeddings ? 1 : 0)) * heads.length;
  let done = 0;
  return (block: string): CaptureTools => ({
    model,
    forward,
    sums,
    grams,
    signal,
    warn,
    advanceProgress(count) {
      done += count;
      progress({ activity: `capture ${block}`, done, total, unit: "segments" });
    },
  });
}

async function* captureBlocks(
  { model, values, blocks, layers, dense, withEmbeddings }: CaptureWork,
  { batches, shares, states, walks, languages, request }: SegmentPlan,
  toolsOf: (block: string) => CaptureTools,
): AsyncGenerator<Statistic> {
  let pooled = false;
  for (const [position, index] of blocks.entries()) {
    const block = at(model.blocks, index);
    const tools = toolsOf(block.name);
    const plan = planBlock(chooseSites(block, model.hiddenSize, values.site), languages, request);
    if (plan.pooled && !pooled && values.grams === "languages") {
      tools.warn(
        `${block.name}: the Grams of ${languages} languages need more than --budget; here, and wherever else they do, keeping one Gram of the mix and the diagonals`,
      );
    }
    pooled ||= plan.pooled;
    const advance = withEmbeddings || position < blocks.length - 1;
    const compares = dense !== undefined;
    const { weights } = layers;
    yield* captureBlock({ block, index, plan, batches, shares, states, compares, walks, advance, weights }, tools);
  }
}

/** What the head reads, and how often each token is read and predicted. */
async function* captureHead(
  { model, reads }: CaptureWork,
  { heads, batches, shares, states, languages, request }: SegmentPlan,
  toolsOf: (block: string) => CaptureTools,
): AsyncGenerator<Statistic> {
  const { embeddings } = model;
  if (embeddings === undefined || reads === undefined) return;
  reads.require(heads);
  // all inputs are of one size behind the norm, and its size has a meaning beside the price of the embedding; each row of the
  // head belongs to few languages, so that it wants their Grams
  const ofHead = { ...request, grams: "languages", normalised: false } as const;
  const plan = planBlock([{ site: headSite, width: model.hiddenSize }], languages, ofHead);
  yield* captureEmbeddings({ model, embeddings, plan, batches, shares, states, reads }, toolsOf(embeddings.name));
}

/** The statistics of all sites that a capture is asked for. It closes the model. */
export async function* captureAll(work: CaptureWork, context: StageContext): AsyncGenerator<Statistic> {
  const { kind, model, blocks, layers, withEmbeddings } = work;
  const { threads, device, pool, warn } = context;
  const resources = new CaptureResources(await model.forward({ threads, device }), work, context);
  const walks = kind === "states" && blocks.length > 0 ? await takeWalks(work, context) : undefined;
  let isDone = false;
  try {
    const segments = await planSegments(work, resources.states, walks);
    const toolsOf = toolsByBlock(work, segments, resources, context);
    yield* captureBlocks(work, segments, toolsOf);
    if (withEmbeddings) yield* captureHead(work, segments, toolsOf);
    isDone = true;
    for (const line of readAsZero(model)) warn(line);
  } finally {
    if (!isDone) await walks?.close();
    await resources.close();
  }
  // after the model: a pool without space for both gives up what was put first
  if (walks === undefined || pool === undefined) return;
  await keepLayers(pool, layers, model, at(blocks, 0));
  await walks.keep();
}

function countTokens(segments: readonly SegmentHead[]): ReadonlyMap<string, number> {
  const tokens = new Map<string, number>();
  for (const { language, lengths } of segments) {
    const own = lengths.reduce((sum, length) => sum + length, 0);
    tokens.set(language, (tokens.get(language) ?? 0) + own);
  }
  return tokens;
}

/**
 * The weight of each language's mean in a pooled Gram. In a shard it is that of the whole, as far as the shard has the language's
 * tokens; the weights of all shards sum to 1.
 *
 * @throws {BadDataError} where the shard has more tokens of a language than the whole
 */
function sharesOf(tokens: ReadonlyMap<string, number>, { shard, mix }: CaptureWork): Readonly<Record<string, number>> {
  if (shard === undefined) return languageWeights(tokens, mix);
  const whole = new Map(Object.entries(shard.wholeTokens));
  const weights = languageWeights(whole, mix);
  return Object.fromEntries(
    [...tokens].map(([language, own]) => {
      const [weight, all = 0] = [weights[language], whole.get(language)];
      if (weight === undefined || own > all) {
        throw new BadDataError(
          `the states have ${own} tokens of ${language}, and all segments together ${all}; propagate again`,
          { language, own, all },
        );
      }
      return [language, (weight * own) / all];
    }),
  );
}
