import { areProportional, parseLanguageMix, UsageError } from "@mbs/contracts";
import type { HeldGrids, PlannedLayers, Solver, SolverSetting, Stage, StageOptions, StatisticName } from "@mbs/contracts";
import {
  canSplitRows,
  dependentDefaults,
  factorOptionsFor,
  plannedCodesOf,
  readSolver,
  vocabularyOptions,
  withoutGroups,
} from "@mbs/solvers";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import { allocatesBits } from "../recipe/recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { choosable, middleOf, representative, requireTypes, sharedDefaults, withChoices } from "./allocation-choices.ts";
import type { Stages } from "./known-stages.ts";
import { asksForVocabulary } from "./nodes/compression-nodes.ts";
import type { ModelOutline } from "./nodes/plan-node.ts";
import { located } from "./option-faults.ts";

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
export const writerOf = (stages: Stages): Stage | undefined => stages.get(recipeKeys.assemble.stage);

/** Whether options of a solver say which grids weights are rounded to: then the format does not. */
function asksForGrids({ options }: Solver, given: StageOptions): boolean {
  const { excludes = [] } = options["mixture"] ?? {};
  return Object.keys(given).some((name) => excludes.includes(name) || name === "grid" || name === "mixture");
}

/** What the recipe's format likes grids to be. */
function preferredGrids([best, ...others]: readonly HeldGrids[]): Pick<SolverSetting, "zeroPoints" | "mixture"> {
  const groups = [best, ...others].find((held) => held?.kind === "groups");
  return { zeroPoints: groups?.zeroPoints ?? "any", mixture: best?.kind === "blocks" ? best.mixture : undefined };
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
  const { zeroPoints, mixture } = preferredGrids((await writerOf(stages)?.holds?.(recipe.assemble)) ?? []);
  const isOpen = !allocatesBits(recipe) && !asksForGrids(solver, given);
  const crossMoments = recipe.propagation !== "dense" && !hasExperts(outline);
  const setting = { zeroPoints, mixture: isOpen ? mixture : undefined, crossMoments };
  const allocate = await withChoices(recipe, writerOf(stages));
  const choices = allocatesBits(recipe) ? choosable({ ...(allocate && { allocate }) }) : [];
  const isOfTypes = allocatesBits(recipe) && allocate?.["types"] !== undefined;
  if (isOfTypes) requireTypes({ ...recipe, ...(allocate && { allocate }) }, solver);
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
