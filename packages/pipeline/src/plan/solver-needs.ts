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
import { allocatesBits } from "../recipe/recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import {
  candidateBits,
  candidateGrids,
  heldBy,
  middleOf,
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

const formOf = (codes: PlannedLayers["codes"]): NonNullable<Recipe["layerForm"]> =>
  typeof codes === "string" ? codes : "kind" in codes ? "blocks" : "codes";

/** What the recipe's format likes grids to be. */
function preferredGrids([best, ...others]: readonly HeldGrids[]): Pick<SolverSetting, "zeroPoints" | "typeMix"> {
  const groups = [best, ...others].find((held) => held?.kind === "groups");
  return { zeroPoints: groups?.zeroPoints ?? "any", typeMix: best?.kind === "blocks" ? best.typeMix : undefined };
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
  if (asksForEmbeddings(recipe) && outline.embeddings === undefined) {
    throw new UsageError(
      `${locate(["compress", "embeddings"])}: embedding and head of an ONNX model, an encoder or an encoder-decoder are not compressed; leave out embeddings`,
    );
  }
  const held = await heldBy(recipe, stages);
  const allocate = withCandidates(recipe, held);
  const { zeroPoints, typeMix } = preferredGrids(held);
  const allocatesGrids = allocatesBits(recipe);
  const isOfTypes = allocatesGrids && allocate?.["types"] !== undefined;
  const isOpen = !allocatesGrids && !choosesGrids(solver, given);
  const crossMoments = recipe.propagation !== "dense" && !hasExperts(outline);
  const setting = { zeroPoints, typeMix: isOpen ? typeMix : undefined, crossMoments };
  const own = isOfTypes ? withoutGroups(solver, parsed) : parsed;
  const defaults = dependentDefaults(solver, own, setting, allocatesGrids ? candidateBits(allocate ?? {}) : undefined);
  const options = { ...own, ...defaults };
  const grids = allocatesGrids ? candidateGrids(allocate ?? {}, options) : [askedGrid(solver, options)];
  const grid = middleOf(grids) ?? { kind: "none" };
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
  const ofEmbeddings = { kind: "blocks", type: String(recipe.compress["embeddings"]) } as const;
  // the column order of types with a codebook suits all others
  const ordered = [...grids, ofEmbeddings].find(hasCodebook) ?? grid;
  const factor = { ...least.factor, ...factorOptionsFor(solver, options, ordered, recipe.factor) };
  const { order } = recipe.factor ?? {};
  if (hasCodebook(ordered) && order !== undefined && order !== "natural") {
    throw new UsageError(
      `${locate(["factor", "order"])}: types with a codebook (IQ2, IQ3) round neighbouring columns together; leave out order of factor, which is natural then`,
      { solver: solver.name },
    );
  }
  const isSparsity = recipe.allocate !== undefined && !allocatesGrids;
  // an allocation has it from here
  const groups = allocatesGrids && !isOfTypes ? { groupSize: options["groupSize"] } : {};
  const completed = {
    ...recipe,
    denseStates,
    capture: withMixOfFactor({ ...preferred, ...least.capture, ...recipe.capture }, recipe),
    ...(allocate && { allocate }),
    factor: isSparsity ? { ...factor, languageDiagonals: true } : factor,
    grids,
    compress: { ...groups, ...least.compress, ...recipe.compress, ...defaults },
  };
  const { codes } = await plannedLayers(completed, grid);
  return { ...completed, splitsRows: await canSplitRows(solver), layerForm: formOf(codes) };
}

/**
 * The same, with sparsity spread as the solver prefers where the recipe does not say how.
 *
 * @throws {UsageError} as {@link withSolverNeeds}
 */
export async function completeRecipe(
  recipe: Recipe,
  stages: Stages,
  model: ModelOutline & Pick<Model, "stacks">,
): Promise<Recipe> {
  const completed = await withSolverNeeds(recipe, stages, model);
  const spread = await withPreferredAllocation(recipe, completed, model, stages);
  return spread === recipe ? completed : withSolverNeeds(spread, stages, model);
}

/**
 * What is known of the layers before the run.
 *
 * @param recipe completed by withSolverNeeds
 * @param grid one of the grids that its weights may get
 * @throws {UsageError} where the solver refuses its options
 */
export async function plannedLayers(recipe: Recipe, grid: Grid): Promise<PlannedLayers> {
  const { solver: name, embeddings = "off", ...given } = recipe.compress;
  const ask = async (): Promise<PlannedLayers> => {
    const { solver, options } = await readSolver(String(name), given);
    const order = typeof recipe.factor["order"] === "string" ? recipe.factor["order"] : "natural";
    const own = embeddingsValues(solver, valuesOfWeights(recipe, options), String(embeddings));
    return {
      solver: solver.name,
      codes: plannedCodesOf(solver, options, order, grid),
      ...(own && { embeddings: plannedCodesOf(solver, options, order, askedGrid(solver, own)) }),
    };
  };
  return locating(recipe, ask());
}
