import { basename } from "node:path";
import { at, InternalError, quoted, UsageError } from "@mbs/contracts";
import { throwFaults } from "../recipe/faults.ts";
import { allocatesTypes } from "../recipe/decided-recipe.ts";
import type { PlannableRecipe, RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { allocateBeforehand } from "./nodes/allocation-nodes.ts";
import { captureFrom, compareInputs, compareLanguages, embedFrom, forwardOptions, propagateFrom } from "./nodes/capture-nodes.ts";
import { asksForEmbeddings, compressDense, compressFrom, compressRound, factorsFrom } from "./nodes/compression-nodes.ts";
import { evaluateFrom } from "./nodes/evaluation-nodes.ts";
import type { Add, ModelOutline, Plan, PlanNode } from "./nodes/plan-node.ts";

/** What the names of a round's nodes end with: "mlp-up", or "expert-0-up+7" where it has more sites. */
function roundName([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first}+${others.length}`;
}

function planBlocks(add: Add, recipe: PlannableRecipe, outline: ModelOutline, segments: string): string[] {
  const {
    model,
    decisions: { denseStates },
  } = recipe;
  const forward = forwardOptions(recipe);
  const all: string[] = [];
  const isAsked = asksForEmbeddings(recipe);
  const allocation = allocateBeforehand(add, recipe, segments);
  let states: readonly string[] = embedFrom(add, recipe, segments);
  /** States of the uncompressed model, if the solver needs them; those of the embedding are the same in both. */
  let dense = states;
  outline.blocks.forEach((block, index) => {
    const layers: string[] = [];
    /** The captures that have left the block where the next ones go on. */
    let walk: readonly string[] | undefined;
    const rounds = recipe.propagation === "true-sequential" ? outline.siteRounds(index) : [undefined];
    if (recipe.similarity && index === 0 && recipe.propagation === "true-sequential") {
      compareInputs(add, recipe, outline, states);
    }
    for (const sites of rounds) {
      const suffix = sites === undefined ? `.${block.name}` : `.${block.name}.${roundName(sites)}`;
      const options = { model, ...recipe.capture, ...(sites && { site: sites }) };
      const given: PlanNode["inputs"] = layers.length === 0 ? {} : { layers: [...layers] };
      const before = walk;
      const { statistics, captures } = captureFrom(add, recipe, { id: `capture${suffix}`, options }, states, (shard) => ({
        inputs: { ...given, ...(denseStates && { denseStates: [at(dense, shard)] }) },
        ...(before && { affinity: at(before, shard) }),
      }));
      if (sites !== undefined) walk = captures;
      if (recipe.similarity && index === 0 && sites === undefined) {
        compareLanguages(add, statistics);
      }
      const factors = factorsFrom(add, recipe, suffix, statistics);
      const edited = block.sites.filter(({ name }) => sites === undefined || sites.includes(name));
      layers.push(compressRound(add, recipe, suffix, { factors, allocation }, edited));
    }
    all.push(...layers);
    const isLast = index === outline.blocks.length - 1;
    // Only the head reads the states after the last block.
    if (!isLast || isAsked) {
      const [before, beforeDense, held] = [states, dense, walk];
      const following = (shard: number): Pick<PlanNode, "affinity"> => (held === undefined ? {} : { affinity: at(held, shard) });
      if (denseStates && !isLast) {
        dense = propagateFrom(add, recipe, { id: `propagate.dense.${block.name}`, options: forward }, (shard) => ({
          inputs: { source: [at(beforeDense, shard)] },
          ...following(shard),
        }));
      }
      states = propagateFrom(add, recipe, { id: `propagate.${block.name}`, options: forward }, (shard) => ({
        inputs: { source: [at(before, shard)], layers },
        ...following(shard),
      }));
    }
  });
  // of types it says which type mix embedding and head take
  const ofEmbeddings = allocatesTypes(recipe) ? allocation : undefined;
  if (isAsked) all.push(planEmbeddings(add, recipe, outline, { segments, states, allocation: ofEmbeddings }));
  return all;
}

/** Embedding and head, from the states after the last block and the tokens of the segments. */
function planEmbeddings(
  add: Add,
  recipe: PlannableRecipe,
  { embeddings }: ModelOutline,
  {
    segments,
    states,
    allocation,
  }: { readonly segments: string; readonly states: readonly string[]; readonly allocation: string | undefined },
): string {
  if (embeddings === undefined)
    throw new InternalError("the recipe compresses embedding and head, which the model does not have");
  const suffix = `.${embeddings.name}`;
  const { site: _, ...capture } = recipe.capture;
  const options = { model: recipe.model, ...capture };
  const { statistics } = captureFrom(add, recipe, { id: `capture${suffix}`, options }, states, () => ({
    inputs: { segments: [segments] },
  }));
  const factors = factorsFrom(add, recipe, suffix, statistics);
  return compressRound(add, recipe, suffix, { factors, allocation, withEmbeddings: true }, embeddings.sites);
}

/** All layers at once, of a solver that needs no statistics. The model is run only for what else the recipe asks for. */
function planWithoutFactors(add: Add, recipe: PlannableRecipe, outline: ModelOutline, segments: string): string {
  if (recipe.similarity) {
    compareInputs(add, recipe, outline, embedFrom(add, recipe, segments, true));
  }
  const allocation = allocateBeforehand(add, recipe, segments);
  return compressFrom(add, recipe, "", { factors: undefined, allocation, withEmbeddings: true });
}

/** What a model is called that was made of another one: as that, not as its own folder. */
function nameOfSource({ source }: RunRecipe): { readonly name?: string; readonly baseModel?: string } {
  if (source === undefined) return {};
  const onHub = /^hf:([^@?/]+\/[^@?]+)/.exec(source)?.[1];
  return onHub === undefined ? { name: basename(source) } : { baseModel: onHub };
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
 * @param outline blocks and sites of the model
 * @param modelFolder path of the compressed model
 */
export function planWithFaults(
  recipe: PlannableRecipe,
  outline: ModelOutline,
  modelFolder: string,
): { plan: Plan; faults: UsageError[] } {
  const nodes: PlanNode[] = [];
  const faults: UsageError[] = [];
  /** What an entry of `stages` may read: ids of nodes by key of the recipe, or by name of an earlier entry. */
  const sources = new Map<string, string[]>();
  const add: Add = ({ isSide = false, key, ...node }) => {
    const { id, stage, section = [stage] } = node;
    nodes.push({ after: [], ...node, section });
    const source = key ?? (section[0] === "stages" ? id : stage);
    if (!isSide) sources.set(source, [...(sources.get(source) ?? []), id]);
    return id;
  };
  const { model, corpus } = recipe;
  const segments = add({ id: "sample", stage: "sample", options: { model, corpus, ...recipe.sample }, inputs: {} });
  let layers: string[];
  if (recipe.compress["withoutFactors"] === true) {
    layers = [planWithoutFactors(add, recipe, outline, segments)];
  } else if (recipe.propagation === "dense") {
    const options = { model, ...recipe.capture, ...(asksForEmbeddings(recipe) && { embeddings: true }) };
    const { statistics } = captureFrom(add, recipe, { id: "capture", options }, segments);
    if (recipe.similarity) compareLanguages(add, statistics);
    layers = compressDense(add, recipe, outline, { segments, statistics });
  } else {
    layers = planBlocks(add, recipe, outline, segments);
  }
  const assembled = add({
    id: "assemble",
    stage: "assemble",
    options: {
      model,
      ...nameOfSource(recipe),
      ...recipe.assemble,
      // what compress leaves as it is has to be written as it is
      ...(recipe.compress["allowNonfinite"] === true && { allowNonfinite: true }),
    },
    inputs: { layers },
  });
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
  return { plan: { nodes, modelFolder, blocks: outline.blocks.map(({ name }) => name) }, faults };
}

/**
 * The stage runs of a recipe, as planWithFaults.
 *
 * @throws {UsageError} on entries of `stages` that read what the recipe does not have
 */
export function planRun(recipe: PlannableRecipe, outline: ModelOutline, modelFolder: string): Plan {
  const { plan, faults } = planWithFaults(recipe, outline, modelFolder);
  throwFaults(faults);
  return plan;
}
