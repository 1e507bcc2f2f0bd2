import { inputSite } from "@mbs/artifacts";
import type { Recipe } from "../recipe/recipe.ts";
import type { StageOptions } from "@mbs/contracts";

/** The shape of a model, as far as a plan needs it. */
export interface ModelOutline {
  readonly steps: readonly { readonly name: string; readonly sites: readonly { readonly name: string }[] }[];
}

/** One stage run on artifacts. */
export interface PlanNode {
  /** Unique in the plan: "capture.h.0". */
  readonly id: string;
  readonly stage: string;
  readonly options: StageOptions;
  /** Name of the stage's input → ids of the nodes whose outputs it reads. The first is the command's standard input. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Ids of nodes that must be done though their outputs are not read as artifacts. */
  readonly after: readonly string[];
  /** File of the output folder that its output is copied to at the end of the run; absent where it stays among the artifacts. */
  readonly result?: string;
}

/** The graph of stage runs, each node after all that it reads. */
export interface Plan {
  readonly nodes: readonly PlanNode[];
  /** Folder of the compressed model. */
  readonly modelFolder: string;
}

type Add = (node: Omit<PlanNode, "after"> & { after?: readonly string[] }) => string;

/** The sparsity of each step from the factors of all; undefined where the recipe does not ask for it. */
function allocateFrom(add: Add, { model, allocate, compress }: Recipe, factors: string): string | undefined {
  if (allocate === undefined) return undefined;
  const { sparsity, allowNonfinite } = compress;
  return add({
    id: "allocate",
    stage: "allocate",
    options: { model, ...allocate, sparsity, allowNonfinite },
    inputs: { factors: [factors] },
  });
}

/**
 * The same where steps follow each other: no step can know the later ones, so the sparsity of all comes from the dense model,
 * from a capture of its own.
 */
function allocateBeforehand(add: Add, recipe: Recipe, segments: string): string | undefined {
  if (recipe.allocate === undefined) return undefined;
  const capture = add({
    id: "capture.allocate",
    stage: "capture",
    options: { model: recipe.model, ...recipe.capture, statistics: "diagonal" },
    inputs: { source: [segments] },
  });
  const options = { ...recipe.factor, upper: "off" };
  const factors = add({ id: "factor.allocate", stage: "factor", options, inputs: { statistics: [capture] } });
  return allocateFrom(add, recipe, factors);
}

/** Edits of one step, of one of its sites, or of all steps; returns the node that makes the layers. */
const compressFrom = (add: Add, recipe: Recipe, suffix: string, factors: string, allocation: string | undefined): string =>
  add({
    id: `compress${suffix}`,
    stage: "compress",
    options: { model: recipe.model, ...recipe.compress },
    inputs: { factors: [factors], ...(allocation === undefined ? {} : { allocation: [allocation] }) },
  });

const factorsFrom = (add: Add, recipe: Recipe, suffix: string, capture: string): string =>
  add({ id: `factor${suffix}`, stage: "factor", options: recipe.factor, inputs: { statistics: [capture] } });

/** What every node needs that runs the model: what capture may pass over, the others must too. */
const forwardOptions = ({ model, capture: { allowNonfinite } }: Recipe): StageOptions => ({
  model,
  ...(allowNonfinite !== undefined && { allowNonfinite }),
});

const compareLanguages = (add: Add, capture: string): string =>
  add({
    id: "similarity",
    stage: "similarity",
    options: {},
    inputs: { statistics: [capture] },
    result: "similarity.arrow",
  });

function planSteps(add: Add, recipe: Recipe, outline: ModelOutline, segments: string): string[] {
  const { model, denseStates = false } = recipe;
  const forward = forwardOptions(recipe);
  const all: string[] = [];
  const allocation = allocateBeforehand(add, recipe, segments);
  let states = add({ id: "propagate.embedding", stage: "propagate", options: forward, inputs: { source: [segments] } });
  /** Where they are asked for, the states of the uncompressed model; the embedding's are the same. */
  let dense = states;
  outline.steps.forEach((step, index) => {
    const layers: string[] = [];
    const sites = recipe.propagation === "true-sequential" ? step.sites.map(({ name }) => name) : [undefined];
    if (recipe.similarity && index === 0 && recipe.propagation === "true-sequential") {
      const capture = add({
        id: `capture.${step.name}.input`,
        stage: "capture",
        options: { ...forward, site: [inputSite] },
        inputs: { source: [states] },
      });
      compareLanguages(add, capture);
    }
    for (const site of sites) {
      const suffix = site === undefined ? `.${step.name}` : `.${step.name}.${site}`;
      const capture = add({
        id: `capture${suffix}`,
        stage: "capture",
        options: site === undefined ? { model, ...recipe.capture } : { model, ...recipe.capture, site: [site] },
        inputs: {
          source: [states],
          ...(layers.length === 0 ? {} : { layers: [...layers] }),
          ...(denseStates && { denseStates: [dense] }),
        },
      });
      if (recipe.similarity && index === 0 && site === undefined) {
        compareLanguages(add, capture);
      }
      layers.push(compressFrom(add, recipe, suffix, factorsFrom(add, recipe, suffix, capture), allocation));
    }
    all.push(...layers);
    // The states after the last step feed nothing.
    if (index < outline.steps.length - 1) {
      if (denseStates) {
        dense = add({ id: `propagate.dense.${step.name}`, stage: "propagate", options: forward, inputs: { source: [dense] } });
      }
      states = add({
        id: `propagate.${step.name}`,
        stage: "propagate",
        options: forward,
        inputs: { source: [states], layers },
      });
    }
  });
  return all;
}

/**
 * The stage runs of a recipe.
 *
 * @param outline steps and sites of the model
 * @param modelFolder where the compressed model will lie
 */
export function planRun(recipe: Recipe, outline: ModelOutline, modelFolder: string): Plan {
  const nodes: PlanNode[] = [];
  const add: Add = (node) => {
    nodes.push({ after: [], ...node });
    return node.id;
  };
  const { model, corpus } = recipe;
  const segments = add({ id: "sample", stage: "sample", options: { model, corpus, ...recipe.sample }, inputs: {} });
  let layers: string[];
  if (recipe.propagation === "dense") {
    const capture = add({
      id: "capture",
      stage: "capture",
      options: { model, ...recipe.capture },
      inputs: { source: [segments] },
    });
    if (recipe.similarity) compareLanguages(add, capture);
    const factors = factorsFrom(add, recipe, "", capture);
    layers = [compressFrom(add, recipe, "", factors, allocateFrom(add, recipe, factors))];
  } else {
    layers = planSteps(add, recipe, outline, segments);
  }
  const assembled = add({ id: "assemble", stage: "assemble", options: { model, ...recipe.assemble }, inputs: { layers } });
  if (recipe.evaluate !== undefined) {
    add({
      id: "evaluate",
      stage: "evaluate",
      options: { labels: ["dense", "compressed"], ...recipe.evaluate, model: [model, modelFolder] },
      inputs: {},
      after: [assembled],
      result: "scores.arrow",
    });
  }
  return { nodes, modelFolder };
}
