import { allocatesBits, allocatesEmbeddings, allocatesTypes, capturesBeforehand } from "../../recipe/decided-recipe.ts";
import type { PlannableRecipe } from "../../recipe/decided-recipe.ts";
import { captureFrom } from "./capture-nodes.ts";
import type { Add, PlanNode } from "./plan-node.ts";

/** What an allocation is made from. */
export interface AllocationSources {
  readonly segments: string;
  readonly statistics: string;
  readonly factors: string;
}

/** Inputs of an allocation; none where its method reads none. */
export function allocationInputs(
  { decisions: { allocation } }: PlannableRecipe,
  { segments, statistics, factors }: AllocationSources,
): PlanNode["inputs"] {
  if (allocation?.statistics === "none") return {};
  return {
    factors: [factors],
    ...(allocation?.statistics === "gram" && { statistics: [statistics] }),
    ...(allocation?.segments === true && { segments: [segments] }),
  };
}

/** The sparsity of each block, or the bits or type of each tensor; undefined where the recipe does not ask for it. */
export function allocateFrom(add: Add, recipe: PlannableRecipe, inputs: PlanNode["inputs"]): string | undefined {
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
 * The same where the factors of all blocks are not there: with sequential propagation, since statistics of later blocks are not
 * there yet, or where the solver needs none. It comes from a separate capture of the dense model, if the method reads any.
 */
export function allocateBeforehand(add: Add, recipe: PlannableRecipe, segments: string): string | undefined {
  if (!capturesBeforehand(recipe)) return allocateFrom(add, recipe, {});
  const isGram = recipe.decisions.allocation?.statistics === "gram";
  const least = isGram ? { statistics: "gram", grams: "languages" } : { statistics: "diagonal" };
  const ofEmbeddings = isGram && allocatesEmbeddings(recipe) ? { embeddings: true } : {};
  const statistics = { model: recipe.model, ...recipe.capture, ...least, ...ofEmbeddings };
  const { statistics: captured } = captureFrom(
    add,
    recipe,
    { id: "capture.allocate", options: statistics, isSide: true },
    segments,
  );
  const options = isGram ? recipe.factor : { ...recipe.factor, upper: "off" };
  const factors = add({
    id: "factor.allocate",
    stage: "factor",
    options,
    inputs: { statistics: [captured] },
    affinity: captured,
    isSide: true,
  });
  return allocateFrom(add, recipe, allocationInputs(recipe, { segments, statistics: captured, factors }));
}
