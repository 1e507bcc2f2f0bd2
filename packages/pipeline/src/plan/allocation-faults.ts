import { optionFlag, UsageError } from "@mbs/contracts";
import { loadSolver, requireAllocatable, embeddingsValues } from "@mbs/solvers";
import { allocatesBits, allocatesTypes } from "../recipe/decided-recipe.ts";
import type { PlannableRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { heldBy, valuesOfWeights, withCandidates } from "./allocated-grids.ts";
import type { Stages } from "./known-stages.ts";
import { located } from "./option-faults.ts";

/** What keeps an allocation of grids from being made, or makes its size wrong. */
function sizeFault({ allocate = {}, compress: { embeddings = "off" } }: Recipe): string | undefined {
  if (allocate["bitsPerWeight"] === undefined && allocate["size"] === undefined) {
    return "chooses the bits of each tensor, and nothing says how many in all; give it bits-per-weight or size";
  }
  // by types embedding and head are counted as compress has them
  if (allocate["size"] === undefined || allocate["types"] !== undefined || embeddings === "off") return undefined;
  return "counts embedding and head in its size as they are without compress.embeddings; give allocate bits-per-weight instead of size";
}

/** What keeps an allocation from setting the solver's sparsity. */
async function targetFault({ compress }: Recipe): Promise<string | undefined> {
  const { options } = await loadSolver(String(compress["solver"]));
  const isOpen = compress["sparsity"] === undefined && options["sparsity"]?.default === undefined;
  return isOpen ? "spreads compress.sparsity over the blocks; give compress one" : undefined;
}

/** What is wrong with an allocation beside the options of compress; nothing where the solver does not load, which is a fault itself. */
export async function allocationFaults(recipe: PlannableRecipe, stages: Stages): Promise<UsageError[]> {
  const { compress, locate } = recipe;
  // without a method that there is, its options say so
  if (recipe.allocate === undefined || recipe.decisions.allocation === undefined) return [];
  const solver = await loadSolver(String(compress["solver"])).catch(() => undefined);
  if (solver === undefined) return [];
  const held = await heldBy(recipe, stages).catch(() => []);
  let own = recipe;
  try {
    const allocate = withCandidates(recipe, held);
    own = { ...recipe, ...(allocate && { allocate }) };
  } catch {
    // a format that stores all tensors alike is refused where the candidates are needed
  }
  const { groupSize, symmetric, minZeroPoint, ...others } = compress;
  const { embeddings = "off" } = compress;
  const chosen = !allocatesBits(own) ? "sparsity" : allocatesTypes(own) ? "blocks" : "groups";
  try {
    // groups of an allocation have what compress says of them
    requireAllocatable(solver, chosen, chosen === "groups" ? others : { ...others, groupSize, symmetric, minZeroPoint });
    if (chosen !== "sparsity") embeddingsValues(solver, valuesOfWeights(own, compress), String(embeddings));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const isOfMethod = error.facts["option"] === optionFlag("allocation");
    return [located(error, [isOfMethod ? "allocate" : "compress"], recipe)];
  }
  const fault = chosen === "sparsity" ? await targetFault(own) : sizeFault(own);
  if (fault === undefined) return [];
  return [new UsageError(`${locate?.(["allocate"]) ?? "recipe"}: allocate ${fault}`, { key: "allocate" })];
}
