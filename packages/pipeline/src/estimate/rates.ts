import { stat } from "node:fs/promises";
import { InternalError, once } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Model, Site } from "@mbs/models";
import { hasSeparableRows, splitRows } from "@mbs/solvers";
import { middleOf } from "../recipe/decided-recipe.ts";
import { compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics } from "./computed-statistics.ts";
import { keptSeconds, readSeconds } from "./kept-rates.ts";
import { artifactNames, artifactRates, assumedRates, measureArtifacts } from "./probes/artifact-probe.ts";
import type { ArtifactRates } from "./probes/artifact-probe.ts";
import { forwardNames, measureForward } from "./probes/forward-probe.ts";
import type { ForwardRates } from "./probes/forward-probe.ts";
import { measureProducts } from "./probes/product-probe.ts";
import { headNames, measureHead, noHead } from "./probes/head-probe.ts";
import type { HeadRates } from "./probes/head-probe.ts";
import type { ProductTime } from "./probes/product-probe.ts";
import { measureSite, siteNames } from "./probes/site-probe.ts";
import type { Probe, SiteRates } from "./probes/site-probe.ts";
import { sum } from "./sum.ts";
import { typicalForward, typicalHead, typicalOperation, typicalSite } from "./typical-rates.ts";

/** All that what a site takes depends on, but for the machine. */
const siteKey = (width: number, { recipe, length, work, threads }: Probe): readonly unknown[] => [
  "site",
  width,
  recipe.compress,
  middleOf(recipe.decisions.grids),
  computedStatistics(recipe),
  length,
  work,
  threads,
];

/** What this machine takes where no other program is at work, measured with the kernels that the stages use. */
export interface Rates extends ForwardRates, HeadRates, ArtifactRates {
  /** Floating-point operations a second of a large matrix product. */
  readonly gemm: number;
  /** Site width → seconds for one token's Gram, and for a factor; 0 where the run has none of it. */
  readonly gram: (width: number) => number;
  /** Site width → seconds for the mean of a language's Gram. */
  readonly mean: (width: number) => number;
  readonly factor: (width: number) => number;
  /** Site width and rows → seconds to solve the site and to measure its errors. */
  readonly solver: (width: number, rows: number) => number;
  /**
   * Site and languages → seconds to round some of its rows with each choice of an allocation and to measure the errors of each
   * language, and to round all rows once; 0 where there is none.
   */
  readonly allocation: (site: Site, languages: number) => number;
  /** How many times as long everything takes now, because of other programs; 1 where that is hardly more. */
  readonly slowdown: number;
}

/** Sites wider than this are measured at this width and at half of it, and scaled from there: a probe must stay short. */
const probeWidth = 2048;

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
  mean: { power: 2, operations: 0 },
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

/** Where rates are from. */
interface RateSource {
  readonly slowdown: number;
  /** Seconds of a floating-point operation of a large product. */
  readonly operation: number;
  forward(): Promise<ForwardRates>;
  head(): Promise<HeadRates>;
  site(width: number): Promise<SiteRates>;
  artifacts(): Promise<ArtifactRates>;
}

/** What rates are asked of. */
export interface RatedRun {
  readonly model: Model;
  readonly probe: Probe;
  /** Where a small file may be written for a moment. */
  readonly folder: string;
}

const productKey = (threads: number): readonly unknown[] => ["product", threads];
const productNames = ["operation"] as const;
const forwardKey = ({ model, probe: { length, threads } }: RatedRun): readonly unknown[] => [
  "forward",
  model.address,
  length,
  threads,
];
const headKey = ({ model, probe: { threads } }: RatedRun): readonly unknown[] => ["head", model.address, threads];
const artifactKey = async (folder: string): Promise<readonly unknown[]> => ["artifacts", String((await stat(folder)).dev)];

/** By threads: other programs are looked for once in a process. */
const knownProducts = new Map<string, Promise<ProductTime>>();

async function measuredSource(run: RatedRun, warn: StageContext["warn"]): Promise<RateSource> {
  const { model, probe, folder } = run;
  const { length, threads } = probe;
  const now = await once(knownProducts, String(threads), () => measureProducts(threads));
  const isQuiet = now.slowdown === 1;
  const { operation } = await keptSeconds(productKey(threads), productNames, isQuiet, async () => now);
  const disk = async (on: string): Promise<ArtifactRates> =>
    keptSeconds(await artifactKey(on), artifactNames, isQuiet, () => measureArtifacts(on));
  return {
    slowdown: now.slowdown,
    operation,
    forward: () =>
      keptSeconds(forwardKey(run), forwardNames, isQuiet, () => measureForward(model, { length, gemm: 1 / operation, threads })),
    head: () => keptSeconds(headKey(run), headNames, isQuiet, () => measureHead(model, { gemm: 1 / operation, threads })),
    site: (width) => keptSeconds(siteKey(width, probe), siteNames, isQuiet, () => measureSite(width, probe)),
    artifacts: () => artifactRates(folder, warn, disk),
  };
}

/** What was measured before, and typical rates for what was not: as much to each other, if not to the clock, as those of this machine. */
async function knownSource(run: RatedRun): Promise<RateSource> {
  const { model, probe, folder } = run;
  const { threads } = probe;
  const known = await readSeconds(productKey(threads), productNames);
  const operation = known?.operation ?? typicalOperation / threads;
  return {
    slowdown: 1,
    operation,
    forward: async () => (await readSeconds(forwardKey(run), forwardNames)) ?? typicalForward(model, operation),
    head: async () => (await readSeconds(headKey(run), headNames)) ?? typicalHead(model, operation),
    site: async (width) => (await readSeconds(siteKey(width, probe), siteNames)) ?? typicalSite(width, operation),
    artifacts: async () => (await readSeconds(await artifactKey(folder), artifactNames)) ?? assumedRates,
  };
}

/** What a run of a model will take on this machine: measured for some seconds, where no earlier process has. */
export async function measureRates(run: RatedRun, { progress, warn }: Pick<StageContext, "progress" | "warn">): Promise<Rates> {
  return ratesOf(run, await measuredSource(run, warn), progress);
}

/** The same without measuring. */
export async function knownRates(run: RatedRun): Promise<Rates> {
  return ratesOf(run, await knownSource(run));
}

/** Whether a run computes predictions: losses, or how likely each token is. */
const predicts = ({ recipe, work }: Probe, model: Model): boolean =>
  recipe.evaluate?.["corpus"] !== undefined ||
  (work?.passes ?? 0) > 0 ||
  (compressedEmbeddings(recipe, model) !== undefined && computedStatistics(recipe).any);

async function ratesOf(
  { model, probe }: RatedRun,
  source: RateSource,
  progress: StageContext["progress"] = () => undefined,
): Promise<Rates> {
  const { recipe, work, threads } = probe;
  const { operation, slowdown } = source;
  const wanted = model.blocks.flatMap((block) => block.sites.map(({ width }) => width));
  const widths = new Set(wanted.flatMap((width) => (width > probeWidth ? [probeWidth / 2, probeWidth] : [width])));
  const sites = new Map<number, SiteRates>();
  const measured = (done: number): void =>
    progress({ activity: "measure this machine", done, total: 1 + widths.size, unit: "rates" });
  measured(0);
  const forward = await source.forward();
  for (const width of widths) {
    measured(1 + sites.size);
    sites.set(width, await source.site(width));
  }
  const { gram } = computedStatistics(recipe);
  const separable = await hasSeparableRows(recipe.decisions.solver);
  const rateAt = (width: number, of: keyof SiteRates): number => {
    const { power, operations } = products[of];
    const known = (at: number): number => {
      const site = sites.get(at);
      if (site === undefined) throw new InternalError(`no site of width ${at} was measured`, { width: at });
      return site[of];
    };
    if (width <= probeWidth) return known(width);
    const found = extrapolate(width, known, power);
    // Without Grams there are no products of this size; with them, none is faster than the measured peak.
    return gram || of === "rounding" || of === "roundingErrors"
      ? Math.max(found, operations * width ** power * operation)
      : found;
  };
  return {
    ...forward,
    ...(predicts(probe, model) ? await source.head() : noHead),
    ...(await source.artifacts()),
    slowdown,
    gemm: 1 / operation,
    gram: (width) => rateAt(width, "gram"),
    mean: (width) => rateAt(width, "mean"),
    factor: (width) => rateAt(width, "factor"),
    solver: (width, rows) => {
      const parts = separable ? splitRows({ rows, columns: width }, threads).length : 1;
      return rows * (rateAt(width, "solver") / parts + rateAt(width, "errors"));
    },
    allocation: ({ width, weights }, languages) => {
      if (work === undefined) return 0;
      const [all, some] = [sum(weights, ({ rows }) => rows), sum(weights, ({ rows }) => Math.min(rows, work.rows))];
      const choices = work.grids.length;
      // the output once, and an error for each choice and for the one whose effect on the model's output is measured
      const errors = (languages * (choices + 2) * rateAt(width, "roundingErrors")) / 2;
      return (choices * some + all) * rateAt(width, "rounding") + some * errors;
    },
  };
}
