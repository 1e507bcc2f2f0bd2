import { dirname } from "node:path";
import { findChanged, followLinks, makeFolder, unpackFiles, withLock, writeAtomically } from "@mbs/artifacts";
import type { FileHashes } from "@mbs/artifacts";
import { availableProcessors, BadDataError, DeniedError, InternalError, isObject } from "@mbs/contracts";
import type { ObjectPool, StageContext } from "@mbs/contracts";
import { completeOptions, stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import { firstKeys, firstOptions, sharedOptions } from "../recipe/first-options.ts";
import type { FirstKey } from "../recipe/first-options.ts";
import type { RunRecipe } from "../recipe/decided-recipe.ts";
import { Resources, textAddress } from "../resources/resources.ts";
import { exists, readRecord } from "./file-state.ts";
import { parseHashes } from "./model-files.ts";
import { runFolder } from "./run-folder.ts";
import type { FirstModel } from "./run-folder.ts";

/** What a model was made of and became. */
interface MadeOf {
  /** Hash of the options, with addresses of models and texts in the place of their paths. */
  readonly options: string;
  readonly files: FileHashes;
}

async function readMadeOf(path: string): Promise<MadeOf | undefined> {
  const record = await readRecord(path);
  const { options, files: hashes } = isObject(record) ? record : {};
  const files = parseHashes(hashes);
  return typeof options === "string" && files !== undefined ? { options, files } : undefined;
}

/**
 * Whether an earlier run has made a model of the same, and it is whole.
 *
 * @throws {BadDataError} where it is not known what the model was made of
 * @throws {DeniedError} where it was made of something else
 */
async function isMade({ model, madeOf }: FirstModel, root: string, options: string, run: FirstRun): Promise<boolean> {
  if (run.force || !(await exists(model))) return false;
  const known = await readMadeOf(madeOf);
  if (known === undefined) {
    throw new BadDataError(
      `${madeOf}, which says what ${model} was made of, is damaged or missing; move ${model} away and run again to have it made again`,
      { path: madeOf },
    );
  }
  if (known.options !== options) {
    throw new DeniedError(
      `${model} is a model of other settings or of another source; choose another output than ${root}, or start over with --force`,
      { path: model },
    );
  }
  const [changed] = await findChanged(model, known.files, run.signal);
  if (changed !== undefined) run.warn(`${changed} is damaged; ${model} is made again`);
  return changed === undefined;
}

interface FirstRun extends Pick<StageContext, "signal" | "progress" | "warn" | "note"> {
  readonly stages: Stages;
  readonly pool: ObjectPool;
  /** Absent: all processors. */
  readonly threads: number | undefined;
  readonly force: boolean;
}

/** The recipe on the model that the stage of one key makes. */
async function makeFirst(recipe: RunRecipe, key: FirstKey, run: FirstRun): Promise<RunRecipe> {
  const { stages, signal, progress, warn, note, pool, threads } = run;
  const folder = runFolder(recipe.output);
  const first = folder.first[key];
  const stage = stageOf(stages, recipeKeys[key].stage);
  const given = await completeOptions(stage, { ...firstOptions(recipe, key), model: recipe.model });
  const options = textAddress(JSON.stringify(await new Resources(pool).resolve(stage.options, given)));
  await makeFolder(dirname(await followLinks(recipe.output)));
  await withLock(recipe.output, async () => {
    if (await isMade(first, folder.root, options, run)) return;
    const context = { signal, progress, warn, note, pool, threads: threads ?? availableProcessors() };
    const [files] = Object.values(await stage.run({}, given, context));
    if (files === undefined) throw new InternalError(`stage ${stage.name} made no files`);
    await makeFolder(folder.work);
    const unpacked = await unpackFiles(files, first.model, { force: true, signal });
    const record = { options, files: Object.fromEntries(unpacked.files) };
    await writeAtomically(first.madeOf, [Buffer.from(`${JSON.stringify(record)}\n`)], { force: true });
  });
  // what the recipe shares stays a key of it, which is recorded with its commit
  const left = new Set(["model", ...Object.keys(sharedOptions(recipe, key))]);
  const recorded = Object.fromEntries(Object.entries(given).filter(([name]) => !left.has(name)));
  return { ...recipe, model: first.model, source: recipe.source ?? recipe.model, [key]: recorded };
}

/**
 * The recipe on the model that its keys `trim` and `rotate` make of the one it names. They are made in the run's folder unless an
 * earlier run has made them of the same model with the same options. Everything else then sees a dense model.
 *
 * @throws as the stages, on a model that cannot be trimmed or rotated
 * @throws {DeniedError} where the folder holds another model, unless `force` replaces it
 * @throws {BadDataError} where it is not known what the model in the folder was made of
 * @throws {TryAgainError} when another process works on the output
 */
export async function makeFirstModels(recipe: RunRecipe, run: FirstRun): Promise<RunRecipe> {
  let made = recipe;
  for (const key of firstKeys) if (recipe[key] !== undefined) made = await makeFirst(made, key, run);
  return made;
}
