import { bytesOfDtype } from "@mbs/numbers";
import { statfs } from "node:fs/promises";
import { makeFolder } from "@mbs/artifacts";
import { formatBytes, InputOutputError, parseBytes } from "@mbs/contracts";
import { parseMix, segmentsOfMix } from "@mbs/corpora";
import { defaultLength } from "@mbs/models";
import type { Block, Embeddings, WeightDtype } from "@mbs/models";
import { listOf } from "../plan/allocated-grids.ts";
import { capturesBeforehand, middleOf } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { compressedBlocks, compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics, packedBytes } from "./computed-statistics.ts";
import { sum } from "./sum.ts";

/** The shape of a model, as far as its cost goes. */
export interface ModelShape {
  readonly blocks: readonly Block[];
  readonly embeddings?: Embeddings | undefined;
  readonly streams: readonly string[];
  readonly hiddenSize: number;
  readonly stateWidth: number;
  readonly vocabularySize: number;
  readonly contextLength: number | undefined;
  /** Of its linear weights. */
  readonly dtype: WeightDtype;
  /** That of a folder by default; absent where each tensor keeps its own. */
  readonly writtenDtype?: WeightDtype | undefined;
  readonly checkpoint: { list(): readonly { readonly bytes: number }[] };
}

/** Bytes on disk, by what they are for. */
export interface DiskNeed {
  /** Token ids. */
  readonly segments: number;
  /** States before and after one block, or of all blocks where the recipe keeps them. */
  readonly states: number;
  /** Statistics and factors of one block, or of all blocks where propagation is dense or the recipe keeps them. */
  readonly statistics: number;
  /** Edits of all blocks. */
  readonly layers: number;
  /** The compressed model. */
  readonly model: number;
  /** The trimmed model, at most: as large as the one that is given; absent where the recipe trims none, or it is there already. */
  readonly trimmed?: number;
  /** The rotated model, in float32; absent where the recipe rotates none, or it is there already. */
  readonly rotated?: number;
  /** Most that lies on disk at one time. */
  readonly peak: number;
}

/** How much text a run is calibrated with. */
export interface SampleSize {
  readonly segments: number;
  /** Tokens a segment. */
  readonly length: number;
  readonly languages: number;
}

/** Assumed number of languages of a sample that is not drawn yet: more than any corpus has. */
const mostLanguages = 32;

/** A text option of a recipe that no stage has parsed yet. */
const textOr = (value: unknown, fallback: string): string => (typeof value === "string" ? value : fallback);

/** An upper bound of the size of a sample before it is drawn. */
export function boundedSize({ sample }: Recipe, { contextLength }: ModelShape): SampleSize {
  const mix = parseMix(textOr(sample["mix"], "equal"));
  const segments = Number(sample["segments"] ?? segmentsOfMix(mix) ?? 256);
  const chosen = sample["languages"] === undefined ? mostLanguages : listOf(sample["languages"]).length;
  const named = mix.kind === "only" ? 1 : mix.kind === "weights" ? mix.weights.size : chosen;
  return { segments, length: Number(sample["length"] ?? defaultLength(contextLength)), languages: Math.min(segments, named) };
}

/** Artifacts of states that lie on disk at one time: those around one block, or those before every block. */
function statesAtOnce(recipe: DecidedRecipe, blocks: number): number {
  const {
    propagation,
    keep,
    decisions: { denseStates },
  } = recipe;
  // without statistics those of the embedding, for similarity
  if (!computedStatistics(recipe).any) return recipe.similarity ? 1 : 0;
  if (propagation === "dense") return 0;
  const own = keep ? blocks : 2;
  // the embedding's states are the dense model's too
  return own + (denseStates ? (keep ? blocks - 1 : 2) : 0);
}

/** Bytes of additional captures of some recipes: the first block's input (similarity), or those of the dense model (allocate). */
function sideStatistics(recipe: DecidedRecipe, { blocks, hiddenSize }: ModelShape, languages: number): number {
  const {
    similarity,
    propagation,
    decisions: { allocation },
  } = recipe;
  const { any } = computedStatistics(recipe);
  const input = similarity && (propagation === "true-sequential" || !any) ? 4 * hiddenSize * languages : 0;
  const widths = blocks.flatMap(({ sites }) => sites.map(({ width }) => width));
  if (!capturesBeforehand(recipe)) return input;
  // as statistics and as factors: packed Grams of each language, of the mix and its factor, or diagonals
  const bytesOf = (width: number): number =>
    allocation?.statistics === "gram" ? packedBytes(width) * (languages + 2) : 8 * width * languages;
  return input + widths.reduce((sum, width) => sum + bytesOf(width), 0);
}

/** Of Q8_0, the largest type of blocks. */
const mostBlockBytes = 34 / 32;

/** Bytes that a layer has for each weight: its value, and a mask or a code with scales and zeros of its groups; or its block. */
export function layerBytes({ decisions: { layers }, compress: { groupSize } }: DecidedRecipe, dtype: WeightDtype): number {
  const { codes } = middleOf(layers) ?? {};
  if (typeof codes === "object" && "kind" in codes) return mostBlockBytes;
  return bytesOfDtype(dtype) + (codes === "none" ? 1 / 8 : codeBytes(groupSize));
}

/** Bytes of a code, with its part of the scales and zeros. */
function codeBytes(groupSize: unknown): number {
  return typeof groupSize === "number" && groupSize > 0 ? 1 + 5 / groupSize : 1;
}

/** Bytes of the model that is written, at most: formats that pack weights make less of it. */
function writtenBytes({ assemble: { dtype, untieHead } }: Recipe, model: ModelShape): number {
  const tensors = model.checkpoint.list().reduce((sum, tensor) => sum + tensor.bytes, 0);
  const bytes = tensors + (untieHead === true ? model.vocabularySize * model.hiddenSize * bytesOfDtype(model.dtype) : 0);
  const chosen = (["f32", "f16", "bf16"] as const).find((name) => name === dtype) ?? model.writtenDtype ?? model.dtype;
  return (bytes * bytesOfDtype(chosen)) / bytesOfDtype(model.dtype);
}

/**
 * What a run will have on disk.
 *
 * @param size of the sample, where it has been drawn
 */
export function diskNeed(recipe: DecidedRecipe, model: ModelShape, size: SampleSize = boundedSize(recipe, model)): DiskNeed {
  const tokens = size.segments * size.length;
  const budget = parseBytes(textOr(recipe.capture["budget"], "4GiB"), "budget");
  const { any, upper, statisticBytes, factorBytes } = computedStatistics(recipe);
  const blocks = compressedBlocks(recipe, model);
  // how often each token is read and predicted, in statistics and in factors
  const ofTokens = compressedEmbeddings(recipe, model) && any ? 2 * 4 * model.vocabularySize * (size.languages + 1) : 0;
  // of the head's input a Gram of each language, also where others are pooled, and a factor of each class of rows
  const most = Number(recipe.factor["rowClasses"] ?? 1);
  const classes = most > 1 ? Math.min(size.languages, most) : 0;
  const ofHead =
    compressedEmbeddings(recipe, model) && upper
      ? 2 * model.hiddenSize ** 2 * size.languages + factorBytes(model.hiddenSize) * classes
      : 0;
  const perBlock = blocks.map(({ sites }) => {
    const grams = sum(sites, ({ width }) => statisticBytes(width, size.languages));
    const mixed = sum(sites, ({ width }) => statisticBytes(width, 1));
    const factors = sum(sites, ({ width }) => factorBytes(width));
    // Beyond its budget capture keeps one Gram of all languages a site.
    return factors + (grams > budget ? mixed : grams);
  });
  const all = sum(perBlock, (bytes) => bytes) + ofTokens + ofHead;
  const aside = sideStatistics(recipe, model, size.languages);
  const kept = recipe.keep || !any ? all + aside : Math.max(ofTokens + ofHead, ...perBlock);
  const statistics = recipe.propagation === "dense" && any ? all : kept;
  const weights = blocks.flatMap(({ sites }) => sites.flatMap(({ width, weights }) => weights.map(({ rows }) => rows * width)));
  const need = {
    segments: tokens * 4,
    // An upper bound for two streams, which share the tokens of a segment.
    states: statesAtOnce(recipe, model.blocks.length) * tokens * model.streams.length * model.stateWidth * 4,
    statistics,
    layers: layerBytes(recipe, model.dtype) * sum(weights, (count) => count),
    model: writtenBytes(recipe, model),
  };
  return { ...need, peak: need.segments + need.states + need.statistics + need.layers + need.model };
}

/** The same for a recipe that rotates its model first, from the shape of the model as it is given. */
export function diskNeedRotated(recipe: DecidedRecipe, model: ModelShape, size?: SampleSize): DiskNeed {
  const { dtype, writtenDtype = dtype, hiddenSize, vocabularySize } = model;
  const factor = bytesOfDtype("f32") / bytesOfDtype(dtype);
  const checkpoint = { list: () => model.checkpoint.list().map(({ bytes }) => ({ bytes: bytes * factor })) };
  const need = diskNeed(recipe, { ...model, dtype: "f32", writtenDtype, checkpoint }, size);
  // with a head, which the embedding may have been before
  const rotated = sum(checkpoint.list(), ({ bytes }) => bytes) + bytesOfDtype("f32") * hiddenSize * vocabularySize;
  return { ...need, rotated, peak: need.peak + rotated };
}

/** The same with the models that the recipe makes before everything else, from the shape of the model as it is given. */
export function diskNeedFirst(recipe: DecidedRecipe, model: ModelShape, size?: SampleSize): DiskNeed {
  const need = (recipe.rotate === undefined ? diskNeed : diskNeedRotated)(recipe, model, size);
  if (recipe.trim === undefined) return need;
  const trimmed = sum(model.checkpoint.list(), ({ bytes }) => bytes);
  return { ...need, trimmed, peak: need.peak + trimmed };
}

/** @throws {InputOutputError} when the disk under a folder has less space than a run needs */
export async function checkDisk(folder: string, need: DiskNeed): Promise<void> {
  await makeFolder(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= need.peak) return;
  throw new InputOutputError(
    `${folder}: the run needs ${formatBytes(need.peak)} of disk and ${formatBytes(free)} are free; free some space or choose another output`,
    { need: need.peak, free },
  );
}
