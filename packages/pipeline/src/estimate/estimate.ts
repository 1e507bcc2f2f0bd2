import { availableProcessors, createObjectPool, defaultKept, splitKept } from "@mbs/contracts";
import type { DeviceChoice, ObjectPool, PlannedSize, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Stages } from "../plan/known-stages.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import { firstKeys } from "../recipe/first-options.ts";
import type { DecidedRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { runFolder } from "../run/run-folder.ts";
import { chooseMachine, readMachine } from "../run/run-machine.ts";
import type { RunMachine } from "../run/run-machine.ts";
import { readRevisions } from "../run/run-revisions.ts";
import { computedStatistics } from "./computed-statistics.ts";
import type { DiskNeed } from "./disk.ts";
import { drawSample } from "./drawn-sample.ts";
import { findGraphics } from "./graphics.ts";
import type { Graphics, GraphicsNeed } from "./graphics.ts";
import { graphicsNeedOf, knowRun, partsOfRun, scoredModels, totalOf } from "./known-run.ts";
import type { KnownRun, TimePart } from "./known-run.ts";
import { memoryNeed } from "./memory.ts";
import { weightsOf } from "./probes/forward-probe.ts";
import { measureRates } from "./rates.ts";
import { sum } from "./sum.ts";

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
  readonly parts: readonly TimePart[];
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

/** How often a run computes each site: sequential does it before its layers are made, and through them. */
function walksOf(recipe: DecidedRecipe): number {
  if (!computedStatistics(recipe).any) return 0;
  return recipe.propagation === "sequential" ? 2 : 1;
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

/** Resident bytes of a process that plans and watches others. */
const plannerBytes = 160e6;

async function estimateKnown(
  known: KnownRun,
  { workers, memory = defaultKept() }: Pick<EstimateOptions, "workers" | "memory">,
): Promise<Estimate> {
  const { prepared, model, sample, machine, graphics, rates, heldOutTokens, disk } = known;
  const { recipe, size } = prepared;
  const tokens = sample.segments * sample.length;
  const scored = scoredModels(recipe) * sum(heldOutTokens, (count) => count);
  const parts = partsOfRun(known);
  const seconds = totalOf(parts);
  const ofSegments = seconds - totalOf(partsOfRun(known, { ...sample, segments: 0 }));
  const perToken = 2 * sum(model.blocks, weightsOf);
  const { gram } = computedStatistics(recipe);
  const sites = model.blocks.flatMap((block) => block.sites);
  const grams = gram ? sum(sites, ({ width }) => width * width) : 0;
  const head = 2 * model.hiddenSize * model.vocabularySize;
  const ofOne = { ...sample, segments: Math.ceil(sample.segments / Math.min(machine.workers, recipe.shards)) };
  const kept = splitKept(Math.floor(memory / machine.workers));
  const ofWorker = await memoryNeed(
    { recipe, model, sample: ofOne, disk, heldOutTokens, threads: machine.threads, kept },
    process.memoryUsage().rss,
  );
  const needed = graphicsNeedOf(known, sample);
  return {
    calibrationTokens: tokens,
    evaluationTokens: scored,
    operations: tokens * (perToken * walksOf(recipe) + grams) + scored * (perToken + head),
    gemmRate: rates.gemm,
    parts,
    seconds,
    secondsOfSegment: ofSegments / Math.max(1, sample.segments),
    slowdown: rates.slowdown,
    ...(graphics && needed && { graphics: { ...graphics, ...needed } }),
    notCounted: [
      ...firstKeys.filter((key) => recipe[key] !== undefined),
      ...recipe.stages.keys(),
      ...(recipe.evaluate?.["tasks"] === undefined ? [] : ["the tasks of evaluate"]),
    ],
    memory: (workers === 0 ? 0 : plannerBytes) + machine.workers * ofWorker,
    disk,
    size,
  };
}

/** As the run would: an unfinished one goes on with the threads, workers and device that it began with. */
async function machineFor(
  recipe: Recipe,
  options: Pick<EstimateOptions, "threads" | "workers" | "device">,
): Promise<{ readonly machine: RunMachine; readonly device: DeviceChoice }> {
  const known = await readMachine(runFolder(recipe.output));
  const isOne = options.workers === 0;
  const workers = isOne ? 1 : (options.workers ?? known?.workers);
  const chosen = chooseMachine(availableProcessors(), isOne ? 1 : recipe.shards, workers);
  return {
    machine: { workers: chosen.workers, threads: options.threads ?? known?.threads ?? chosen.threads },
    device: options.device ?? known?.device ?? "cpu",
  };
}

/**
 * Estimates a run by drawing its segments, counting the operations of its stages from the model's shapes, and by measuring
 * for some seconds what this machine does with the kernels that they use. Nothing is left behind.
 *
 * @throws as run, for a recipe or a model that cannot be used
 */
export async function estimate(given: Recipe, options: EstimateOptions): Promise<Estimate> {
  const { stages, signal = new AbortController().signal, progress = () => {}, warn = () => {} } = options;
  const pool = options.pool ?? createObjectPool(splitKept(options.memory).pool);
  try {
    const revisions = await readRevisions(runFolder(given.output));
    const known = { ...options, ...(await machineFor(given, options)), signal, progress, warn };
    const prepared = await prepareRun(given, stages, { revisions, pool, progress });
    for (const warning of prepared.warnings) warn(warning);
    const { threads } = known.machine;
    // before the model is taken from the pool, where the stage finds it open
    const sample = await drawSample(prepared.plan, stages, { signal, threads, pool, progress, warn });
    const model = await openModel(prepared.recipe.model, { pool, progress });
    try {
      const graphics = await findGraphics(known.device, threads);
      const given = { prepared, model, sample, machine: known.machine, graphics };
      const run = await knowRun(given, (rated) => measureRates(rated, { progress, warn }), known);
      return await estimateKnown(run, options);
    } finally {
      await model.close();
    }
  } finally {
    if (options.pool === undefined) await pool.close();
  }
}
