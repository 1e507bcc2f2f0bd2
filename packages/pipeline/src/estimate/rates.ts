import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { encodeStates, openArtifact, readStates, writeArtifact } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { fittingType, mixtureNamed } from "@mbs/gguf";
import type { BlockType } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import type { Forward, Model, Step, StepCut } from "@mbs/models";
import { inverseFactor } from "@mbs/numbers";
import { createBlas, createGramKernel } from "@mbs/onnx";
import type { OnnxBlas } from "@mbs/onnx";
import { InternalError, at } from "@mbs/contracts";
import type { AllocationWork, Matrix, SolverStatistics, StageContext, StageOptions } from "@mbs/contracts";
import { hasSeparableRows, loadSolver, outputsByRow, readSolver, solverFailure, splitRows } from "@mbs/solvers";
import { middleOf, representative } from "../plan/allocation-choices.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { computedStatistics } from "./computed-statistics.ts";
import { sum } from "./sum.ts";

/** What this machine does in a second, measured with the kernels that the stages use. */
export interface Rates {
  /** Floating-point operations a second of a large matrix product. */
  readonly gemm: number;
  /** Seconds of one step for one token: of its sites, one after the other, of what follows the last, and of all at once. */
  readonly sites: number;
  readonly end: number;
  readonly step: number;
  /** Seconds of the loss for one token; 0 where the run evaluates nothing. */
  readonly head: number;
  /** Seconds to open the model. */
  readonly open: number;
  /** Seconds to read the weights of a step and to make its session. */
  readonly weights: number;
  /** Site width → seconds for one token's Gram, and for a factor; 0 where the run has none of it. */
  readonly gram: (width: number) => number;
  readonly factor: (width: number) => number;
  /** Site width and rows → seconds to solve the site and to measure its errors. */
  readonly solver: (width: number, rows: number) => number;
  /** The same to round them with each choice of an allocation and to measure the errors of each language; 0 where there is none. */
  readonly allocation: (width: number, rows: number, languages: number) => number;
  /** Bytes of artifacts a second. */
  readonly write: number;
  readonly read: number;
}

/** Sites wider than this are measured at this width and at half of it, and scaled from there: a probe must stay short. */
const probeWidth = 2048;
const probeRows = 256;
const batchTokens = 2048;
/** The loss of a token costs the same from about so many on. */
const headTokens = 256;
const probeBytes = 16 * 1024 * 1024;

/** A probe that has run once is measured three times, or less often where that takes longer than this, seconds. */
const enough = 0.5;

/** Fewer tokens than this say little of many, or of experts that read a part of them each. */
const leastTokens = 128;

/** What one pass of a probe through a step or the head may take, seconds. */
const passSeconds = 1.5;

async function measure(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** The shortest of three: what disturbs a kernel, as the garbage of the probe before it, only makes it slower. */
async function seconds(work: () => Promise<unknown>): Promise<number> {
  const found: number[] = [];
  while (found.length < 3 && sum(found, (taken) => taken) < enough) found.push(await measure(work));
  return Math.min(...found);
}

/** The mean of six: the collection of the buffers that the work leaves behind is a part of it. */
async function secondsWithGarbage(work: () => Promise<unknown>): Promise<number> {
  const times = 6;
  return (
    (await measure(async () => {
      for (let time = 0; time < times; time++) await work();
    })) / times
  );
}

/** Repeatable numbers of about the size of states. */
function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Repeatable numbers distributed like weights, most of them near zero: how long a search over grids takes depends on that. */
function bell(length: number): Float32Array {
  const values = new Float32Array(length);
  for (const seed of [1, 2, 3, 4]) noise(length, seed).forEach((value, index) => (values[index] = at(values, index) + value));
  return values;
}

/** Multiply-adds of one token in one step, without attention over other tokens. */
export const weightsOf = ({ sites }: Step): number =>
  sum(sites, ({ width, weights }) => width * sum(weights, ({ rows }) => rows));

/** Tokens of a probe: segments of a length that fill a batch, fewer or shorter ones where a pass would take too long. */
interface ProbedTokens {
  readonly batch: number;
  readonly length: number;
}

/**
 * @param length tokens a segment
 * @param perToken multiply-adds of one token
 * @param gemm operations a second of a large matrix product
 */
export function probedTokens(length: number, perToken: number, gemm: number): ProbedTokens {
  const most = Math.max(leastTokens, Math.floor((passSeconds * gemm) / (2 * perToken)));
  const batch = Math.max(1, Math.floor(Math.min(batchTokens, most) / length));
  return { batch, length: Math.min(length, most) };
}

/** Seconds of the loss for one token. */
async function measureHead(
  forward: Forward,
  { hiddenSize, vocabularySize }: Model,
  { columns, values, rows }: Matrix,
  tokens: Int32Array,
  gemm: number,
): Promise<number> {
  const scored = Math.min(rows, probedTokens(headTokens, hiddenSize * vocabularySize, gemm).length);
  const score = (count: number): Promise<Float64Array> =>
    forward.score({ rows: count, columns, values: values.subarray(0, count * columns) }, tokens.subarray(0, count));
  // the first reads the head
  await score(2);
  return (await seconds(() => score(scored))) / scored;
}

/**
 * @param gemm operations a second of a large matrix product
 * @param scores whether the run computes losses
 */
async function measureForward(
  model: Model,
  length: number,
  gemm: number,
  scores: boolean,
  threads: number,
): Promise<Pick<Rates, "sites" | "end" | "step" | "head" | "open" | "weights">> {
  const started = performance.now();
  const again = await openModel(model.path);
  const opened = performance.now();
  const forward = await again.forward({ threads });
  try {
    const { hiddenSize, vocabularySize } = model;
    const perToken = weightsOf(at(model.steps, 0));
    const { batch, length: probed } = probedTokens(length, perToken, gemm);
    // A token reads half of a segment on average: as many products of its width for scores, and as many for values.
    const shortened = (perToken + length * hiddenSize) / (perToken + probed * hiddenSize);
    const rows = batch * probed;
    const tokens = Int32Array.from({ length: rows }, (_, index) => (index * 7919) % vocabularySize);
    const states = await forward.embed(tokens, batch);
    const { sites } = at(model.steps, 0);
    const toLastSite = async (): Promise<StepCut> => {
      let cut = await forward.beginStep(0, states, { batch });
      while (cut.passed.size < sites.length) ({ cut } = await forward.nextSites(cut));
      return cut;
    };
    const cut = await toLastSite();
    const first = (performance.now() - opened) / 1000;
    const toSites = await seconds(toLastSite);
    await forward.endStep(cut);
    const end = await seconds(() => forward.endStep(cut));
    await forward.step(0, states, { batch });
    const step = await seconds(() => forward.step(0, states, { batch }));
    const head = scores ? await measureHead(forward, model, states, tokens, gemm) : 0;
    return {
      sites: (shortened * toSites) / rows,
      end: (shortened * end) / rows,
      step: (shortened * step) / rows,
      head,
      open: (opened - started) / 1000,
      weights: Math.max(0, first - toSites),
    };
  } finally {
    await forward.close();
    await again.close();
  }
}

/** A Gram of as many tokens as channels and some more, so that it can be factorised. */
async function probeGram(blas: OnnxBlas, width: number): Promise<Float32Array> {
  const rows = width + 64;
  const x = { rows, columns: width, values: noise(rows * width) };
  const { values } = await blas.gemm(x, x, { transposeA: true, alpha: 1 / rows });
  for (let index = 0; index < values.length; index += width + 1) values[index] = at(values, index) + 0.01;
  return values;
}

interface SiteRates extends RowRates {
  readonly gram: number;
  readonly factor: number;
  /** Seconds for one row to round it with one choice of an allocation, on all threads, and to measure error and output; 0 without one. */
  readonly rounding: number;
  readonly roundingErrors: number;
}

/** Seconds for one row. */
interface RowRates {
  /** Of the solver: on one thread, where threads share the rows. */
  readonly solver: number;
  /** Of its error and its output, on all threads. */
  readonly errors: number;
}

/** What is measured of a site. */
interface Probe {
  /** Tokens a segment. */
  readonly length: number;
  readonly recipe: Recipe;
  /** Of the recipe's allocation; it has Grams and factors of its own where the solver needs none. */
  readonly work: AllocationWork | undefined;
  readonly threads: number;
}

/** Only the solver is measured where no Gram is summed, and it gets no Gram then. */
async function measureSite(blas: OnnxBlas, width: number, { length, recipe, work, threads }: Probe): Promise<SiteRates> {
  const computed = computedStatistics(recipe);
  const none = { gram: 0, factor: 0, rounding: 0, roundingErrors: 0 };
  const isRounded = work !== undefined && work.choices.length > 0;
  const { compress } = representative(recipe);
  if (!computed.gram && !isRounded) {
    const diagonal = noise(width).map((value) => value * value);
    return { ...none, ...(await measureSolver(blas, width, { diagonal }, compress)) };
  }
  const kernel = createGramKernel({ threads });
  try {
    const summed = kernel.sum(width);
    // a segment is added at once
    const rows = Math.min(batchTokens, length);
    const states = { rows, columns: width, values: noise(rows * width) };
    await summed.add(states);
    const gramTime = await seconds(() => summed.add(states));
    const gram = await probeGram(blas, width);
    const diagonal = Float32Array.from({ length: width }, (_, channel) => at(gram, channel * (width + 1)));
    const isFactored = computed.upper || isRounded;
    const upper = isFactored ? await inverseFactor(blas, gram.slice(), width) : undefined;
    const factor = isFactored ? await seconds(() => inverseFactor(blas, gram.slice(), width)) : 0;
    const known = { diagonal, gram, ...(upper && { upper }) };
    const rowRates = await measureSolver(blas, width, computed.gram ? known : { diagonal }, compress);
    return { ...none, gram: gramTime / rows, factor, ...rowRates, ...(await measureRounding(blas, width, known, work)) };
  } finally {
    await kernel.release();
  }
}

/** What is known of a probe's inputs: what the solver of a recipe gets. */
interface ProbeInputs {
  readonly diagonal: Float32Array;
  readonly gram?: Float32Array;
  readonly upper?: Float32Array;
}

/**
 * The GGUF type that weights of this width are rounded to, where a recipe rounds to such types: that of most tensors of a mixture.
 *
 * @returns undefined without such types; a plain type where rows are no whole blocks, which stay uncompressed
 */
function blockTypeOf({ grid, mixture }: StageOptions, width: number): BlockType | undefined {
  if (typeof grid === "string") return fittingType(grid, width);
  return typeof mixture === "string" ? fittingType(mixtureNamed(mixture).base, width) : undefined;
}

async function measureRounding(blas: OnnxBlas, width: number, inputs: ProbeInputs, work: AllocationWork | undefined) {
  const choice = middleOf(work?.choices ?? []);
  if (work === undefined || choice === undefined) return {};
  const { solver, errors } = await measureSolver(blas, width, inputs, { solver: work.solver, ...choice }, false);
  return { rounding: solver, roundingErrors: errors };
}

/** @param splits whether threads may share the rows */
async function measureSolver(
  blas: OnnxBlas,
  width: number,
  { diagonal, gram, upper }: ProbeInputs,
  { solver: name, ...given }: StageOptions,
  splits = true,
): Promise<RowRates> {
  const { solver, options } = await readSolver(String(name), given);
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
  const type = blockTypeOf(given, width);
  if (type?.plain !== undefined) return { solver: 0, errors: 0 };
  const parts = [{ tensor: "probe", firstRow: 0, rows: probeRows, ...(type && { grid: type.name }) }];
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
    return { solver: (await seconds(solve)) / probeRows, errors: (await seconds(measureErrors)) / probeRows };
  } finally {
    await own?.release();
  }
}

async function measureArtifacts(folder: string): Promise<Pick<Rates, "write" | "read">> {
  const temporary = await mkdtemp(join(folder, ".mbs-estimate-"));
  const path = join(temporary, "states.arrow");
  try {
    const width = 1024;
    const rows = probeBytes / 8 / 4 / width;
    const values = noise(rows * width);
    const record = (segment: number): StateRecord => ({ segment, language: "en", stream: "hidden", rows, width, values });
    const records = Array.from({ length: 8 }, (_, segment) => record(segment));
    const writeOnce = (): Promise<unknown> =>
      writeArtifact(encodeStates(records, { model: "", tokenizer: "", steps: 0, layers: [] }), path, { force: true });
    const readOnce = async (): Promise<void> => {
      for await (const state of readStates(await openArtifact(path))) void state;
    };
    await writeOnce();
    await readOnce();
    const [write, read] = [await secondsWithGarbage(writeOnce), await secondsWithGarbage(readOnce)];
    return { write: probeBytes / write, read: probeBytes / read };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function measureGemm(blas: OnnxBlas): Promise<number> {
  const size = 1024;
  const matrix = { rows: size, columns: size, values: noise(size * size) };
  await blas.gemm(matrix, matrix);
  return (2 * size ** 3) / (await seconds(() => blas.gemm(matrix, matrix)));
}

/** Operations of products: so many times the width to a power. */
interface Products {
  readonly power: number;
  readonly operations: number;
}

/**
 * A token's Gram is half a product. The factor is counted as on the kernels page. A row of a solver is multiplied by half of U
 * once, and by half of the Gram twice for its error and its output.
 */
const products: Readonly<Record<keyof SiteRates, Products>> = {
  gram: { power: 2, operations: 1 },
  factor: { power: 3, operations: 4 / 3 },
  solver: { power: 2, operations: 1 },
  errors: { power: 2, operations: 2 },
  rounding: { power: 2, operations: 1 },
  roundingErrors: { power: 2, operations: 2 },
};

/**
 * Seconds at a width beyond the probes: a·w^(power-1) + b·w^power through both probes, with a, b ≥ 0. The first term stands for
 * data movement and calls, the second for the products.
 *
 * @param known width of a probe → seconds
 */
function extrapolate(width: number, known: (width: number) => number, power: number): number {
  // seconds over w^(power-1) lie on a line over w
  const level = (probe: number): number => known(probe) / probe ** (power - 1);
  const slope = (level(probeWidth) - level(probeWidth / 2)) / (probeWidth / 2);
  const steepest = level(probeWidth) / probeWidth;
  const found = Math.min(Math.max(slope, 0), steepest);
  return (level(probeWidth) + found * (width - probeWidth)) * width ** (power - 1);
}

/**
 * Measures for some seconds what a run of a model will need.
 *
 * @param folder where a small file may be written for a moment
 */
export async function measureRates(
  model: Model,
  probe: Probe,
  folder: string,
  progress: StageContext["progress"],
): Promise<Rates> {
  const { recipe, length, work, threads } = probe;
  const blas = createBlas({ threads });
  const wanted = model.steps.flatMap((step) => step.sites.map(({ width }) => width));
  const widths = new Set(wanted.flatMap((width) => (width > probeWidth ? [probeWidth / 2, probeWidth] : [width])));
  const sites = new Map<number, SiteRates>();
  const measured = (done: number): void =>
    progress({ activity: "measure this machine", done, total: 1 + widths.size, unit: "rates" });
  measured(0);
  const gemm = await measureGemm(blas);
  const forward = await measureForward(model, length, gemm, recipe.evaluate !== undefined, threads);
  for (const width of widths) {
    measured(1 + sites.size);
    sites.set(width, await measureSite(blas, width, probe));
  }
  const { gram } = computedStatistics(recipe);
  const separable = await hasSeparableRows(await loadSolver(String(recipe.compress["solver"])));
  const rateAt = (width: number, of: keyof SiteRates, { power, operations }: Products): number => {
    const known = (probe: number): number => {
      const site = sites.get(probe);
      if (site === undefined) throw new InternalError(`no site of width ${probe} was measured`, { width: probe });
      return site[of];
    };
    if (width <= probeWidth) return known(width);
    const found = extrapolate(width, known, power);
    // Without Grams there are no products of this size; with them, none is faster than the measured peak.
    return gram || of === "rounding" || of === "roundingErrors" ? Math.max(found, (operations * width ** power) / gemm) : found;
  };
  return {
    ...forward,
    ...(await measureArtifacts(folder)),
    gemm,
    gram: (width) => rateAt(width, "gram", products.gram),
    factor: (width) => rateAt(width, "factor", products.factor),
    solver: (width, rows) => {
      const parts = separable ? splitRows({ rows, columns: width }, threads).length : 1;
      return rows * (rateAt(width, "solver", products.solver) / parts + rateAt(width, "errors", products.errors));
    },
    allocation: (width, rows, languages) => {
      if (work === undefined) return 0;
      const choices = work.choices.length;
      const rounding = choices * rateAt(width, "rounding", products.rounding);
      // the output once, and an error for each choice and for the one whose effect on the model's output is measured
      const measured = (languages * (choices + 2) * rateAt(width, "roundingErrors", products.roundingErrors)) / 2;
      return rows * (rounding + measured);
    },
  };
}
