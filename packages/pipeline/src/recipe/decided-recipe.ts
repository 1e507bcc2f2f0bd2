import type { AllocationNeeds, Grid, PlannedLayers, Solver } from "@mbs/contracts";
import type { Recipe } from "./recipe.ts";

/** A recipe on its way to a run, which may have made its model, or try it as one of several. */
export interface RunRecipe extends Recipe {
  /** The model as it was given, where `model` is what `trim` and `rotate` have made of it. */
  readonly source?: string;
  /** True for a candidate of a search: dense and compressed model are scored apart, so that the dense one is scored once. */
  readonly isCandidate?: boolean;
}

/** What the nodes of a plan follow from, beside the recipe. */
export interface PlanDecisions {
  /** What the method of `allocate` chooses and reads; absent where nothing is allocated. */
  readonly allocation?: AllocationNeeds | undefined;
  /** Whether the dense model's states are computed too. */
  readonly denseStates: boolean;
  /** Whether compress can make the rows of a site apart. */
  readonly splitsRows: boolean;
}

/** A recipe of which nodes can be planned. */
export interface PlannableRecipe extends RunRecipe {
  readonly decisions: PlanDecisions;
}

/** What follows from a recipe with its solver, its format and its model: worked out once, before the run. */
export interface Decisions extends PlanDecisions {
  readonly solver: Solver;
  /** Of the solver, parsed, with what follows from format and model. */
  readonly options: Parameters<Solver["solve"]>[2];
  /** What weights may be rounded to, at least one: the one grid, or those that an allocation chooses from. */
  readonly grids: readonly Grid[];
  /** What is known of the layers before the run, of each of the grids. */
  readonly layers: readonly PlannedLayers[];
}

/** A recipe with all options that solver, format and model decide. */
export interface DecidedRecipe extends RunRecipe {
  readonly decisions: Decisions;
}

/** Whether an allocation is of bits or types of each tensor, not of sparsity: of a recipe with what its method needs. */
export const allocatesBits = ({ decisions: { allocation } }: PlannableRecipe): boolean => allocation?.chooses === "bits";

/**
 * Whether an allocation has a capture of the dense model for itself: where it reads statistics of all blocks, and those that
 * the solver needs are of compressed blocks, or there are none.
 */
export const capturesBeforehand = ({ allocate, decisions, propagation, compress }: PlannableRecipe): boolean =>
  allocate !== undefined &&
  decisions.allocation?.statistics !== "none" &&
  (propagation !== "dense" || compress["withoutFactors"] === true);

/** Whether it is of quantisation types of GGUF; of a recipe completed for its format. */
export const allocatesTypes = (recipe: PlannableRecipe): boolean =>
  allocatesBits(recipe) && recipe.allocate?.["types"] !== undefined;

/** Whether the types of embedding and head are chosen too; of a recipe completed for its format. */
export const allocatesEmbeddings = (recipe: PlannableRecipe): boolean =>
  allocatesTypes(recipe) && recipe.allocate?.["embeddings"] === "on";

/** The one of several grids, or of what is known of each, that stands for all where one must: the middle one. */
export const middleOf = <Choice>(choices: readonly Choice[]): Choice | undefined => choices[Math.floor(choices.length / 2)];
