import { inputSite } from "@mbs/artifacts";
import { InternalError, UsageError, areProportional, at, firstOutput, parseLanguageMix, quoted } from "@mbs/contracts";
import type { PlannedLayers, Solver, Stage, StageOptions, StatisticName } from "@mbs/contracts";
import {
  canSplitRows,
  countRowShards,
  dependentDefaults,
  factorOptionsFor,
  plannedCodesOf,
  readSolver,
  vocabularyOptions,
  withoutGroups,
} from "@mbs/solvers";
import { throwFaults } from "../recipe/faults.ts";
import { allocatesBits, allocatesTypes, capturesBeforehand } from "../recipe/recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { located } from "./option-faults.ts";
import { choosable, middleOf, representative, requireTypes, sharedDefaults, withChoices } from "./allocation-choices.ts";
import type { Stages } from "./known-stages.ts";

/** The shape of a model, as far as a plan needs it. */
export interface ModelOutline {
  readonly steps: readonly {
    readonly name: string;
    readonly sites: readonly {
      readonly name: string;
      readonly width: number;
      readonly weights: readonly { readonly rows: number }[];
    }[];
  }[];
  /** Embedding and head; absent where they cannot be compressed. */
  readonly vocabulary?: ModelOutline["steps"][number] | undefined;
  /** The sites of a step in rounds, each of which is captured and compressed at once with true-sequential propagation. */
  siteRounds(step: number): readonly (readonly string[])[];
}

/** One stage run on artifacts. */
export interface PlanNode {
  /** Unique in the plan: "capture.h.0". */
  readonly id: string;
  /** Name of the stage; a path or a package where it is a third-party one. */
  readonly stage: string;
  /** Keys of its options in the recipe: ["capture"], ["stages", "spread", "options"]. */
  readonly section: readonly string[];
  readonly options: StageOptions;
  /** Name of the stage's input → ids of the nodes whose outputs it reads. The first is the command's standard input. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Ids of nodes that must be done though their outputs are not read as artifacts. */
  readonly after: readonly string[];
  /** Id of an earlier node whose values it goes on from, or whose output it alone reads: the worker that ran it has them at hand. */
  readonly follows?: string;
  /** True where its output is a part of what another node joins, and needed by that one alone. */
  readonly isPart?: boolean;
  /** File of the output folder that its output is copied to at the end of the run; absent where it stays among the artifacts. */
  readonly result?: string;
}

/** Whether only the next nodes need an output, so that a run deletes it once it is read. */
export const isIntermediate = ({ isPart = false }: PlanNode, stage: Stage): boolean =>
  isPart || firstOutput(stage).intermediate === true;

/** The graph of stage runs, each node after all that it reads. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Folder of the compressed model. */
  readonly modelFolder: string;
}

/** A node before defaults: most have their options under the name of their stage, and need not wait for another node. */
interface NewNode extends Omit<PlanNode, "after" | "section"> {
  readonly after?: readonly string[];
  readonly section?: readonly string[];
  /** True for a node outside the main chain; entries of `stages` cannot read it. */
  readonly aside?: boolean;
  /** The key by which entries of `stages` read it, where that is not its stage. */
  readonly key?: string;
}

type Add = (node: NewNode) => string;

/** Statistics that are added by one node: more are added in two rounds or more, which may run on several machines. */
const mostAdded = 8;

/** Statistics of all segments, and the nodes that captured them, by shard. */
interface Captured {
  readonly statistics: string;
  readonly captures: readonly string[];
}

/** Adds the statistics of all shards, always in the same tree. */
function addShards(add: Add, id: string, captures: readonly string[], aside: boolean): string {
  const [only] = captures;
  if (captures.length === 1 && only !== undefined) return only;
  const isLast = captures.length <= mostAdded;
  const groups = isLast
    ? [captures]
    : Array.from({ length: Math.ceil(captures.length / mostAdded) }, (_, group) =>
        captures.slice(group * mostAdded, (group + 1) * mostAdded),
      );
  const added = groups.map((group, index) => {
    const [first] = group;
    if (group.length === 1 && first !== undefined) return first;
    return add({
      id: isLast ? id : `${id}.${captures.length}-${index + 1}`,
      stage: "add",
      section: ["shards"],
      options: {},
      inputs: { statistics: group },
      ...(isLast && !aside ? { key: "capture" } : { aside: true }),
    });
  });
  return addShards(add, id, added, aside);
}

/** Names of the shards of a recipe, as `--shard` takes them; one that is undefined where all segments stay together. */
const shardsOf = ({ shards }: Recipe): readonly (string | undefined)[] =>
  shards === 1 ? [undefined] : Array.from({ length: shards }, (_, index) => `${index + 1}/${shards}`);

/**
 * Statistics of all segments.
 *
 * @param sources segments, which every shard reads, or the states of each shard
 * @param more further inputs, and the node that it follows, by shard
 */
function captureFrom(
  add: Add,
  recipe: Recipe,
  { id, options, aside = false }: { readonly id: string; readonly options: StageOptions; readonly aside?: boolean },
  sources: string | readonly string[],
  more: (shard: number) => Pick<PlanNode, "inputs" | "follows"> = () => ({ inputs: {} }),
): Captured {
  const captures = shardsOf(recipe).map((shard, index) => {
    const { inputs, ...others } = more(index);
    return add({
      id: shard === undefined ? id : `${id}.shard-${index + 1}`,
      stage: "capture",
      options: typeof sources === "string" && shard !== undefined ? { ...options, shard } : options,
      inputs: { source: [typeof sources === "string" ? sources : at(sources, index)], ...inputs },
      ...others,
      ...((aside || shard !== undefined) && { aside: true }),
    });
  });
  return { statistics: addShards(add, id.replace(/^capture/, "add"), captures, aside), captures };
}

/** A node of `propagate` for each shard. */
function propagateFrom(
  add: Add,
  recipe: Recipe,
  { id, options, aside = false }: { readonly id: string; readonly options: StageOptions; readonly aside?: boolean },
  more: (shard: number) => Pick<PlanNode, "inputs" | "follows">,
  isFirst = false,
): string[] {
  return shardsOf(recipe).map((shard, index) =>
    add({
      id: shard === undefined ? id : `${id}.shard-${index + 1}`,
      stage: "propagate",
      options: isFirst && shard !== undefined ? { ...options, shard } : options,
      ...more(index),
      ...(aside && { aside }),
    }),
  );
}

/** What an allocation is made from. */
interface AllocationSources {
  readonly segments: string;
  readonly statistics: string;
  readonly factors: string;
}

/** Inputs of an allocation; none where its method reads none. */
function allocationInputs({ allocation }: Recipe, { segments, statistics, factors }: AllocationSources): PlanNode["inputs"] {
  if (allocation?.statistics === "none") return {};
  return {
    factors: [factors],
    ...(allocation?.statistics === "gram" && { statistics: [statistics] }),
    ...(allocation?.segments === true && { segments: [segments] }),
  };
}

/** The sparsity of each step, or the bits or type of each tensor; undefined where the recipe does not ask for it. */
function allocateFrom(add: Add, recipe: Recipe, inputs: PlanNode["inputs"]): string | undefined {
  const { model, allocate, compress } = recipe;
  if (allocate === undefined) return undefined;
  const { sparsity, allowNonfinite, groupSize, symmetric, minZeroPoint } = compress;
  const grid = allocatesTypes(recipe) ? {} : { groupSize, symmetric, minZeroPoint };
  const target = allocatesBits(recipe) ? grid : { sparsity };
  const alone = Object.keys(inputs).length === 0 ? { withoutFactors: true } : {};
  const options = { model, ...allocate, ...target, allowNonfinite, ...alone };
  return add({ id: "allocate", stage: "allocate", options, inputs });
}

/**
 * The same where the factors of all steps are not there: with sequential propagation, since statistics of later steps are not
 * there yet, or where the solver needs none. It comes from a separate capture of the dense model, if the method reads any.
 */
function allocateBeforehand(add: Add, recipe: Recipe, segments: string): string | undefined {
  if (!capturesBeforehand(recipe)) return allocateFrom(add, recipe, {});
  const isGram = recipe.allocation?.statistics === "gram";
  const least = isGram ? { statistics: "gram", grams: "languages" } : { statistics: "diagonal" };
  const statistics = { model: recipe.model, ...recipe.capture, ...least };
  const { statistics: captured } = captureFrom(
    add,
    recipe,
    { id: "capture.allocate", options: statistics, aside: true },
    segments,
  );
  const options = isGram ? recipe.factor : { ...recipe.factor, upper: "off" };
  const factors = add({
    id: "factor.allocate",
    stage: "factor",
    options,
    inputs: { statistics: [captured] },
    follows: captured,
    aside: true,
  });
  return allocateFrom(add, recipe, allocationInputs(recipe, { segments, statistics: captured, factors }));
}

/** What `compress` reads beside the model. */
interface CompressInputs {
  /** Undefined where the solver does without. */
  readonly factors: string | undefined;
  readonly allocation: string | undefined;
  /** Whether embedding and head are among what is compressed. */
  readonly withVocabulary?: boolean;
}

/** Whether embedding and head are among what is compressed. */
export const asksForVocabulary = ({ compress: { vocabulary = "off" } }: Recipe): boolean => vocabulary !== "off";

/** One node of `compress`. */
function compressFrom(
  add: Add,
  recipe: Recipe,
  suffix: string,
  { factors, allocation, withVocabulary = false }: CompressInputs,
  part: Pick<NewNode, "isPart" | "aside" | "follows"> & { readonly rows?: string } = {},
): string {
  const { rows, ...more } = part;
  const { vocabulary, ...options } = recipe.compress;
  return add({
    id: `compress${suffix}`,
    stage: "compress",
    options: {
      model: recipe.model,
      ...options,
      ...(rows !== undefined && { rows }),
      ...(withVocabulary && vocabulary !== undefined && { vocabulary }),
    },
    inputs: {
      ...(factors !== undefined && { factors: [factors] }),
      ...(allocation !== undefined && { allocation: [allocation] }),
    },
    ...(factors !== undefined && { follows: factors }),
    ...more,
  });
}

/** How many shards the rows of some sites are worth: of small ones, fewer than the recipe has. */
function rowShards({ shards, splitsRows = false }: Recipe, sites: ModelOutline["steps"][number]["sites"]): number {
  if (!splitsRows) return 1;
  const most = sites.map(({ width, weights }) =>
    countRowShards({ rows: weights.reduce((sum, { rows }) => sum + rows, 0), columns: width }, shards),
  );
  return Math.max(1, ...most);
}

/**
 * Edits of one step or of one of its rounds of sites; returns the node that has the layers. Shards of the rows are made apart,
 * where the solver allows it.
 */
function compressRound(
  add: Add,
  recipe: Recipe,
  suffix: string,
  inputs: CompressInputs,
  sites: ModelOutline["steps"][number]["sites"],
): string {
  const count = rowShards(recipe, sites);
  if (count === 1) return compressFrom(add, recipe, suffix, inputs);
  const parts = Array.from({ length: count }, (_, index) =>
    compressFrom(add, recipe, `${suffix}.rows-${index + 1}`, inputs, {
      rows: `${index + 1}/${count}`,
      isPart: true,
      aside: true,
      // the others go to any worker that is free
      ...(index > 0 && { follows: undefined }),
    }),
  );
  return add({
    id: `join-layers${suffix}`,
    stage: "join-layers",
    section: ["shards"],
    key: "compress",
    options: {},
    inputs: { layers: parts },
  });
}

const factorsFrom = (add: Add, recipe: Recipe, suffix: string, statistics: string): string =>
  add({
    id: `factor${suffix}`,
    stage: "factor",
    options: recipe.factor,
    inputs: { statistics: [statistics] },
    follows: statistics,
  });

/** Factors and layers of all steps from the dense model's statistics: shards of the steps apart. */
function compressDense(
  add: Add,
  recipe: Recipe,
  { steps }: ModelOutline,
  { segments, statistics }: Pick<AllocationSources, "segments" | "statistics">,
): string[] {
  // an allocation looks at the factors of all steps
  const count = recipe.allocate === undefined ? Math.min(recipe.shards, steps.length) : 1;
  const isAsked = asksForVocabulary(recipe);
  if (count === 1) {
    const factors = factorsFrom(add, recipe, "", statistics);
    const sources = allocationInputs(recipe, { segments, statistics, factors });
    const allocation = allocateFrom(add, recipe, sources);
    return [compressFrom(add, recipe, "", { factors, allocation, withVocabulary: isAsked })];
  }
  return Array.from({ length: count }, (_, index) => {
    const suffix = `.steps-${index + 1}`;
    const factors = add({
      id: `factor${suffix}`,
      stage: "factor",
      options: { ...recipe.factor, steps: `${index + 1}/${count}` },
      inputs: { statistics: [statistics] },
    });
    // embedding and head come behind the last step
    const withVocabulary = isAsked && steps.length % count === index;
    return compressFrom(add, recipe, suffix, { factors, allocation: undefined, withVocabulary });
  });
}

/** Parts into which the windows are cut for evaluation, at most eight: each reads the texts and the weights of both models. */
export const windowShards = ({ shards }: Recipe): number => Math.min(shards, 8);

/** Models to score, by label. */
interface Scored {
  /** What the names of the nodes end with. */
  readonly suffix: string;
  readonly models: Readonly<Record<string, string>>;
  readonly after: readonly string[];
  readonly result?: string;
}

/** The scores of some models: shards of the windows apart. */
function scoreModels(add: Add, recipe: Recipe, section: string, { suffix, models, after, result }: Scored): void {
  const shards = windowShards(recipe);
  const options = { labels: Object.keys(models), ...recipe.evaluate, model: Object.values(models) };
  const node = { stage: "evaluate", section: [section], inputs: {}, after };
  const written = result === undefined ? {} : { result };
  if (shards === 1) {
    add({ ...node, id: `evaluate${suffix}`, options, ...written });
    return;
  }
  const parts = Array.from({ length: shards }, (_, index) =>
    add({
      ...node,
      id: `evaluate${suffix}.shard-${index + 1}`,
      options: { ...options, shard: `${index + 1}/${shards}` },
      isPart: true,
      aside: true,
    }),
  );
  add({
    id: `join-scores${suffix}`,
    stage: "join-scores",
    section: ["shards"],
    key: "evaluate",
    options: {},
    inputs: { scores: parts },
    after,
    ...written,
  });
}

/** The scores of both models, in one artifact or, of a candidate, in two. */
function evaluateFrom(add: Add, recipe: Recipe, modelFolder: string, assembled: string): void {
  const dense = { dense: recipe.model };
  const compressed = { compressed: modelFolder };
  if (recipe.isCandidate === true) {
    scoreModels(add, recipe, "quality", { suffix: ".dense", models: dense, after: [] });
    scoreModels(add, recipe, "quality", { suffix: ".compressed", models: compressed, after: [assembled] });
  } else {
    const models = { ...dense, ...compressed };
    scoreModels(add, recipe, "evaluate", { suffix: "", models, after: [assembled], result: "scores.arrow" });
  }
}

/** Options of every node that runs the model: where capture allows non-finite weights, the others must too. */
const forwardOptions = ({ model, capture: { allowNonfinite } }: Recipe): StageOptions => ({
  model,
  ...(allowNonfinite !== undefined && { allowNonfinite }),
});

const compareLanguages = (add: Add, statistics: string): string =>
  add({
    id: "similarity",
    stage: "similarity",
    options: {},
    inputs: { statistics: [statistics] },
    result: "similarity.arrow",
  });

/** What the names of a round's nodes end with: "mlp-up", or "expert-0-up+7" where it has more sites. */
function roundName([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first}+${others.length}`;
}

/** Compares languages by the input of the first step, from the states before it. */
function compareInputs(add: Add, recipe: Recipe, { steps }: ModelOutline, states: readonly string[]): void {
  const options = { ...forwardOptions(recipe), site: [inputSite] };
  const capture = { id: `capture.${at(steps, 0).name}.input`, options, aside: true };
  compareLanguages(add, captureFrom(add, recipe, capture, states).statistics);
}

const embedFrom = (add: Add, recipe: Recipe, segments: string, aside = false): string[] =>
  propagateFrom(
    add,
    recipe,
    { id: "propagate.embedding", options: forwardOptions(recipe), aside },
    () => ({ inputs: { source: [segments] } }),
    true,
  );

function planSteps(add: Add, recipe: Recipe, outline: ModelOutline, segments: string): string[] {
  const { model, denseStates = false } = recipe;
  const forward = forwardOptions(recipe);
  const all: string[] = [];
  const isAsked = asksForVocabulary(recipe);
  const allocation = allocateBeforehand(add, recipe, segments);
  let states: readonly string[] = embedFrom(add, recipe, segments);
  /** States of the uncompressed model, if the solver needs them; those of the embedding are the same in both. */
  let dense = states;
  outline.steps.forEach((step, index) => {
    const layers: string[] = [];
    /** The captures that have left the step where the next ones go on. */
    let walk: readonly string[] | undefined;
    const rounds = recipe.propagation === "true-sequential" ? outline.siteRounds(index) : [undefined];
    if (recipe.similarity && index === 0 && recipe.propagation === "true-sequential") {
      compareInputs(add, recipe, outline, states);
    }
    for (const sites of rounds) {
      const suffix = sites === undefined ? `.${step.name}` : `.${step.name}.${roundName(sites)}`;
      const options = { model, ...recipe.capture, ...(sites && { site: sites }) };
      const given: PlanNode["inputs"] = layers.length === 0 ? {} : { layers: [...layers] };
      const before = walk;
      const { statistics, captures } = captureFrom(add, recipe, { id: `capture${suffix}`, options }, states, (shard) => ({
        inputs: { ...given, ...(denseStates && { denseStates: [at(dense, shard)] }) },
        ...(before && { follows: at(before, shard) }),
      }));
      if (sites !== undefined) walk = captures;
      if (recipe.similarity && index === 0 && sites === undefined) {
        compareLanguages(add, statistics);
      }
      const factors = factorsFrom(add, recipe, suffix, statistics);
      const edited = step.sites.filter(({ name }) => sites === undefined || sites.includes(name));
      layers.push(compressRound(add, recipe, suffix, { factors, allocation }, edited));
    }
    all.push(...layers);
    const isLast = index === outline.steps.length - 1;
    // Only the head reads the states after the last step.
    if (!isLast || isAsked) {
      const [before, beforeDense, held] = [states, dense, walk];
      const following = (shard: number): Pick<PlanNode, "follows"> => (held === undefined ? {} : { follows: at(held, shard) });
      if (denseStates && !isLast) {
        dense = propagateFrom(add, recipe, { id: `propagate.dense.${step.name}`, options: forward }, (shard) => ({
          inputs: { source: [at(beforeDense, shard)] },
          ...following(shard),
        }));
      }
      states = propagateFrom(add, recipe, { id: `propagate.${step.name}`, options: forward }, (shard) => ({
        inputs: { source: [at(before, shard)], layers },
        ...following(shard),
      }));
    }
  });
  // of types it says which mixture embedding and head take
  const ofVocabulary = allocatesTypes(recipe) ? allocation : undefined;
  if (isAsked) all.push(planVocabulary(add, recipe, outline, { segments, states, allocation: ofVocabulary }));
  return all;
}

/** Embedding and head, from the states after the last step and the tokens of the segments. */
function planVocabulary(
  add: Add,
  recipe: Recipe,
  { vocabulary }: ModelOutline,
  {
    segments,
    states,
    allocation,
  }: { readonly segments: string; readonly states: readonly string[]; readonly allocation: string | undefined },
): string {
  if (vocabulary === undefined) throw new InternalError("the recipe compresses a vocabulary that the model does not have");
  const suffix = `.${vocabulary.name}`;
  const { site: _, ...capture } = recipe.capture;
  const options = { model: recipe.model, ...capture };
  const { statistics } = captureFrom(add, recipe, { id: `capture${suffix}`, options }, states, () => ({
    inputs: { segments: [segments] },
  }));
  const factors = factorsFrom(add, recipe, suffix, statistics);
  return compressRound(add, recipe, suffix, { factors, allocation, withVocabulary: true }, vocabulary.sites);
}

/** All layers at once, of a solver that needs no statistics. The model is run only for what else the recipe asks for. */
function planWithoutFactors(add: Add, recipe: Recipe, outline: ModelOutline, segments: string): string {
  if (recipe.similarity) {
    compareInputs(add, recipe, outline, embedFrom(add, recipe, segments, true));
  }
  const allocation = allocateBeforehand(add, recipe, segments);
  return compressFrom(add, recipe, "", { factors: undefined, allocation, withVocabulary: true });
}

/** The error on a source that the recipe does not have, or that comes later. */
function unknownSource({ locate, stages }: Recipe, path: readonly string[], key: string, known: readonly string[]): UsageError {
  const where = locate?.(path) ?? "recipe";
  const problem = stages.has(key) ? "which comes later; put it above this entry" : `and this recipe has ${known.join(", ")}`;
  return new UsageError(`${where}: ${path.join(".")} names ${quoted(key)}, ${problem}`, { key: path.join(".") });
}

/**
 * The stage runs of a recipe, and what is wrong with the sources that its entries of `stages` name; wrong sources are left out.
 *
 * @param outline steps and sites of the model
 * @param modelFolder path of the compressed model
 */
export function planWithFaults(recipe: Recipe, outline: ModelOutline, modelFolder: string): { plan: Plan; faults: UsageError[] } {
  const nodes: PlanNode[] = [];
  const faults: UsageError[] = [];
  /** What an entry of `stages` may read: ids of nodes by key of the recipe, or by name of an earlier entry. */
  const sources = new Map<string, string[]>();
  const add: Add = ({ aside = false, key, ...node }) => {
    const { id, stage, section = [stage] } = node;
    nodes.push({ after: [], ...node, section });
    const source = key ?? (section[0] === "stages" ? id : stage);
    if (!aside) sources.set(source, [...(sources.get(source) ?? []), id]);
    return id;
  };
  const { model, corpus } = recipe;
  const segments = add({ id: "sample", stage: "sample", options: { model, corpus, ...recipe.sample }, inputs: {} });
  let layers: string[];
  if (recipe.compress["withoutFactors"] === true) {
    layers = [planWithoutFactors(add, recipe, outline, segments)];
  } else if (recipe.propagation === "dense") {
    const options = { model, ...recipe.capture, ...(asksForVocabulary(recipe) && { vocabulary: true }) };
    const { statistics } = captureFrom(add, recipe, { id: "capture", options }, segments);
    if (recipe.similarity) compareLanguages(add, statistics);
    layers = compressDense(add, recipe, outline, { segments, statistics });
  } else {
    layers = planSteps(add, recipe, outline, segments);
  }
  const assembled = add({ id: "assemble", stage: "assemble", options: { model, ...recipe.assemble }, inputs: { layers } });
  if (recipe.evaluate !== undefined) evaluateFrom(add, recipe, modelFolder, assembled);
  for (const [name, { stage, inputs, options }] of recipe.stages) {
    const read = Object.entries(inputs).map(([input, keys]): [string, readonly string[]] => [
      input,
      keys.flatMap((key) => {
        const ids = sources.get(key);
        if (ids === undefined) faults.push(unknownSource(recipe, ["stages", name, "inputs", input], key, [...sources.keys()]));
        return ids ?? [];
      }),
    ]);
    const section = ["stages", name, "options"];
    add({ id: name, stage, section, options, inputs: Object.fromEntries(read), after: [assembled], result: `${name}.arrow` });
  }
  return { plan: { nodes, modelFolder }, faults };
}

/**
 * The stage runs of a recipe, as planWithFaults.
 *
 * @throws {UsageError} on entries of `stages` that read what the recipe does not have
 */
export function planRun(recipe: Recipe, outline: ModelOutline, modelFolder: string): Plan {
  const { plan, faults } = planWithFaults(recipe, outline, modelFolder);
  throwFaults(faults);
  return plan;
}

/** Puts the line of the recipe in front of an error of the solver's options. */
const locating = <Answer>(recipe: Recipe, answer: Promise<Answer>): Promise<Answer> =>
  answer.catch((error: unknown) => {
    throw error instanceof UsageError ? located(error, ["compress"], recipe) : error;
  });

/**
 * Options with which capture mixes the languages' Grams itself: factor needs the mix alone, and after steps that are compressed
 * with one mix no other can use them. Grams of the dense model stay apart, for other mixes.
 */
function pooledGrams({ propagation, keep, capture, factor }: Recipe): StageOptions {
  const isOther = capture["mix"] !== undefined && factor["mix"] !== undefined && capture["mix"] !== factor["mix"];
  return propagation === "dense" || keep || isOther ? {} : { grams: "pooled" };
}

/**
 * Options of capture with the mix of factor, where capture pools Grams and has none.
 *
 * @throws {UsageError} where both have one, and they differ
 */
function withMixOfFactor(capture: StageOptions, { factor: { mix }, locate }: Recipe): StageOptions {
  const { grams, statistics, mix: own } = capture;
  if (grams !== "pooled" || statistics === "diagonal" || typeof mix !== "string") return capture;
  if (own === undefined) return { ...capture, mix };
  if (typeof own === "string" && own !== mix && !areProportional(parseLanguageMix(own), parseLanguageMix(mix))) {
    throw new UsageError(
      `${locate?.(["factor", "mix"]) ?? "recipe"}: factor takes another mix than capture, which pools the Grams in its own; give both the same, or capture: { grams: languages }`,
    );
  }
  return capture;
}

/** Whether an entry of `stages` reads what has one of the keys. */
function isRead({ stages }: Recipe, keys: readonly string[]): boolean {
  const read = new Set([...stages.values()].flatMap(({ inputs }) => Object.values(inputs).flat()));
  return keys.some((key) => read.has(key));
}

/**
 * Options that keep a run to the statistics that its solver needs, where the recipe does not say otherwise. Entries of `stages`
 * that read statistics get all of them, as from any other solver.
 */
function leastStatistics(needs: readonly StatisticName[], recipe: Recipe): Pick<Recipe, "capture" | "factor" | "compress"> {
  if (isRead(recipe, ["capture", "factor", "propagate"])) return { capture: {}, factor: {}, compress: {} };
  const isDiagonal = needs.every((need) => need === "diagonal" || need === "languageDiagonals");
  return {
    capture: isDiagonal ? { statistics: "diagonal" } : pooledGrams(recipe),
    factor: needs.includes("factor") ? {} : { upper: "off" },
    compress: needs.length === 0 ? { withoutFactors: true } : {},
  };
}

/** Whether a router chooses which tokens a site reads, which are others in the compressed model than in the dense one. */
const hasExperts = ({ steps }: ModelOutline): boolean =>
  steps.some(({ sites }) => sites.some(({ name }) => /^expert-\d/.test(name)));

/** The stage that writes the model. */
export const writerOf = (stages: Stages): Stage | undefined => stages.get("assemble");

/** The mixture of GGUF types that the recipe's format writes, unless its options of grids say otherwise. */
async function writtenMixture(recipe: Recipe, stages: Stages, { options }: Solver, given: StageOptions) {
  const { excludes = [] } = options["mixture"] ?? {};
  if (Object.keys(given).some((name) => excludes.includes(name) || name === "grid" || name === "mixture")) return undefined;
  return writerOf(stages)?.writtenMixture?.(recipe.assemble);
}

/**
 * Completes a recipe: which statistics its solver needs, options of `factor` that the solver and an allocation need, whether
 * the dense model's states are computed too, and options of the solver that follow from others, the format or the model.
 *
 * @throws {UsageError} on an unknown solver, format or option, or a solver that compares with the dense model in dense propagation
 */
export async function withSolverNeeds(recipe: Recipe, stages: Stages, outline: ModelOutline): Promise<Recipe> {
  const { solver: name, ...given } = recipe.compress;
  const locate = (keys: readonly string[]): string => recipe.locate?.(keys) ?? "recipe";
  if (typeof name !== "string") throw new UsageError(`${locate(["compress", "solver"])}: solver takes a name`);
  const { solver, options: parsed } = await locating(recipe, readSolver(name, given));
  if (asksForVocabulary(recipe) && outline.vocabulary === undefined) {
    throw new UsageError(
      `${locate(["compress", "vocabulary"])}: embedding and head of an ONNX model or an encoder-decoder are not compressed; leave out vocabulary`,
    );
  }
  const zeroPoints = (await writerOf(stages)?.preferredZeroPoints?.(recipe.assemble)) ?? "any";
  const crossMoments = recipe.propagation !== "dense" && !hasExperts(outline);
  const mixture = allocatesBits(recipe) ? undefined : await writtenMixture(recipe, stages, solver, given);
  const setting = { zeroPoints, mixture, crossMoments };
  const allocate = await withChoices(recipe, writerOf(stages));
  const choices = allocatesBits(recipe) ? choosable({ ...(allocate && { allocate }) }) : [];
  const isOfTypes = allocatesBits(recipe) && allocate?.["types"] !== undefined;
  if (isOfTypes) requireTypes(recipe, solver);
  const own = isOfTypes ? withoutGroups(solver, parsed) : parsed;
  const defaults = allocatesBits(recipe)
    ? sharedDefaults(solver, own, setting, choices)
    : dependentDefaults(solver, own, setting);
  const options = { ...own, ...defaults };
  const needs = solver.reads?.(options) ?? solver.needs;
  const denseStates = needs.includes("crossMoment");
  if (denseStates && recipe.propagation === "dense") {
    throw new UsageError(
      `${locate(["propagation"])}: ${solver.name} compares with the dense model, and with dense propagation all inputs are the dense model's; take propagation: sequential, or solver: gptq without qep, which is the same there`,
      { solver: solver.name },
    );
  }
  const least = leastStatistics(needs, recipe);
  // other readers of the statistics, such as imatrix, want inputs as they are
  const normalises = solver.prefersNormalisedTokens === true && !isRead(recipe, ["capture"]);
  const preferred = normalises ? { normaliseTokens: true } : {};
  const factor = { ...least.factor, ...factorOptionsFor(solver, { ...options, ...middleOf(choices) }, recipe.factor) };
  const isSparsity = recipe.allocate !== undefined && !allocatesBits(recipe);
  // what damage is measured with may be too
  const grid = allocatesBits(recipe) && !isOfTypes ? { groupSize: options["groupSize"] } : {};
  const completed = {
    ...recipe,
    denseStates,
    capture: withMixOfFactor({ ...preferred, ...least.capture, ...recipe.capture }, recipe),
    ...(allocate && { allocate }),
    factor: isSparsity ? { ...factor, languageDiagonals: true } : factor,
    compress: { ...grid, ...least.compress, ...recipe.compress, ...defaults },
  };
  const { codes } = await plannedLayers(representative(completed));
  return { ...completed, splitsRows: await canSplitRows(solver), layerForm: typeof codes === "string" ? codes : "codes" };
}

/**
 * What is known of the layers before the run.
 *
 * @param recipe completed by withSolverNeeds
 *
 * @throws {UsageError} where the solver refuses its options
 */
export async function plannedLayers(recipe: Recipe): Promise<PlannedLayers> {
  const { solver: name, vocabulary = "off", ...given } = recipe.compress;
  const ask = async (): Promise<PlannedLayers> => {
    const { solver, options } = await readSolver(String(name), given);
    const order = typeof recipe.factor["order"] === "string" ? recipe.factor["order"] : "natural";
    const codes = plannedCodesOf(solver, options, order);
    const own = vocabularyOptions(solver, options, String(vocabulary));
    return { solver: solver.name, codes, ...(own && { vocabulary: plannedCodesOf(solver, own, order) }) };
  };
  return locating(recipe, ask());
}
