import { countRowShards } from "@mbs/solvers";
import type { PlannableRecipe } from "../../recipe/decided-recipe.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import { allocateFrom, allocationInputs } from "./allocation-nodes.ts";
import type { AllocationSources } from "./allocation-nodes.ts";
import type { Add, ModelOutline, NewNode } from "./plan-node.ts";

/** What `compress` reads beside the model. */
interface CompressInputs {
  /** Undefined where the solver does without. */
  readonly factors: string | undefined;
  readonly allocation: string | undefined;
  /** Whether embedding and head are among what is compressed. */
  readonly withEmbeddings?: boolean;
}

/** Whether embedding and head are among what is compressed. */
export const asksForEmbeddings = ({ compress: { embeddings = "off" } }: Recipe): boolean => embeddings !== "off";

/** One node of `compress`. */
export function compressFrom(
  add: Add,
  recipe: Recipe,
  suffix: string,
  { factors, allocation, withEmbeddings = false }: CompressInputs,
  part: Pick<NewNode, "isPart" | "isSide" | "affinity"> & { readonly rows?: string } = {},
): string {
  const { rows, ...more } = part;
  const { embeddings, ...options } = recipe.compress;
  return add({
    id: `compress${suffix}`,
    stage: "compress",
    options: {
      model: recipe.model,
      ...options,
      ...(rows !== undefined && { rows }),
      ...(withEmbeddings && embeddings !== undefined && { embeddings }),
    },
    inputs: {
      ...(factors !== undefined && { factors: [factors] }),
      ...(allocation !== undefined && { allocation: [allocation] }),
    },
    ...(factors !== undefined && { affinity: factors }),
    ...more,
  });
}

/** How many shards the rows of some sites are worth: of small ones, fewer than the recipe has. */
function rowShards({ shards, decisions }: PlannableRecipe, sites: ModelOutline["blocks"][number]["sites"]): number {
  if (!decisions.splitsRows) return 1;
  const most = sites.map(({ width, weights }) =>
    countRowShards({ rows: weights.reduce((sum, { rows }) => sum + rows, 0), columns: width }, shards),
  );
  return Math.max(1, ...most);
}

/**
 * Edits of one block or of one of its rounds of sites; returns the node that has the layers. Shards of the rows are made apart,
 * where the solver allows it.
 */
export function compressRound(
  add: Add,
  recipe: PlannableRecipe,
  suffix: string,
  inputs: CompressInputs,
  sites: ModelOutline["blocks"][number]["sites"],
): string {
  const count = rowShards(recipe, sites);
  if (count === 1) return compressFrom(add, recipe, suffix, inputs);
  const parts = Array.from({ length: count }, (_, index) =>
    compressFrom(add, recipe, `${suffix}.rows-${index + 1}`, inputs, {
      rows: `${index + 1}/${count}`,
      isPart: true,
      isSide: true,
      // the others go to any worker that is free
      ...(index > 0 && { affinity: undefined }),
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

export const factorsFrom = (add: Add, recipe: Recipe, suffix: string, statistics: string): string =>
  add({
    id: `factor${suffix}`,
    stage: "factor",
    options: recipe.factor,
    inputs: { statistics: [statistics] },
    affinity: statistics,
  });

/** Factors and layers of all blocks from the dense model's statistics: shards of the blocks apart. */
export function compressDense(
  add: Add,
  recipe: PlannableRecipe,
  { blocks }: ModelOutline,
  { segments, statistics }: Pick<AllocationSources, "segments" | "statistics">,
): string[] {
  // an allocation looks at the factors of all blocks
  const count = recipe.allocate === undefined ? Math.min(recipe.shards, blocks.length) : 1;
  const isAsked = asksForEmbeddings(recipe);
  if (count === 1) {
    const factors = factorsFrom(add, recipe, "", statistics);
    const sources = allocationInputs(recipe, { segments, statistics, factors });
    const allocation = allocateFrom(add, recipe, sources);
    return [compressFrom(add, recipe, "", { factors, allocation, withEmbeddings: isAsked })];
  }
  return Array.from({ length: count }, (_, index) => {
    const suffix = `.blocks-${index + 1}`;
    const factors = add({
      id: `factor${suffix}`,
      stage: "factor",
      options: { ...recipe.factor, blocks: `${index + 1}/${count}` },
      inputs: { statistics: [statistics] },
    });
    // embedding and head come behind the last block
    const withEmbeddings = isAsked && blocks.length % count === index;
    return compressFrom(add, recipe, suffix, { factors, allocation: undefined, withEmbeddings });
  });
}
