import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { Grid, HeldGrids, Stage, StageOptions, AllocationNeeds } from "@mbs/contracts";
import { ggufGrids } from "@mbs/gguf";
import { codeBits } from "@mbs/numbers";
import type { Model } from "@mbs/models";
import { groupGrid, sharedValues, loadSolver, preferredAllocationOf } from "@mbs/solvers";
import type { GridValues } from "@mbs/solvers";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import { allocatesBits } from "../recipe/decided-recipe.ts";
import type { Decisions, PlannableRecipe, RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Stages } from "./known-stages.ts";

/** The sparsity that an allocation spreads: the recipe's or the solver's default. */
async function targetOf({ compress }: Recipe): Promise<unknown> {
  // a solver that does not load is a fault itself
  const solver = await loadSolver(String(compress["solver"])).catch(() => undefined);
  const option = solver && Object.hasOwn(solver.options, "sparsity") ? solver.options["sparsity"] : undefined;
  return option && (compress["sparsity"] ?? option.default);
}

/** What a stage needs with some options; undefined where it does not take them, which the check of its options says. */
async function needsOf(stages: Stages, options: StageOptions): Promise<AllocationNeeds | undefined> {
  try {
    return await stages.get(recipeKeys.allocate.stage)?.allocationNeeds?.(options);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** A recipe with what its allocation chooses and reads, and with the sparsity that is spread. */
export async function withAllocationNeeds(recipe: RunRecipe, stages: Stages): Promise<PlannableRecipe> {
  const { allocate, compress } = recipe;
  // until the solver is known
  const decisions = { denseStates: false, splitsRows: false };
  if (allocate === undefined) return { ...recipe, decisions };
  const allocation = await needsOf(stages, allocate);
  const sparsity = allocation?.chooses === "bits" ? undefined : await targetOf(recipe);
  // a pattern is the same in every block, and refused later
  const spread = sparsity !== undefined && compress["pattern"] === undefined;
  return {
    ...recipe,
    decisions: { ...decisions, allocation },
    ...(spread && { compress: { ...compress, sparsity } }),
  };
}

/** The sparsity is the same everywhere without an allocation too, and needs no capture for it. */
function withoutAllocation(recipe: PlannableRecipe): PlannableRecipe {
  const { allocate: _, ...others } = recipe;
  const { allocation: __, ...decisions } = recipe.decisions;
  return { ...others, decisions };
}

/**
 * A recipe that says how sparsity is spread: by what its solver prefers for decoders where the recipe has no `allocate`, and
 * without an allocation where it asks for the same everywhere.
 *
 * @param decided of the same recipe
 */
export async function withPreferredAllocation(
  recipe: PlannableRecipe,
  decided: Pick<Decisions, "solver" | "options">,
  { stacks }: Pick<Model, "stacks">,
  stages: Stages,
): Promise<PlannableRecipe> {
  if (recipe.allocate !== undefined) return recipe.allocate["method"] === "uniform" ? withoutAllocation(recipe) : recipe;
  if (stacks !== "decoder") return recipe;
  const allocate = preferredAllocationOf(decided.solver, decided.options);
  return allocate === undefined ? recipe : withAllocationNeeds({ ...recipe, allocate }, stages);
}

/** The stage that writes the model. */
const writerOf = (stages: Stages): Stage | undefined => stages.get(recipeKeys.assemble.stage);

/** What the format of a recipe holds, best first. */
export const heldBy = async (recipe: Recipe, stages: Stages): Promise<readonly HeldGrids[]> =>
  (await writerOf(stages)?.holds?.(recipe.assemble)) ?? [];

/**
 * Options of `allocate` with the bits or types to choose from: those that the format holds, where the recipe does not say.
 *
 * @throws {FailedPreconditionError} where the format stores all tensors with the same bits
 */
export function withCandidates(recipe: PlannableRecipe, held: readonly HeldGrids[]): StageOptions | undefined {
  const { allocate, compress } = recipe;
  if (allocate === undefined || !allocatesBits(recipe)) return allocate;
  const embeddings = String(compress["embeddings"]);
  const blocks = held.find((grids) => grids.kind === "blocks" && grids.allocated !== undefined);
  if (blocks?.kind === "blocks" && allocate["bits"] === undefined) {
    const { allocated: types, typeMix } = blocks;
    // as the other weights are, they are chosen for too
    const own = embeddings === "on" || ggufGrids.includes(embeddings) ? { embeddings } : {};
    return { types, typeMix, ...own, ...allocate };
  }
  if (allocate["types"] !== undefined) return allocate;
  const groups = held.find((grids) => grids.kind === "groups");
  if (groups?.sameBits !== undefined) throw new FailedPreconditionError(groups.sameBits);
  return { bits: (groups?.bits ?? codeBits).map(String), ...allocate };
}

/** A list as a recipe has it: one text, with commas, or several. */
export const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];

/** The bits that an allocation chooses from; none where it chooses types. @param allocate completed by `withCandidates` */
export const candidateBits = ({ types, bits }: StageOptions): number[] => (types === undefined ? listOf(bits).map(Number) : []);

/**
 * The grids that an allocation chooses from.
 *
 * @param allocate completed by `withCandidates`
 * @param values options of compress, whose groups they have
 */
export const candidateGrids = (allocate: StageOptions, values: GridValues): readonly Grid[] =>
  allocate["types"] === undefined
    ? candidateBits(allocate).map((bits) => groupGrid(bits, values))
    : listOf(allocate["types"]).map((type) => ({ kind: "blocks", type }));

/** Grid options of the weights beside embedding and head, without bits where an allocation of a recipe chooses these. */
export const valuesOfWeights = (recipe: PlannableRecipe, options: GridValues): GridValues =>
  allocatesBits(recipe) ? sharedValues({ ...options, typeMix: undefined, ...recipe.allocate }) : options;
