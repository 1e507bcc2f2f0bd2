import { FailedPreconditionError, optionFlag, UsageError } from "@mbs/contracts";
import type { StageOptions } from "@mbs/contracts";
import { loadSolver, solverOptions, withoutGroups } from "@mbs/solvers";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { candidatesFor, sizeOptions } from "./candidates.ts";
import type { Candidate, Changes } from "./candidates.ts";
import type { QualitySettings } from "./quality-options.ts";

/** A candidate that can be run. */
export interface PreparedCandidate extends Candidate {
  /** What is run if it is the best: the recipe with its changes. */
  readonly recipe: RunRecipe;
  /** Its compression, and the scores on the validation texts. */
  readonly trial: PreparedRun;
  /** Hash of all that its layers and scores depend on. */
  readonly key: string;
}

/** Options of `compress` that belong to every solver. */
const common: ReadonlySet<string> = new Set(["withoutFactors", "allowNonfinite"]);

/**
 * The given options that another solver has too.
 *
 * @throws {UsageError} where it lacks one that decides what the model is
 */
async function optionsFor(given: StageOptions, solver: unknown): Promise<StageOptions> {
  if (typeof solver !== "string" || solver === given["solver"]) return given;
  const options = solverOptions(await loadSolver(solver));
  const lost = sizeOptions.find((name) => given[name] !== undefined && !Object.hasOwn(options, name));
  if (lost !== undefined) throw new UsageError(`solver ${solver} has no ${optionFlag(lost)}, which the recipe gives`);
  return Object.fromEntries(Object.entries(given).filter(([name]) => common.has(name) || Object.hasOwn(options, name)));
}

/** @param first the candidate that is the recipe as it is, once that is prepared */
async function applyChanges(
  recipe: RunRecipe,
  { compress = {}, factor = {}, allocate }: Changes,
  first: PreparedRun | undefined,
): Promise<RunRecipe> {
  const { solver } = recipe.compress;
  // quantisation types of GGUF are no groups, whose ranges some candidates search otherwise
  const isOfBlocks = first?.recipe.decisions.grids.some(({ kind }) => kind === "blocks") === true;
  const changed = isOfBlocks ? withoutGroups(await loadSolver(String(solver)), compress) : compress;
  return {
    ...recipe,
    compress: { ...(await optionsFor(recipe.compress, changed["solver"])), ...changed },
    factor: { ...recipe.factor, ...factor },
    ...(allocate !== undefined && { allocate }),
  };
}

/** The recipe of a trial: the same model, scored on the validation texts, and nothing else. */
const trialOf = (recipe: RunRecipe, validation: StageOptions): RunRecipe => ({
  ...recipe,
  evaluate: validation,
  similarity: false,
  stages: new Map(),
  keep: false,
  isCandidate: true,
  // checked where the recipe itself is prepared; evaluationCorpus is that of other texts
  hashes: {},
});

/** @throws {UsageError} where the validation texts are those of calibration, or those that the model is evaluated on */
async function requireOwnTexts(
  { corpus, evaluate, locate }: Recipe,
  { trial: { resources } }: PreparedCandidate,
  path: unknown,
): Promise<void> {
  const addressOf = (name: unknown): Promise<string> | undefined =>
    typeof name === "string" ? resources.address("corpus", name) : undefined;
  const own = await addressOf(path);
  for (const [key, name] of [
    ["corpus", corpus],
    ["evaluate.corpus", evaluate?.["corpus"]],
  ] as const) {
    if (own !== (await addressOf(name))) continue;
    const where = locate?.(["quality", "corpus"]) ?? "recipe";
    throw new UsageError(
      `${where}: quality.corpus has the texts of ${key}; name validation texts of their own, or what is found is worth nothing`,
      { key: "quality.corpus" },
    );
  }
}

/**
 * All candidates for a recipe, each checked as a run is. A candidate that cannot be run with the recipe's other keys is left out,
 * with a note; so is one that is the same as an earlier one.
 *
 * @param prepare checks and plans a recipe
 * @param keyOf hash of all that a plan depends on
 * @throws {UsageError} for a solver without candidates; on validation texts that others are too
 * @throws as prepareRun, for the recipe as it is given
 */
export async function prepareCandidates(
  recipe: RunRecipe,
  { validation }: QualitySettings,
  {
    prepare,
    keyOf,
    note,
  }: {
    readonly prepare: (recipe: RunRecipe) => Promise<PreparedRun>;
    readonly keyOf: (prepared: PreparedRun) => Promise<string>;
    readonly note: (message: string) => void;
  },
): Promise<readonly PreparedCandidate[]> {
  const candidates = candidatesFor(recipe);
  if (candidates === undefined) {
    const where = recipe.locate?.(["compress", "solver"]) ?? "recipe";
    throw new UsageError(
      `${where}: --quality best has no candidates for solver ${String(recipe.compress["solver"])}; leave it out, or take gptq`,
      { solver: String(recipe.compress["solver"]) },
    );
  }
  const prepared: PreparedCandidate[] = [];
  for (const candidate of candidates) {
    try {
      // the types that follow from the format stay what they are
      const first = prepared[0]?.trial;
      const typeMix = first?.recipe.compress["typeMix"];
      const own = typeMix === undefined ? recipe : { ...recipe, compress: { ...recipe.compress, typeMix } };
      const changed = await applyChanges(own, candidate.changes, first);
      const trial = await prepare(trialOf(changed, validation));
      const key = await keyOf(trial);
      if (prepared.some((other) => other.key === key)) continue;
      prepared.push({ ...candidate, recipe: changed, trial, key });
    } catch (error) {
      const isRefused = error instanceof UsageError || error instanceof FailedPreconditionError;
      if (prepared.length === 0 || !isRefused) throw error;
      note(`candidate ${candidate.name} is left out: ${error.message}`);
    }
    const [first] = prepared;
    if (prepared.length === 1 && first !== undefined) await requireOwnTexts(recipe, first, validation["corpus"]);
  }
  return prepared;
}
