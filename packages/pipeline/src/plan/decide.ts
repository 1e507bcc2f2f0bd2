import { expertOf } from "@mbs/artifacts";
import { areProportional, parseLanguageMix, UsageError } from "@mbs/contracts";
import type { Grid, HeldGrids, PlannedLayers, SolverSetting, StageOptions, StatisticName } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import {
  askedGrid,
  canSplitRows,
  choosesGrids,
  dependentDefaults,
  factorOptionsFor,
  hasCodebook,
  plannedCodesOf,
  readSolver,
  embeddingsValues,
  withoutGroups,
} from "@mbs/solvers";
import { allocatesBits, middleOf } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe, Decisions, PlannableRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import {
  candidateBits,
  candidateGrids,
  heldBy,
  valuesOfWeights,
  withCandidates,
  withPreferredAllocation,
} from "./allocated-grids.ts";
import type { Stages } from "./known-stages.ts";
import { asksForEmbeddings } from "./nodes/compression-nodes.ts";
import type { ModelOutline } from "./nodes/plan-node.ts";
import { located } from "./option-faults.ts";

/** Puts the line of the recipe in front of an error of the solver's options. */
const locating = <Answer>(recipe: Recipe, answer: Promise<Answer>): Promise<Answer> =>
  answer.catch((error: unknown) => {
    throw error instanceof UsageError ? located(error, ["compress"], recipe) : error;
  });

/**
 * Options with which capture mixes the languages' Grams itself: factor needs the mix alone, and after blocks that are compressed
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
const hasExperts = ({ blocks }: ModelOutline): boolean =>
  blocks.some(({ sites }) => sites.some(({ name }) => expertOf(name) !== undefined));

/** What the recipe's format likes grids to be. */
function preferredGrids([best, ...others]: readonly HeldGrids[]): Pick<SolverSetting, "zeroPoints" | "typeMix"> {
  const groups = [best, ...others].find((held) => held?.kind === "groups");
  return { zeroPoints: groups?.zeroPoints ?? "any", typeMix: best?.kind === "blocks" ? best.typeMix : undefined };
}

/** Options of `factor` for a solver and all grids that weights may get. @throws {UsageError} on an order that one of them cannot follow */
function factorFor(recipe: Recipe, { solver, options, grids }: Pick<Decisions, "solver" | "options" | "grids">): StageOptions {
  const ofEmbeddings = { kind: "blocks", type: String(recipe.compress["embeddings"]) } as const;
  // the column order of types with a codebook suits all others
  const ordered = [...grids, ofEmbeddings].find(hasCodebook) ?? middleOf(grids) ?? { kind: "none" };
  const { order } = recipe.factor;
  if (hasCodebook(ordered) && order !== undefined && order !== "natural") {
    throw new UsageError(
      `${recipe.locate?.(["factor", "order"]) ?? "recipe"}: types with a codebook (IQ2, IQ3) round neighbouring columns together; leave out order of factor, which is natural then`,
      { solver: solver.name },
    );
  }
  return factorOptionsFor(solver, options, ordered, recipe.factor);
}

/** The solver of a recipe with its options, those among them that follow from others, from the format or from the model. */
async function decideSolver(recipe: PlannableRecipe, held: readonly HeldGrids[], outline: ModelOutline) {
  const { solver: name, ...given } = recipe.compress;
  const where = (key: string): string => recipe.locate?.(["compress", key]) ?? "recipe";
  if (typeof name !== "string") throw new UsageError(`${where("solver")}: solver takes a name`);
  const { solver, options: parsed } = await locating(recipe, readSolver(name, given));
  if (asksForEmbeddings(recipe) && outline.embeddings === undefined) {
    throw new UsageError(
      `${where("embeddings")}: embedding and head of an ONNX model, an encoder or an encoder-decoder are not compressed; leave out embeddings`,
    );
  }
  const allocate = withCandidates(recipe, held);
  const { zeroPoints, typeMix } = preferredGrids(held);
  const allocatesGrids = allocatesBits(recipe);
  const isOfTypes = allocatesGrids && allocate?.["types"] !== undefined;
  const isOpen = !allocatesGrids && !choosesGrids(solver, given);
  const crossMoments = recipe.propagation !== "dense" && !hasExperts(outline);
  const setting = { zeroPoints, typeMix: isOpen ? typeMix : undefined, crossMoments };
  const values = isOfTypes ? withoutGroups(solver, parsed) : parsed;
  const defaults = dependentDefaults(solver, values, setting, allocatesGrids ? candidateBits(allocate ?? {}) : undefined);
  const options = { ...values, ...defaults };
  const grids = allocatesGrids ? candidateGrids(allocate ?? {}, options) : [askedGrid(solver, options)];
  // an allocation has it from here
  const groups = allocatesGrids && !isOfTypes ? { groupSize: options["groupSize"] } : {};
  return { solver, options, defaults, grids, groups, allocate };
}

/** @throws {UsageError} where a solver compares with the dense model, and there is nothing else to compare */
function requireDenseStates({ propagation, locate }: Recipe, solver: string): void {
  if (propagation !== "dense") return;
  throw new UsageError(
    `${locate?.(["propagation"]) ?? "recipe"}: ${solver} compares with the dense model, and with dense propagation all inputs are the dense model's; take propagation: sequential, or solver: gptq without qep, which is the same there`,
    { solver },
  );
}

/**
 * A recipe with sparsity spread as it says, or the same everywhere, and what follows from it: which statistics its solver needs,
 * options of `factor` that the solver and an allocation need, whether the dense model's states are computed too, and options of
 * the solver that follow from others, the format or the model.
 *
 * @throws {UsageError} on an unknown solver, format or option, or a solver that compares with the dense model in dense propagation
 */
export async function decideAsGiven(recipe: PlannableRecipe, stages: Stages, outline: ModelOutline): Promise<DecidedRecipe> {
  const held = await heldBy(recipe, stages);
  const { solver, options, defaults, grids, groups, allocate } = await decideSolver(recipe, held, outline);
  const needs = solver.reads?.(options) ?? solver.needs;
  const denseStates = needs.includes("crossMoment");
  if (denseStates) requireDenseStates(recipe, solver.name);
  const least = leastStatistics(needs, recipe);
  // other readers of the statistics, such as imatrix, want inputs as they are
  const normalises = solver.prefersNormalisedTokens === true && !isRead(recipe, ["capture"]);
  const preferred = normalises ? { normaliseTokens: true } : {};
  const factor = { ...least.factor, ...factorFor(recipe, { solver, options, grids }) };
  const isSparsity = recipe.allocate !== undefined && !allocatesBits(recipe);
  const completed = {
    ...recipe,
    capture: withMixOfFactor({ ...preferred, ...least.capture, ...recipe.capture }, recipe),
    ...(allocate && { allocate }),
    factor: isSparsity ? { ...factor, languageDiagonals: true } : factor,
    compress: { ...groups, ...least.compress, ...recipe.compress, ...defaults },
  };
  const splitsRows = await canSplitRows(solver);
  const decisions = { ...recipe.decisions, solver, options, grids, denseStates, splitsRows };
  const layers = grids.map((grid) => plannedLayers(completed, decisions, grid));
  return { ...completed, decisions: { ...decisions, layers } };
}

/**
 * The same, with sparsity spread as the solver prefers where the recipe does not say how.
 *
 * @throws {UsageError} as {@link decideAsGiven}
 */
export async function decide(
  recipe: PlannableRecipe,
  stages: Stages,
  model: ModelOutline & Pick<Model, "stacks">,
): Promise<DecidedRecipe> {
  const decided = await decideAsGiven(recipe, stages, model);
  const spread = await withPreferredAllocation(recipe, decided.decisions, model, stages);
  return spread === recipe ? decided : decideAsGiven(spread, stages, model);
}

/**
 * What is known of the layers before the run.
 *
 * @param recipe with all options that its solver decides
 * @param grid one of those that its weights may get
 * @throws {UsageError} where the solver refuses its options
 */
function plannedLayers(
  recipe: PlannableRecipe,
  { solver, options }: Pick<Decisions, "solver" | "options">,
  grid: Grid,
): PlannedLayers {
  const order = typeof recipe.factor["order"] === "string" ? recipe.factor["order"] : "natural";
  const { embeddings = "off" } = recipe.compress;
  try {
    const ofEmbeddings = embeddingsValues(solver, valuesOfWeights(recipe, options), String(embeddings));
    return {
      solver: solver.name,
      codes: plannedCodesOf(solver, options, order, grid),
      ...(ofEmbeddings && { embeddings: plannedCodesOf(solver, options, order, askedGrid(solver, ofEmbeddings)) }),
    };
  } catch (error) {
    throw error instanceof UsageError ? located(error, ["compress"], recipe) : error;
  }
}
