import { InternalError, once } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import type { OnnxBlas } from "@mbs/onnx";
import { hasSeparableRows, loadSolver, splitRows } from "@mbs/solvers";
import { middleOf } from "../plan/allocated-grids.ts";
import { computedStatistics } from "./computed-statistics.ts";
import { keptSeconds } from "./kept-rates.ts";
import { forwardNames, measureForward } from "./probes/forward-probe.ts";
import type { ForwardRates } from "./probes/forward-probe.ts";
import { measureSite, siteNames } from "./probes/site-probe.ts";
import type { Probe, SiteRates } from "./probes/site-probe.ts";
import { measure, noise, secondsWithGarbage } from "./probes/timing.ts";
import type { Taken } from "./probes/timing.ts";
import { sum } from "./sum.ts";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { encodeStates, openArtifact, readStates, writeArtifact } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";

/** Seconds for a byte of artifacts. */
interface ArtifactRates {
  readonly write: number;
  readonly read: number;
}

const probeBytes = 16 * 1024 * 1024;

async function measureArtifacts(folder: string): Promise<ArtifactRates> {
  const temporary = await mkdtemp(join(folder, ".mbs-estimate-"));
  const path = join(temporary, "states.arrow");
  try {
    const width = 1024;
    const rows = probeBytes / 8 / 4 / width;
    const values = noise(rows * width);
    const record = (segment: number): StateRecord => ({ segment, language: "en", stream: "hidden", rows, width, values });
    const records = Array.from({ length: 8 }, (_, segment) => record(segment));
    const writeOnce = (): Promise<unknown> =>
      writeArtifact(encodeStates(records, { model: "", tokenizer: "", blocks: 0, layers: [] }), path, { force: true });
    const readOnce = async (): Promise<void> => {
      for await (const state of readStates(await openArtifact(path))) void state;
    };
    await writeOnce();
    await readOnce();
    const [write, read] = [await secondsWithGarbage(writeOnce), await secondsWithGarbage(readOnce)];
    return { write: write / probeBytes, read: read / probeBytes };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** All that what a site takes depends on, but for the machine. */
const siteKey = (width: number, { recipe, length, work, threads }: Probe): readonly unknown[] => [
  "site",
  width,
  recipe.compress,
  middleOf(recipe.grids ?? []),
  computedStatistics(recipe),
  length,
  work,
  threads,
];

/** Artifacts on the disk that a folder is on. */
const measureDisk = async (folder: string, isQuiet: boolean): Promise<ArtifactRates> =>
  keptSeconds(["artifacts", String((await stat(folder)).dev)], ["write", "read"], isQuiet, () => measureArtifacts(folder));

/** A byte of a disk that nothing can be written to now. */
const assumedRates: ArtifactRates = { write: 1 / 5e8, read: 1 / 1e9 };

const isFull = (error: unknown): boolean => {
  const { code, facts } = error as NodeJS.ErrnoException & { readonly facts?: { readonly code?: unknown } };
  return [code, facts?.code].some((found) => found === "ENOSPC" || found === "EDQUOT");
};

/** The rates of the disk under a folder; assumed ones, with a warning, where it is full: what a run needs is to be said all the same. */
export async function artifactRates(
  folder: string,
  warn: (message: string) => void,
  measure: (folder: string) => Promise<ArtifactRates>,
): Promise<ArtifactRates> {
  try {
    return await measure(folder);
  } catch (error) {
    if (!isFull(error)) throw error;
    warn(`the disk of ${folder} is full: its speed is assumed, not measured; free some space before the run`);
    return assumedRates;
  }
}

/** What this machine takes where no other program is at work, measured with the kernels that the stages use. */
export interface Rates extends ForwardRates, ArtifactRates {
  /** Floating-point operations a second of a large matrix product. */
  readonly gemm: number;
  /** Site width → seconds for one token's Gram, and for a factor; 0 where the run has none of it. */
  readonly gram: (width: number) => number;
  readonly factor: (width: number) => number;
  /** Site width and rows → seconds to solve the site and to measure its errors. */
  readonly solver: (width: number, rows: number) => number;
  /** The same to round them with each choice of an allocation and to measure the errors of each language; 0 where there is none. */
  readonly allocation: (width: number, rows: number, languages: number) => number;
  /** How many times as long everything takes now, because of other programs; 1 where that is hardly more. */
  readonly slowdown: number;
}

/** Sites wider than this are measured at this width and at half of it, and scaled from there: a probe must stay short. */
const probeWidth = 2048;

/** Seconds for which products are made, to learn how much of the processor other programs take. */
const loadSeconds = 0.7;

/** Waiting for a quarter of the time is no more than a machine does that nobody else uses. */
const quietSlowdown = 1.25;

interface ProductTime {
  /** Seconds of a floating-point operation on a quiet machine. */
  readonly operation: number;
  /** How many times as long it takes now. */
  readonly slowdown: number;
}

/** By threads: other programs are looked for once in a process. */
const knownProducts = new Map<string, Promise<ProductTime>>();

async function measureProducts(blas: OnnxBlas, threads: number): Promise<ProductTime> {
  const size = 1024;
  const matrix = { rows: size, columns: size, values: noise(size * size) };
  await blas.gemm(matrix, matrix);
  const taken: Taken<unknown>[] = [];
  const clock = (): number => sum(taken, (one) => one.clock);
  while (clock() < loadSeconds) taken.push(await measure(threads, () => blas.gemm(matrix, matrix)));
  const slowdown = clock() / sum(taken, ({ quiet }) => quiet);
  return {
    operation: Math.min(...taken.map(({ quiet }) => quiet)) / (2 * size ** 3),
    slowdown: slowdown < quietSlowdown ? 1 : slowdown,
  };
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
export const products: Readonly<Record<keyof SiteRates, Products>> = {
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
 * What a run of a model will take on this machine: measured for some seconds, where no earlier process has.
 *
 * @param folder where a small file may be written for a moment
 */
export async function measureRates(
  model: Model,
  probe: Probe,
  folder: string,
  { progress, warn }: Pick<StageContext, "progress" | "warn">,
): Promise<Rates> {
  const { recipe, length, work, threads } = probe;
  const wanted = model.blocks.flatMap((block) => block.sites.map(({ width }) => width));
  const widths = new Set(wanted.flatMap((width) => (width > probeWidth ? [probeWidth / 2, probeWidth] : [width])));
  const sites = new Map<number, SiteRates>();
  const measured = (done: number): void =>
    progress({ activity: "measure this machine", done, total: 1 + widths.size, unit: "rates" });
  measured(0);
  const blas = createBlas({ threads });
  const now = await once(knownProducts, String(threads), () => measureProducts(blas, threads));
  const isQuiet = now.slowdown === 1;
  const { operation } = await keptSeconds(["product", threads], ["operation"], isQuiet, async () => now);
  const gemm = 1 / operation;
  const forwardKey = ["forward", model.address, length, threads];
  const forward = await keptSeconds(forwardKey, forwardNames, isQuiet, () => measureForward(model, { length, gemm, threads }));
  for (const width of widths) {
    measured(1 + sites.size);
    const ofSite = await keptSeconds(siteKey(width, probe), siteNames, isQuiet, () => measureSite(blas, width, probe));
    sites.set(width, ofSite);
  }
  await blas.release();
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
    ...(await artifactRates(folder, warn, (on) => measureDisk(on, isQuiet))),
    slowdown: now.slowdown,
    gemm,
    gram: (width) => rateAt(width, "gram", products.gram),
    factor: (width) => rateAt(width, "factor", products.factor),
    solver: (width, rows) => {
      const parts = separable ? splitRows({ rows, columns: width }, threads).length : 1;
      return rows * (rateAt(width, "solver", products.solver) / parts + rateAt(width, "errors", products.errors));
    },
    allocation: (width, rows, languages) => {
      if (work === undefined) return 0;
      const choices = work.grids.length;
      const rounding = choices * rateAt(width, "rounding", products.rounding);
      // the output once, and an error for each choice and for the one whose effect on the model's output is measured
      const measured = (languages * (choices + 2) * rateAt(width, "roundingErrors", products.roundingErrors)) / 2;
      return rows * (rounding + measured);
    },
  };
}
