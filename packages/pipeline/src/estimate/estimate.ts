import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { availableProcessors, createObjectPool, defaultKept, splitKept } from "@mbs/contracts";
import type { AllocationWork, DeviceChoice, ObjectPool, PlannedSize, StageContext } from "@mbs/contracts";
import { defaultLength, openModel, spreadStride } from "@mbs/models";
import type { Model, Site } from "@mbs/models";
import { windowShards } from "../plan/nodes/evaluation-nodes.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import { runFolder } from "../run/run-folder.ts";
import { readRevisions } from "../run/run-revisions.ts";
import { chooseMachine, readMachine } from "../run/run-machine.ts";
import type { RunMachine } from "../run/run-machine.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { RecipeKeyName } from "../recipe/recipe-keys.ts";
import { firstKeys } from "../recipe/first-options.ts";
import { allocatesEmbeddings, capturesBeforehand } from "../recipe/recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import { compressedBlocks, compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics, packedBytes } from "./computed-statistics.ts";
import { diskNeedFirst } from "./disk.ts";
import type { DiskNeed, SampleSize } from "./disk.ts";
import { drawSample } from "./drawn-sample.ts";
import type { DrawnSample } from "./drawn-sample.ts";
import { findGraphics, graphicsNeed, withGraphics } from "./graphics.ts";
import type { Graphics, GraphicsNeed } from "./graphics.ts";
import { sum } from "./sum.ts";
import { memoryNeed } from "./memory.ts";
import { measureRates } from "./rates.ts";
import { weightsOf } from "./probes/forward-probe.ts";
import type { Rates } from "./rates.ts";
import { measureTexts } from "./text-size.ts";
import type { TextSize } from "./text-size.ts";

/** A graphics processor, and what a run needs of it: bytes that are copied, and of its memory at the peak. */
export interface EstimatedGraphics extends Graphics, GraphicsNeed {}

/** What a run will take, before anything runs. */
export interface Estimate {
  readonly calibrationTokens: number;
  /** Of all models together. */
  readonly evaluationTokens: number;
  /** Floating-point operations of the matrix products. */
  readonly operations: number;
  /** Measured rate of a large matrix product, operations a second. */
  readonly gemmRate: number;
  /** Seconds by what they are spent on, where no other program is at work. */
  readonly parts: readonly { readonly name: string; readonly seconds: number }[];
  readonly seconds: number;
  /** What each segment of text adds to that: time grows with them by a line. */
  readonly secondsOfSegment: number;
  /** How many times as long it takes while the programs that are at work now go on; 1 where there are none to speak of. */
  readonly slowdown: number;
  /** What models run on, where that is a graphics processor; absent where it is the processor. */
  readonly graphics?: EstimatedGraphics | undefined;
  /** Names of the entries of `stages`, and tasks, which are in none of these numbers. */
  readonly notCounted: readonly string[];
  /** Peak of resident memory, bytes. */
  readonly memory: number;
  readonly disk: DiskNeed;
  /** The size of the result beside that of its model; absent where that is not known yet. */
  readonly size?: PlannedSize | undefined;
}

/**
 * What it takes to aim at the dense model's residual stream beside a Gram and a cross-moment, which is a whole product where a Gram
 * is half of one: a product as high as the weight.
 */
const aimProducts = ({ capture }: Recipe, { adds, width, weights }: Site): number =>
  capture["normaliseTokens"] !== true || adds === undefined ? 0 : (2 * sum(weights, ({ rows }) => rows)) / width;

/** Tokens to score in each language. */
function evaluationTokens({ evaluate }: Recipe, texts: TextSize | undefined, length: number): readonly number[] {
  if (evaluate === undefined || texts === undefined) return [];
  const limit = evaluate["windows"] === undefined ? Infinity : Number(evaluate["windows"]);
  return [...texts.tokens.values()].map((tokens) => Math.min(limit, Math.floor(tokens / length)) * length);
}

interface Work {
  readonly recipe: Recipe;
  readonly model: Model;
  readonly rates: Rates;
  readonly tokens: number;
  readonly languages: number;
  /** Tokens a segment. */
  readonly length: number;
  readonly disk: DiskNeed;
  /** What the recipe's allocation computes; undefined where that is nothing to speak of. */
  readonly allocation: AllocationWork | undefined;
  /** Shards that run at once. */
  readonly atOnce: number;
}

/** How often a run computes each site: sequential does it before its layers are made, and through them. */
function walksOf(recipe: Recipe): number {
  if (!computedStatistics(recipe).any) return 0;
  return recipe.propagation === "sequential" ? 2 : 1;
}

/** Whether an allocation sums Grams of its own, and factorises them. */
const sumsBeforehand = (recipe: Recipe): boolean => capturesBeforehand(recipe) && recipe.allocation?.statistics === "gram";

/** Seconds of one token in the first block, over all times that a run computes it before evaluation. */
function secondsInBlock({ recipe, rates }: Work): number {
  const walks = walksOf(recipe);
  const beforehand = capturesBeforehand(recipe) ? rates.sites + rates.end : 0;
  if (walks === 0) return beforehand;
  // The dense model's states run beside the compressed ones.
  const runs = recipe.denseStates ? 2 : 1;
  return runs * (walks * rates.sites + rates.end) + beforehand;
}

/**
 * Seconds of what capture computes for embedding and head besides the head's Gram: the predictions of some tokens, and,
 * where one tensor is both, two passes of a segment of each language.
 */
function embeddingsSeconds({ recipe, model, rates, tokens, languages, length }: Work): number {
  const embeddings = compressedEmbeddings(recipe, model);
  if (embeddings === undefined || !computedStatistics(recipe).any) return 0;
  const predicted = (tokens / spreadStride) * ((2 * model.hiddenSize * model.vocabularySize) / rates.gemm);
  const once = predicted + (embeddings.isTied ? 2 * languages * length * model.blocks.length * rates.block : 0);
  return allocatesEmbeddings(recipe) && capturesBeforehand(recipe) ? 2 * once : once;
}

/** Seconds of choosing bits or types: roundings with their errors, and passes of the model, on one machine. */
function allocationSeconds({ recipe, model, rates, tokens, languages, allocation }: Work): number {
  if (allocation === undefined) return 0;
  const sites = model.blocks.flatMap((block) => block.sites);
  const roundings = sum(sites, ({ width, weights }) =>
    rates.allocation(
      width,
      sum(weights, ({ rows }) => Math.min(rows, allocation.rows)),
      languages,
    ),
  );
  // statistics of each language, Gram and factor of their mix, which lie on disk where it has its own
  const bytes = sumsBeforehand(recipe) ? sum(sites, ({ width }) => (languages + 2) * packedBytes(width)) : 0;
  const passes = recipe.allocation?.segments === true ? allocation.passes * tokens * model.blocks.length * rates.block : 0;
  return roundings + passes + bytes * rates.write + 2 * bytes * rates.read;
}

/** Seconds of capture, factor, compress and propagate over all blocks. */
function compressParts(work: Work): { name: string; seconds: number }[] {
  const { recipe, model, rates, tokens, languages, disk, atOnce } = work;
  const { any, gram, upper, statisticBytes, factorBytes } = computedStatistics(recipe);
  const dense = recipe.propagation === "dense";
  const sites = compressedBlocks(recipe, model).flatMap((block) => block.sites);
  const statesBytes = dense || !any ? 0 : (recipe.denseStates ? 2 : 1) * tokens * model.stateWidth * 4;
  const blocks = model.blocks.length;
  // A walk reads the states before a block, and propagate writes those after it.
  const statesRead = statesBytes * blocks * walksOf(recipe);
  const statistics = sum(sites, ({ width }) => statisticBytes(width, languages));
  const factors = sum(sites, ({ width }) => factorBytes(width));
  const similarity = recipe.similarity ? (dense ? statistics : statistics / blocks) : 0;
  const written = statesBytes * blocks + statistics + factors + disk.layers + disk.model;
  const read = statesRead + statistics + similarity + factors + disk.layers * 2 + disk.model;
  const forward = (model.blocks.length * tokens * secondsInBlock(work) + embeddingsSeconds(work)) / atOnce;
  const products = (site: Site): number => (recipe.denseStates ? 3 + aimProducts(recipe, site) : 1);
  const steppedSites = model.blocks.flatMap((block) => block.sites);
  const [gramsBefore, factorsBefore] = sumsBeforehand(recipe)
    ? [sum(steppedSites, ({ width }) => rates.gram(width)) * tokens, sum(steppedSites, ({ width }) => rates.factor(width))]
    : [0, 0];
  const grams = gram ? sum(sites, (site) => rates.gram(site.width) * products(site)) * tokens : 0;
  const factorised = upper ? sum(sites, ({ width }) => rates.factor(width)) : 0;
  const allocation = allocationSeconds(work);
  return [
    ...(forward > 0 ? [{ name: "forward passes", seconds: forward }] : []),
    // Mean squares are not counted: they are one operation a channel, where a block has thousands.
    ...(grams + gramsBefore > 0 ? [{ name: "Grams", seconds: (grams + gramsBefore) / atOnce }] : []),
    ...(factorised + factorsBefore > 0 ? [{ name: "factors", seconds: factorised + factorsBefore }] : []),
    ...(allocation > 0 ? [{ name: "allocation", seconds: allocation }] : []),
    {
      name: "solver",
      seconds: sum(sites, ({ width, weights }) =>
        rates.solver(
          width,
          sum(weights, ({ rows }) => rows),
        ),
      ),
    },
    { name: "artifacts", seconds: written * rates.write + read * rates.read },
    // A run keeps the model open, and its weights from capture to propagate.
    { name: "opening the model", seconds: rates.open + (forward > 0 ? blocks * rates.weights : 0) },
  ];
}

type Context = Pick<StageContext, "signal" | "progress" | "warn">;

export interface EstimateOptions extends Partial<Context> {
  readonly stages: Stages;
  /** Absent: what the run would take, the number that it began with or the processors that are available. */
  readonly threads?: number | undefined;
  /** What is to run models, as of a run. Absent: what the run began with, else the processor. */
  readonly device?: DeviceChoice | undefined;
  /** Processes that run blocks, as of a run; 0: one process runs all. */
  readonly workers?: number | undefined;
  /** Bytes for what later stages need, as of a run. Absent: by the memory of the machine. */
  readonly memory?: number | undefined;
  /** Keeps the model open for another estimate of it; its owner closes it. Absent: one of its own. */
  readonly pool?: ObjectPool | undefined;
}

interface KnownOptions extends Pick<EstimateOptions, "stages" | "workers" | "memory">, Context {
  readonly device: DeviceChoice;
  readonly machine: RunMachine;
}

const evaluationKey: RecipeKeyName = "evaluate";

/** Resident bytes of a process that plans and watches others. */
const plannerBytes = 160e6;

/** The folder that a new one would be made in: an estimate makes none. */
const existingFolder = (path: string): string => (existsSync(dirname(path)) ? dirname(path) : existingFolder(dirname(path)));

async function estimatePrepared(
  { recipe, plan, size }: PreparedRun,
  model: Model,
  sample: DrawnSample,
  { stages, machine, device, workers, memory = defaultKept(), signal, progress, warn }: KnownOptions,
): Promise<Estimate> {
  const { threads } = machine;
  const processes = Math.min(machine.workers, recipe.shards);
  const graphics = await findGraphics(device, threads);
  // workers share the graphics processor
  const atOnce = graphics === undefined ? processes : 1;
  const evaluatedAtOnce = graphics === undefined ? Math.min(machine.workers, windowShards(recipe)) : 1;
  const { length } = sample;
  const tokens = sample.segments * length;
  const { corpus, tasks } = recipe.evaluate ?? {};
  // a recipe may evaluate tasks alone
  // complete options, which the recipe's own need not be
  const scoring = plan.nodes.find(({ section }) => section.join() === evaluationKey);
  const languages = scoring?.options["languages"] as readonly string[] | undefined;
  const heldOut = typeof corpus === "string" ? await measureTexts({ corpus, languages }, model, { signal, progress }) : undefined;
  const window = Number(recipe.evaluate?.["length"] ?? defaultLength(model.contextLength));
  const heldOutTokens = evaluationTokens(recipe, heldOut, window);
  const scoredModels = 2 + Object.keys(recipe.beside ?? {}).length;
  const heldOutOfModel = sum(heldOutTokens, (count) => count);
  const scored = heldOutOfModel * scoredModels;
  const folder = existingFolder(resolve(recipe.output));
  const chosen = plan.nodes.find(({ stage }) => stages.get(stage)?.allocationWork !== undefined);
  const allocation = chosen && (await stageOf(stages, chosen.stage).allocationWork?.(chosen.options));
  const own = await measureRates(model, { recipe, length, work: allocation, threads }, folder, { progress, warn });
  const rates = graphics === undefined ? own : withGraphics(own, graphics);
  const disk = diskNeedFirst(recipe, model, sample);
  const neededBy = (size: SampleSize): GraphicsNeed | undefined =>
    graphics &&
    graphicsNeed({ recipe, model, sample: size, heldOutTokens: heldOutOfModel, scoredModels, workers: machine.workers });
  const partsOf = (size: SampleSize): readonly { readonly name: string; readonly seconds: number }[] => {
    const copied = neededBy(size);
    return [
      { name: "sampling", seconds: sample.seconds },
      ...compressParts({
        recipe,
        model,
        rates,
        tokens: size.segments * length,
        languages: sample.languages,
        length,
        disk,
        allocation,
        atOnce,
      }),
      {
        name: "evaluation",
        seconds:
          heldOut === undefined
            ? 0
            : heldOut.readSeconds +
              heldOutOfModel / heldOut.tokensPerSecond +
              rates.open +
              scoredModels * model.blocks.length * rates.weights +
              (scored * (model.blocks.length * rates.block + rates.head)) / evaluatedAtOnce,
      },
      ...(graphics && copied ? [{ name: "copies", seconds: (copied.uploaded + copied.downloaded) / graphics.bytes }] : []),
    ];
  };
  const parts = partsOf(sample);
  const seconds = sum(parts, (part) => part.seconds);
  const withoutSegments = sum(partsOf({ ...sample, segments: 0 }), (part) => part.seconds);
  const needed = neededBy(sample);
  const perToken = 2 * sum(model.blocks, weightsOf);
  const { gram } = computedStatistics(recipe);
  const sites = model.blocks.flatMap((block) => block.sites);
  const grams = gram ? sum(sites, ({ width }) => width * width) : 0;
  const head = 2 * model.hiddenSize * model.vocabularySize;
  const ofOne = { ...sample, segments: Math.ceil(sample.segments / processes) };
  const ofWorker = await memoryNeed(
    { recipe, model, sample: ofOne, disk, heldOutTokens, threads, kept: splitKept(Math.floor(memory / machine.workers)) },
    process.memoryUsage().rss,
  );
  return {
    calibrationTokens: tokens,
    evaluationTokens: scored,
    operations: tokens * (perToken * walksOf(recipe) + grams) + scored * (perToken + head),
    gemmRate: own.gemm,
    parts,
    seconds,
    secondsOfSegment: (seconds - withoutSegments) / Math.max(1, sample.segments),
    slowdown: own.slowdown,
    ...(graphics && needed && { graphics: { ...graphics, ...needed } }),
    notCounted: [
      ...firstKeys.filter((key) => recipe[key] !== undefined),
      ...recipe.stages.keys(),
      ...(tasks === undefined ? [] : ["the tasks of evaluate"]),
    ],
    memory: (workers === 0 ? 0 : plannerBytes) + machine.workers * ofWorker,
    disk,
    size,
  };
}

/**
 * Estimates a run by drawing its segments, counting the operations of its stages from the model's shapes, and by measuring
 * for some seconds what this machine does with the kernels that they use. Nothing is left behind.
 *
 * @throws as run, for a recipe or a model that cannot be used
 */
export async function estimate(given: Recipe, options: EstimateOptions): Promise<Estimate> {
  const pool = options.pool ?? createObjectPool(splitKept(options.memory).pool);
  try {
    // as the run would: an unfinished one goes on with the commits and threads that it began with
    const folder = runFolder(given.output);
    const revisions = await readRevisions(folder);
    const known = await readMachine(folder);
    const isOne = options.workers === 0;
    const workers = isOne ? 1 : (options.workers ?? known?.workers);
    const chosen = chooseMachine(availableProcessors(), isOne ? 1 : given.shards, workers);
    const machine = { workers: chosen.workers, threads: options.threads ?? known?.threads ?? chosen.threads };
    const prepared = await prepareRun(given, options.stages, { revisions, pool, progress: options.progress });
    const { signal = new AbortController().signal, progress = () => {}, warn = () => {} } = options;
    for (const warning of prepared.warnings) warn(warning);
    const { threads } = machine;
    // before the model is taken from the pool, where the stage finds it open
    const sample = await drawSample(prepared.plan, options.stages, { signal, threads, pool, progress, warn });
    const model = await openModel(prepared.recipe.model, { pool, progress });
    try {
      const device = options.device ?? known?.device ?? "cpu";
      return await estimatePrepared(prepared, model, sample, { ...options, signal, progress, warn, machine, device });
    } finally {
      await model.close();
    }
  } finally {
    if (options.pool === undefined) await pool.close();
  }
}
