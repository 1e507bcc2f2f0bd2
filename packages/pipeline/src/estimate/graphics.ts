import { FailedPreconditionError, once } from "@mbs/contracts";
import type { DeviceChoice } from "@mbs/contracts";
import type { Block, Site } from "@mbs/models";
import { chooseDevice, constantBytes, measureGraphics, panelCount } from "@mbs/onnx";
import type { GraphicsSpeed } from "@mbs/onnx";
import { capturesBeforehand } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe } from "../recipe/decided-recipe.ts";
import { compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics } from "./computed-statistics.ts";
import type { ModelShape, SampleSize } from "./disk.ts";
import { batchTokens, weightsOf } from "./probes/forward-probe.ts";
import type { Rates } from "./rates.ts";
import { sum } from "./sum.ts";

/**
 * Products of WebGPU programs on Apple's M2, the slowest of the published rates, and copies between two places of one memory, as
 * docs/graphics.md counts with.
 */
const publishedSpeed: GraphicsSpeed = { operations: 2.6e12, bytes: 5e9 };

/** A graphics processor as an estimate counts with it. */
export interface Graphics extends GraphicsSpeed {
  /** False where there is none here, and a published rate stands for it. */
  readonly isMeasured: boolean;
}

async function measure(choice: DeviceChoice, threads: number): Promise<Graphics | undefined> {
  if (choice === "cpu" || (choice === "auto" && (await chooseDevice(choice, threads)) === "cpu")) return undefined;
  try {
    return { ...(await measureGraphics(threads)), isMeasured: true };
  } catch (error) {
    if (error instanceof FailedPreconditionError) return { ...publishedSpeed, isMeasured: false };
    throw error;
  }
}

/** What was measured of this machine is the same for every estimate of a process. */
const knownGraphics = new Map<string, Promise<Graphics | undefined>>();

/**
 * How fast the graphics processor is that a run would take.
 *
 * @returns undefined where the run would take the processor
 */
export const findGraphics = (choice: DeviceChoice, threads: number): Promise<Graphics | undefined> =>
  once(knownGraphics, `${choice} ${threads}`, () => measure(choice, threads));

/**
 * Rates of a run whose forward passes and moments are on a graphics processor: each takes the time of the processor in the
 * proportion of a large product.
 */
export function withGraphics(rates: Rates, { operations }: GraphicsSpeed): Rates {
  const share = rates.gemm / operations;
  return {
    ...rates,
    gemm: operations,
    sites: rates.sites * share,
    end: rates.end * share,
    block: rates.block * share,
    head: rates.head * share,
    gram: (width) => rates.gram(width) * share,
  };
}

/** A run as far as its copies to a graphics processor go. */
export interface CopiedRun {
  /** Completed for its solver. */
  readonly recipe: DecidedRecipe;
  readonly model: ModelShape;
  readonly sample: SampleSize;
  /** Tokens to score, of all languages; 0 where nothing is evaluated. */
  readonly heldOutTokens: number;
  readonly scoredModels: number;
  readonly workers: number;
}

/** What a run copies, and what it needs there, in bytes. */
export interface GraphicsNeed {
  readonly uploaded: number;
  readonly downloaded: number;
  /** Of the graphics processor, at the peak. */
  readonly memory: number;
}

/** States that are in memory together, of which each weight is copied once; and values of a walk that waits there. */
const statesTogether = 256 * 1024 ** 2;

/** Weights of a forward pass that stay in memory: a larger model is read, and copied, again for other states. */
const cachedWeights = 64 * 1024 ** 2;

const floats = (numbers: number): number => 4 * numbers;

/** The upper half of a Gram's sum, in whole squares on the diagonal. */
function gramBytes(width: number): number {
  const parts = panelCount(width, "webgpu");
  return floats((width * (width + width / parts)) / 2);
}

const weightBytes = (block: Block): number => floats(weightsOf(block));

/** What the sums of a site are there, in bytes. */
const sumsOf = (
  { decisions: { denseStates } }: DecidedRecipe,
  { width }: Site,
): { readonly gram: number; readonly cross: number } => ({
  gram: gramBytes(width),
  cross: denseStates ? floats(width * width) : 0,
});

/** Of capture and propagate. */
function whileCompressing({ recipe, model, sample, workers }: CopiedRun): GraphicsNeed {
  const { any, gram } = computedStatistics(recipe);
  const beforehand = capturesBeforehand(recipe) ? 1 : 0;
  if (!any && beforehand === 0) return { uploaded: 0, downloaded: 0, memory: 0 };
  const {
    propagation,
    decisions: { denseStates },
    capture,
    shards,
  } = recipe;
  const { blocks, stateWidth } = model;
  const tokens = sample.segments * sample.length;
  const owners = denseStates ? 2 : 1;
  const atOnce = Math.min(workers, shards);
  const isHeld = propagation === "true-sequential";
  // the dense weights, and those that compression changed
  const kinds = !any ? 0 : propagation === "sequential" || (isHeld && denseStates) ? 2 : 1;
  const weights = (kinds + beforehand) * atOnce * sum(blocks, weightBytes);
  // a walk begins with them; behind the block they come back
  const states = floats(tokens * stateWidth);
  const begins = (any ? owners * (propagation === "sequential" ? 2 : 1) : 0) + beforehand;
  const ends = (any ? owners : 0) + beforehand;
  // values of a walk that has no space there while it waits
  const waiting = sum(blocks, ({ sites }) =>
    sum(sites, ({ width }) => Math.max(0, floats(tokens * (stateWidth + width)) - atOnce * statesTogether)),
  );
  const held = isHeld ? owners * waiting : 0;
  const sites = blocks.flatMap((block) => block.sites);
  const crossSums = capture["grams"] === "pooled" ? 1 : sample.languages;
  const moments = gram
    ? shards *
      sum(sites, (site) => {
        const { gram: own, cross } = sumsOf(recipe, site);
        return own * sample.languages + cross * crossSums;
      })
    : any
      ? // means of squares are summed on the processor
        sum(sites, ({ width }) => floats(tokens * width))
      : 0;
  const sums = gram
    ? blocks.map((block) => {
        const each = block.sites.map((site) => sumsOf(recipe, site).gram + sumsOf(recipe, site).cross);
        return isHeld ? Math.max(...each) : sum(each, (bytes) => bytes);
      })
    : [0];
  const batch = Math.max(batchTokens, sample.length);
  // states, the input and the output of each site
  const values = blocks.map(({ sites: own }) =>
    floats(batch * (2 * stateWidth + sum(own, ({ width, weights }) => width + sum(weights, ({ rows }) => rows)))),
  );
  const walks = isHeld ? owners * Math.min(statesTogether, floats((tokens / atOnce) * (stateWidth + stateWidth))) : 0;
  const memory =
    Math.min(constantBytes, kinds * sum(blocks, weightBytes)) + Math.max(...sums) + owners * Math.max(...values) + walks;
  return {
    uploaded: weights + states * blocks.length * begins + held,
    downloaded: states * blocks.length * ends + held + moments,
    memory: atOnce * memory,
  };
}

/** Of evaluate, and of the head that capture reads for embedding and head. */
function whileEvaluating({ recipe, model, heldOutTokens, scoredModels }: CopiedRun): GraphicsNeed {
  const { blocks, stateWidth, hiddenSize, vocabularySize } = model;
  const head = floats(hiddenSize * vocabularySize);
  const heads = compressedEmbeddings(recipe, model) === undefined ? 0 : head;
  if (heldOutTokens === 0) return { uploaded: heads, downloaded: 0, memory: heads };
  const weights = sum(blocks, weightBytes);
  const states = floats(heldOutTokens * stateWidth);
  const times = weights <= cachedWeights ? 1 : Math.ceil(states / statesTogether);
  return {
    uploaded: heads + scoredModels * (times * weights + head + 2 * states),
    downloaded: scoredModels * states,
    memory: Math.min(constantBytes, weights + head) + Math.min(statesTogether, states),
  };
}

/** What a run copies to the graphics processor and back, as far as it is more than some bytes a product. */
export function graphicsNeed(run: CopiedRun): GraphicsNeed {
  const parts = [whileCompressing(run), whileEvaluating(run)];
  return {
    uploaded: sum(parts, ({ uploaded }) => uploaded),
    downloaded: sum(parts, ({ downloaded }) => downloaded),
    memory: Math.max(...parts.map(({ memory }) => memory)),
  };
}
