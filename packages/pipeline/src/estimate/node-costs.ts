import type { AllocationWork } from "@mbs/contracts";
import { spreadStride } from "@mbs/models";
import type { Site } from "@mbs/models";
import { windowShards } from "../plan/nodes/evaluation-nodes.ts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import { allocatesEmbeddings, capturesBeforehand } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe } from "../recipe/decided-recipe.ts";
import { compressedBlocks, compressedEmbeddings } from "./compressed-blocks.ts";
import { computedStatistics, packedBytes } from "./computed-statistics.ts";
import type { DiskNeed, ModelShape, SampleSize } from "./disk.ts";
import { weightsOf } from "./probes/forward-probe.ts";
import type { Rates } from "./rates.ts";
import { sum } from "./sum.ts";

/** What seconds are spent on, in the order of a run. */
export const partNames = [
  "sampling",
  "forward passes",
  "Grams",
  "factors",
  "allocation",
  "solver",
  "artifacts",
  "opening the model",
  "evaluation",
] as const;
export type PartName = (typeof partNames)[number];

/** Seconds of a node by what they are spent on, on a worker of its own where no other program is at work. */
export type NodeCosts = Readonly<Partial<Record<PartName, number>>>;

/** A run as far as its time goes. */
export interface Work {
  /** Completed for its solver. */
  readonly recipe: DecidedRecipe;
  readonly model: ModelShape;
  readonly rates: Rates;
  readonly sample: SampleSize & { readonly seconds: number };
  readonly disk: DiskNeed;
  /** What the recipe's allocation computes; undefined where that is nothing to speak of. */
  readonly allocation: AllocationWork | undefined;
  /** Seconds of the evaluation, all windows and models together. */
  readonly evaluation: number;
  /** Whether one process runs all nodes: what only the next ones read then stays in memory. */
  readonly isAlone: boolean;
}

/** What a node works on: sites of blocks, or of embedding and head, and which part of them. */
interface Scope {
  readonly sites: readonly PlacedSite[];
  readonly share: number;
}

interface PlacedSite extends Site {
  /** The part of its block's sites that it is. */
  readonly partOfBlock: number;
  readonly isEmbeddings: boolean;
}

/** The share that a part such as "2/4" is of the whole. */
const shareOf = (part: unknown): number => (typeof part === "string" ? 1 / Number(part.split("/")[1]) : 1);

/** Whether an allocation sums Grams of its own, and factorises them. */
const sumsBeforehand = (recipe: DecidedRecipe): boolean =>
  capturesBeforehand(recipe) && recipe.decisions.allocation?.statistics === "gram";

const isBeforehand = ({ id }: PlanNode): boolean => /^(capture|factor)\.allocate\b/.test(id);

/** The scope of each node: that of what it reads, or what its name and options say. */
function scopesOf({ nodes }: Plan, { recipe, model }: Work): ReadonlyMap<string, Scope> {
  const embeddings = compressedEmbeddings(recipe, model);
  const blocks = compressedBlocks(recipe, model).map(({ name, sites }) => ({
    name,
    sites: sites.map((site): PlacedSite => ({ ...site, partOfBlock: 1 / sites.length, isEmbeddings: name === embeddings?.name })),
  }));
  const byName = new Map(blocks.map((block) => [block.name, block.sites]));
  const ofName = (id: string): readonly PlacedSite[] | undefined =>
    byName.get(blocks.find(({ name }) => `${id}.`.includes(`.${name}.`))?.name ?? "");
  const scopes = new Map<string, Scope>();
  for (const { id, inputs, options } of nodes) {
    const [source = ""] = [...(inputs["statistics"] ?? []), ...(inputs["factors"] ?? [])];
    const { sites, share } = scopes.get(source) ?? { sites: ofName(id) ?? blocks.flatMap((block) => block.sites), share: 1 };
    const named = options["site"];
    scopes.set(id, {
      sites: Array.isArray(named) ? sites.filter(({ name }) => named.includes(name)) : sites,
      share: share * shareOf(options["rows"]) * shareOf(options["blocks"]),
    });
  }
  return scopes;
}

const rowsOf = ({ weights }: Site): number => sum(weights, ({ rows }) => rows);

/**
 * What it takes to aim at the dense model's residual stream beside a Gram and a cross-moment, which is a whole product where a Gram
 * is half of one: a product as high as the weight.
 */
const aimProducts = ({ capture }: DecidedRecipe, site: Site): number =>
  capture["normaliseTokens"] !== true || site.adds === undefined ? 0 : (2 * rowsOf(site)) / site.width;

/** Positions of a language whose predictions capture compares, where one tensor is embedding and head: each by two models' logits. */
const pricedPositions = 64;

/**
 * What capture computes for embedding and head besides the head's Gram: how likely each token is at some positions, and, where one
 * tensor is both, what a change of it does to a segment of each language.
 */
function embeddingsSeconds({ recipe, model, rates, sample }: Work): number {
  const embeddings = compressedEmbeddings(recipe, model);
  if (embeddings === undefined || !computedStatistics(recipe).any) return 0;
  const spread = ((sample.segments * sample.length) / spreadStride) * rates.spread;
  if (!embeddings.isTied) return spread;
  const passes = 2 * sample.length * model.blocks.length * rates.block;
  return spread + sample.languages * (passes + 2 * pricedPositions * rates.spread);
}

/** Artifacts that only the next nodes read: they have a file where these may run elsewhere. */
const passed = ({ recipe, rates, isAlone }: Work, bytes: number): number =>
  bytes * (isAlone && !recipe.keep ? rates.pass : rates.write + rates.read);

/** A capture of some sites, of one shard's tokens. */
function captureCosts(node: PlanNode, work: Work, { sites }: Scope): NodeCosts {
  const { recipe, rates, sample } = work;
  const { gram, statisticBytes } = computedStatistics(recipe);
  const isDense = recipe.propagation === "dense";
  const tokens = (sample.segments * sample.length) / recipe.shards;
  const inBlocks = sum(
    sites.filter((site) => !site.isEmbeddings),
    ({ partOfBlock }) => partOfBlock,
  );
  const weights = inBlocks * rates.weights;
  const ofEmbeddings = sites.some((site) => site.isEmbeddings) ? embeddingsSeconds(work) / recipe.shards : 0;
  if (isBeforehand(node)) {
    const grams = sumsBeforehand(recipe) ? sum(sites, ({ width }) => tokens * rates.gram(width)) : 0;
    const forward = inBlocks * tokens * (rates.sites + rates.end);
    const embeddings = allocatesEmbeddings(recipe) ? ofEmbeddings : 0;
    return { "forward passes": forward + embeddings, Grams: grams, "opening the model": weights };
  }
  // the dense model's states run beside the compressed ones
  const runs = recipe.decisions.denseStates ? 2 : 1;
  const forward = inBlocks * tokens * runs * (isDense ? rates.sites + rates.end : rates.sites);
  const products = (site: Site): number => (recipe.decisions.denseStates ? 3 + aimProducts(recipe, site) : 1);
  const bytes = sum(sites, ({ width }) => statisticBytes(width, sample.languages));
  return {
    "forward passes": forward + ofEmbeddings,
    // Mean squares are not counted: they are one operation a channel, where a block has thousands.
    Grams: gram
      ? sum(sites, (site) => tokens * rates.gram(site.width) * products(site) + sample.languages * rates.mean(site.width))
      : 0,
    artifacts: passed(work, bytes),
    "opening the model": weights,
  };
}

function propagateCosts({ id }: PlanNode, work: Work): NodeCosts {
  const { recipe, model, rates, sample } = work;
  const tokens = (sample.segments * sample.length) / recipe.shards;
  const artifacts = passed(work, 4 * tokens * model.stateWidth);
  if (/^propagate\.embedding\b/.test(id)) return { artifacts };
  // with sequential propagation it goes through the whole block, else on from the last site
  const perToken = recipe.propagation === "sequential" ? rates.sites + rates.end : rates.end;
  return { "forward passes": tokens * perToken, artifacts };
}

function factorCosts(node: PlanNode, work: Work, { sites, share }: Scope): NodeCosts {
  const { upper, factorBytes } = computedStatistics(work.recipe);
  const isFactored = isBeforehand(node) ? sumsBeforehand(work.recipe) : upper;
  return {
    factors: isFactored ? share * sum(sites, ({ width }) => work.rates.factor(width)) : 0,
    artifacts: isBeforehand(node) ? 0 : passed(work, share * sum(sites, ({ width }) => factorBytes(width))),
  };
}

/** How many times as long a comparison takes where it is of a few positions at a time: the whole head is read for them. */
const fewAtATime = 4;

/** Choosing bits or types: roundings with their errors, and passes of the model, on one machine. */
function allocateCosts({ recipe, model, rates, sample, allocation }: Work): NodeCosts {
  if (allocation === undefined) return {};
  const sites = model.blocks.flatMap((block) => block.sites);
  const roundings = sum(sites, (site) => rates.allocation(site, sample.languages));
  // statistics of each language, Gram and factor of their mix, which lie on disk where it has its own
  const bytes = sumsBeforehand(recipe) ? sum(sites, ({ width }) => (sample.languages + 2) * packedBytes(width)) : 0;
  const tokens = sample.segments * sample.length;
  const passes =
    recipe.decisions.allocation?.segments === true ? allocation.passes * tokens * model.blocks.length * rates.block : 0;
  const compared = allocation.comparisons * fewAtATime * rates.compare;
  return { allocation: roundings + passes + compared + bytes * rates.write + 2 * bytes * rates.read };
}

function compressCosts({ recipe, model, rates, disk }: Work, { sites, share }: Scope): NodeCosts {
  const whole = sum(compressedBlocks(recipe, model), weightsOf);
  const layers = (share * disk.layers * weightsOf({ sites })) / whole;
  return {
    solver: share * sum(sites, (site) => rates.solver(site.width, rowsOf(site))),
    artifacts: layers * (rates.write + rates.read),
  };
}

function costsOf(node: PlanNode, work: Work, scope: Scope): NodeCosts | undefined {
  const { recipe, rates, sample, disk, evaluation } = work;
  switch (node.stage) {
    case "sample":
      return { sampling: sample.seconds, "opening the model": rates.open };
    case "propagate":
      return propagateCosts(node, work);
    case "capture":
      return captureCosts(node, work, scope);
    case "factor":
      return factorCosts(node, work, scope);
    case "allocate":
      return allocateCosts(work);
    case "compress":
      return compressCosts(work, scope);
    case "assemble":
      return { artifacts: disk.layers * rates.read + disk.model * (rates.write + rates.read) };
    case "evaluate":
      return { evaluation: evaluation / windowShards(recipe) };
    case "add":
    case "join-layers":
    case "join-scores":
    case "similarity":
      return {};
    default:
      return undefined;
  }
}

/** What the nodes of a plan take; undefined of a stage that nothing is known of. */
export function nodeCosts(plan: Plan, work: Work): ReadonlyMap<string, NodeCosts | undefined> {
  const scopes = scopesOf(plan, work);
  return new Map(plan.nodes.map((node) => [node.id, costsOf(node, work, scopes.get(node.id) ?? { sites: [], share: 1 })]));
}

/** All seconds of a node. */
export const secondsOf = (costs: NodeCosts): number => sum(Object.values(costs), (seconds) => seconds);

/**
 * How long nodes take together: as long as their workers need for all of them, or the longest chain of nodes that wait for each
 * other, whichever is longer.
 *
 * @param nodes each after all that it reads
 * @param secondsLeft of a node; 0 of one that is done
 */
export function spanOf(nodes: readonly PlanNode[], secondsLeft: (node: PlanNode) => number, workers: number): number {
  const ends = new Map<string, number>();
  let [all, longest] = [0, 0];
  for (const node of nodes) {
    const own = secondsLeft(node);
    const before = [...Object.values(node.inputs).flat(), ...node.after].map((id) => ends.get(id) ?? 0);
    const end = own + Math.max(0, ...before);
    ends.set(node.id, end);
    all += own;
    longest = Math.max(longest, end);
  }
  return Math.max(all / workers, longest);
}
