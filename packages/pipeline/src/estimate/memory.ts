import type { KeptMemory } from "@mbs/contracts";
import { comparisonBytes, logitsAtATime, logitsOfTile } from "@mbs/models";
import type { Model } from "@mbs/models";
import { hasSeparableRows, splitRows, weightsAtATime } from "@mbs/solvers";
import type { DecidedRecipe } from "../recipe/decided-recipe.ts";
import { compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics } from "./computed-statistics.ts";
import { layerBytes } from "./disk.ts";
import type { DiskNeed, SampleSize } from "./disk.ts";
import { sum } from "./sum.ts";

/** Buffers of a stage are freed some time after their last use. */
const freedLate = 1.5;

/** V8 begins to collect when buffers of so many bytes were made since the last time, by its own soft limit. */
const garbage = 64 * 1024 * 1024;

/** States that evaluate keeps between blocks at most, bytes. */
const evaluatedStates = 256 * 1024 * 1024;

/** Tokens whose logits are made together at most. */
const scoredTogether = 1024;

/** A run as far as its memory goes. */
export interface RunSize {
  /** Completed for its solver. */
  readonly recipe: DecidedRecipe;
  readonly model: Model;
  readonly sample: SampleSize;
  readonly disk: DiskNeed;
  /** Tokens to score, a language each; empty where nothing is evaluated. */
  readonly heldOutTokens: readonly number[];
  readonly threads: number;
  /** What the run may keep. */
  readonly kept: KeptMemory;
}

/**
 * What evaluate holds: the states of a language's windows, logits and their logarithmic softmax, and the head of a model; that
 * of the dense model too, where distances from it are measured or the pool has space for it. Distances take tiles of the logits
 * of both models; of ONNX graphs, which make those of all tokens at once, some rows of each.
 */
function evaluating({ recipe, model, heldOutTokens, kept }: RunSize): number {
  const { kind, hiddenSize, stateWidth, vocabularySize } = model;
  if (heldOutTokens.length === 0) return 0;
  const head = vocabularySize * hiddenSize * 4;
  const most = Math.max(0, ...heldOutTokens);
  const states = Math.min(evaluatedStates, most * stateWidth * 4);
  const logits = Math.min(kind === "graph" ? logitsAtATime : logitsOfTile, Math.min(scoredTogether, most) * vocabularySize) * 4;
  const distances = recipe.evaluate?.["distances"] !== "off";
  const atOnce = kind === "graph" ? 2 * Math.min(logitsAtATime, most * vocabularySize) * 4 : 0;
  const compared = distances ? comparisonBytes + atOnce : 0;
  return states + Math.max(2 * logits, compared) + head + (distances || head <= kept.pool ? head : 0);
}

/** Most that a run holds of a block between its sites: values of all tokens at the widest, in half of its pool. */
function heldBetweenSites({ recipe, model, sample, kept }: RunSize): number {
  if (recipe.propagation !== "true-sequential" || !computedStatistics(recipe).any) return 0;
  const widest = Math.max(...model.blocks.flatMap(({ sites }) => sites.map(({ width }) => width)));
  return Math.min(kept.pool / 2, sample.segments * sample.length * (model.stateWidth + widest) * 4);
}

/**
 * Most that a run holds of artifacts: the statistics and factors that wait for their readers, and, in a quarter of the space,
 * states and layers that have a file too.
 */
function heldArtifacts({ recipe, model, sample, disk, kept }: RunSize): number {
  const { statisticBytes, factorBytes } = computedStatistics(recipe);
  const siteBytes = model.blocks.map(({ sites }) =>
    sites.map(({ width }) => statisticBytes(width, sample.languages) + factorBytes(width)),
  );
  const waiting =
    recipe.keep || recipe.propagation === "dense"
      ? 0
      : recipe.propagation === "true-sequential"
        ? Math.max(...siteBytes.flat())
        : Math.max(...siteBytes.map((sites) => sum(sites, (bytes) => bytes)));
  const filed = Math.min(kept.artifacts / 4, disk.states + disk.layers);
  return Math.min(kept.artifacts, waiting + filed);
}

/**
 * What a thread that solves rows of a site holds beside its part of the site and the shared factor: 65 to 100 MB were seen, of
 * modules and of buffers for a block of columns.
 */
const rowThreadBytes = 100e6;

/** Row threads besides the one that every run has. */
async function rowThreads({ recipe, model, threads }: RunSize): Promise<number> {
  if (!(await hasSeparableRows(recipe.decisions.solver))) return 0;
  const parts = model.blocks.flatMap(({ sites }) =>
    sites.map(({ width, weights }) => splitRows({ rows: sum(weights, ({ rows }) => rows), columns: width }, threads).length),
  );
  return Math.max(...parts) - 1;
}

/** The most that factor or compress work with at one site. */
function solving({ recipe, model, sample }: RunSize): number {
  const { gram, upper } = computedStatistics(recipe);
  const sites = model.blocks.flatMap((block) => block.sites);
  const needs = sites.map(({ width, weights }) => {
    const square = width * width * 4;
    const weight = width * sum(weights, ({ rows }) => rows) * 4;
    // factor: two packed Grams, H that becomes U, and five quarters of it; compress: U, H and four copies of the weight.
    const factoring = gram ? (upper ? 3.25 : 1) * square : 0;
    const compressing = (gram ? (upper ? 2.5 : 1.5) : 0) * square + 4 * weight;
    return Math.max(factoring, compressing);
  });
  return Math.max(...needs, ofEmbeddings(recipe, model, sample.languages));
}

/**
 * Embedding and head: some of their rows in float32, and what is made of all; before that the head and logits of capture, and in
 * factor what each row costs each language, once as it is and once weighed.
 */
function ofEmbeddings(recipe: DecidedRecipe, model: Model, languages: number): number {
  if (compressedEmbeddings(recipe, model) === undefined) return 0;
  const weights = model.vocabularySize * model.hiddenSize;
  const compressing = 4 * Math.min(weights, weightsAtATime) * 4 + weights * layerBytes(recipe, model.dtype);
  const { any, upper } = computedStatistics(recipe);
  const capturing = any ? weights * 4 + 3 * logitsAtATime * 4 : 0;
  const factoring = upper ? 2 * 2 * languages * model.vocabularySize * 4 : 0;
  return Math.max(compressing, capturing, factoring);
}

/**
 * Peak of resident memory, bytes: what is left of the probes, and on top the largest of what the stages work with, and of what
 * waits meanwhile for later ones.
 *
 * @param probed resident bytes after probing a block of this model
 */
export async function memoryNeed(size: RunSize, probed: number): Promise<number> {
  const compressed = freedLate * solving(size) + heldBetweenSites(size) + heldArtifacts(size);
  const evaluated = freedLate * evaluating(size);
  return probed + garbage + Math.max(compressed, evaluated) + (await rowThreads(size)) * rowThreadBytes;
}
