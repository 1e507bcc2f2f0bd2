import { at } from "@mbs/contracts";
import type { AllocationWork, SolverStatistics } from "@mbs/contracts";
import { inverseFactor } from "@mbs/numbers";
import { createBlas, createMomentKernel } from "@mbs/onnx";
import type { OnnxBlas } from "@mbs/onnx";
import { fittingGrid, hasSeparableRows, outputsByRow, readSolver, solverFailure } from "@mbs/solvers";
import { middleOf } from "../../recipe/decided-recipe.ts";
import type { DecidedRecipe } from "../../recipe/decided-recipe.ts";
import { computedStatistics } from "../computed-statistics.ts";
import { batchTokens } from "./forward-probe.ts";
import { bell, noise, seconds } from "./timing.ts";

const probeRows = 256;

/** A Gram of as many tokens as channels and some more, so that it can be factorised. */
async function probeGram(blas: OnnxBlas, width: number): Promise<Float32Array> {
  const rows = width + 64;
  const x = { rows, columns: width, values: noise(rows * width) };
  const { values } = await blas.gemm(x, x, { transposeA: true, alpha: 1 / rows });
  for (let index = 0; index < values.length; index += width + 1) values[index] = at(values, index) + 0.01;
  return values;
}

export interface SiteRates extends RowRates {
  /** Of a token's Gram, and of the mean when all tokens of a language are there. */
  readonly gram: number;
  readonly mean: number;
  readonly factor: number;
  /** Seconds for one row to round it with one choice of an allocation, on all threads, and to measure error and output; 0 without one. */
  readonly rounding: number;
  readonly roundingErrors: number;
}

export const siteNames = [
  "gram",
  "mean",
  "factor",
  "solver",
  "errors",
  "rounding",
  "roundingErrors",
] as const satisfies (keyof SiteRates)[];

/** Seconds for one row. */
interface RowRates {
  /** Of the solver: on one thread, where threads share the rows. */
  readonly solver: number;
  /** Of its error and its output, on all threads. */
  readonly errors: number;
}

/** What is measured of a site. */
export interface Probe {
  /** Tokens a segment. */
  readonly length: number;
  readonly recipe: DecidedRecipe;
  /** Of the recipe's allocation; it has Grams and factors of its own where the solver needs none. */
  readonly work: AllocationWork | undefined;
  readonly threads: number;
}

/** Only the solver is measured where no Gram is summed, and it gets no Gram then. */
export async function measureSite(width: number, probe: Probe): Promise<SiteRates> {
  const { length, recipe, work, threads } = probe;
  const whole = { threads, splits: true };
  const computed = computedStatistics(recipe);
  const none = { gram: 0, mean: 0, factor: 0, rounding: 0, roundingErrors: 0 };
  const isRounded = work !== undefined && work.grids.length > 0;
  const { solver, options, grids } = recipe.decisions;
  const task = { solver, options, grid: middleOf(grids) ?? { kind: "none" } };
  const blas = createBlas({ threads });
  const kernel = createMomentKernel({ threads });
  try {
    if (!computed.gram && !isRounded) {
      const diagonal = noise(width).map((value) => value * value);
      return { ...none, ...(await measureSolver(blas, width, { diagonal }, task, whole)) };
    }
    const summed = kernel.gram(width);
    // a segment is added at once
    const rows = Math.min(batchTokens, length);
    const states = { rows, columns: width, values: noise(rows * width) };
    await summed.add(states);
    const gramTime = await seconds(threads, () => summed.add(states));
    const mean = await seconds(threads, async () => summed.mean(rows));
    const gram = await probeGram(blas, width);
    const diagonal = Float32Array.from({ length: width }, (_, channel) => at(gram, channel * (width + 1)));
    const isFactored = computed.upper || isRounded;
    const upper = isFactored ? await inverseFactor(blas, gram.slice(), width) : undefined;
    const factor = isFactored ? await seconds(threads, () => inverseFactor(blas, gram.slice(), width)) : 0;
    const known = { diagonal, gram, ...(upper && { upper }) };
    const rowRates = await measureSolver(blas, width, computed.gram ? known : { diagonal }, task, whole);
    return { ...none, gram: gramTime / rows, mean, factor, ...rowRates, ...(await measureRounding(blas, width, known, probe)) };
  } finally {
    await kernel.release();
    await blas.release();
  }
}

/** What is known of a probe's inputs: what the solver of a recipe gets. */
interface ProbeInputs {
  readonly diagonal: Float32Array;
  readonly gram?: Float32Array;
  readonly upper?: Float32Array;
}

async function measureRounding(blas: OnnxBlas, width: number, inputs: ProbeInputs, { work, threads }: Probe) {
  const grid = middleOf(work?.grids ?? []);
  if (work === undefined || grid === undefined) return {};
  const task = { ...(await readSolver(work.solver, work.options)), grid };
  const { solver, errors } = await measureSolver(blas, width, inputs, task, { threads, splits: false });
  return { rounding: solver, roundingErrors: errors };
}

/** What a probe is solved with. */
type SolverTask = Awaited<ReturnType<typeof readSolver>>;

/** Of the products; and whether they may share the rows instead. */
interface ProbeThreads {
  readonly threads: number;
  readonly splits: boolean;
}

async function measureSolver(
  blas: OnnxBlas,
  width: number,
  { diagonal, gram, upper }: ProbeInputs,
  { solver, options, grid: wanted }: SolverTask,
  { threads, splits }: ProbeThreads,
): Promise<RowRates> {
  const factor = {
    order: Int32Array.from({ length: width }, (_, column) => column),
    // the order of columns does not change the amount of work
    orderName: "natural",
    upper,
    dead: [],
    damping: 0.01,
  };
  const languageDiagonals = [{ language: "en", weight: 1, values: diagonal }];
  // a solver reads what it needs, and what it needs is there
  const statistics = { factor, gram, crossMoment: gram, diagonal, languageDiagonals } as SolverStatistics;
  const grid = fittingGrid(wanted, width);
  // rows that are no whole blocks stay as they are
  if (grid === undefined) return { solver: 0, errors: 0 };
  const parts = [{ tensor: "probe", firstRow: 0, rows: probeRows, grid }];
  const values = bell(probeRows * width);
  const own = splits && (await hasSeparableRows(solver)) ? createBlas({ threads: 1 }) : undefined;
  const context = { blas: own ?? blas, signal: new AbortController().signal, warn: (): void => {} };
  const solve = async (): Promise<void> => {
    try {
      await solver.solve({ rows: probeRows, columns: width, values: values.slice(), parts }, statistics, options, context);
    } catch (thrown) {
      throw solverFailure(solver.name, `on a probe of ${probeRows}×${width}`, thrown);
    }
  };
  // The stage measures the error and the output of every site.
  const measureErrors = async (): Promise<void> => {
    const moment = gram === undefined ? { diagonal } : { gram };
    await outputsByRow(blas, [values, values], probeRows, moment);
  };
  try {
    await solve();
    await measureErrors();
    return {
      solver: (await seconds(own === undefined ? threads : 1, solve)) / probeRows,
      errors: (await seconds(threads, measureErrors)) / probeRows,
    };
  } finally {
    await own?.release();
  }
}
