import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { followLinks, makeFolder, parseJson, unpackFiles, withLock, writeAtomically } from "@mbs/artifacts";
import { availableProcessors, DeniedError, InternalError, isObject } from "@mbs/contracts";
import type { ObjectPool, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { completeOptions, stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import { firstKeys, firstOptions, sharedOptions } from "../recipe/first-options.ts";
import type { FirstKey } from "../recipe/first-options.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { Resources, textAddress } from "../resources/resources.ts";
import { exists, isFile } from "./own-files.ts";
import { runFolder } from "./run-folder.ts";
import type { FirstModel } from "./run-folder.ts";

/** What a model was made of and became. */
interface MadeOf {
  /** Hash of the options, with addresses of models and texts in the place of their paths. */
  readonly options: string;
  /** Address of the model that was made. */
  readonly model: string;
}

/** What an earlier run has made; undefined where it has not, or the note of it is of another form. */
async function readMadeOf(path: string): Promise<MadeOf | undefined> {
  if (!(await exists(path)) || !(await isFile(path))) return undefined;
  const value = parseJson(await readFile(path, "utf8"));
  const { options, model } = isObject(value) ? value : {};
  return typeof options === "string" && typeof model === "string" ? { options, model } : undefined;
}

async function addressOf(path: string, pool: ObjectPool): Promise<string> {
  const model = await openModel(path, { pool });
  await model.close();
  return model.address;
}

/** @throws {DeniedError} where there is another model than an earlier run has made of the same */
async function isMade({ model, madeOf }: FirstModel, root: string, options: string, { pool, force }: FirstRun): Promise<boolean> {
  if (!(await exists(model))) return false;
  const known = await readMadeOf(madeOf);
  if (known?.options === options && known.model === (await addressOf(model, pool).catch(() => undefined))) return true;
  if (force) return false;
  throw new DeniedError(
    `${model} is a model of other settings, of another source, or damaged; choose another output than ${root}, or start over with --force`,
    { path: model },
  );
}

interface FirstRun extends Pick<StageContext, "signal" | "progress" | "warn" | "note"> {
  readonly stages: Stages;
  readonly pool: ObjectPool;
  /** Absent: all processors. */
  readonly threads: number | undefined;
  readonly force: boolean;
}

/** The recipe on the model that the stage of one key makes. */
async function makeFirst(recipe: Recipe, key: FirstKey, run: FirstRun): Promise<Recipe> {
  const { stages, signal, progress, warn, note, pool, threads, force } = run;
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
    await unpackFiles(files, first.model, { force, signal });
    const madeOf: MadeOf = { options, model: await addressOf(first.model, pool) };
    await writeAtomically(first.madeOf, [Buffer.from(`${JSON.stringify(madeOf)}\n`)], { force: true });
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
 * @throws {TryAgainError} when another process works on the output
 */
export async function makeFirstModels(recipe: Recipe, run: FirstRun): Promise<Recipe> {
  let made = recipe;
  for (const key of firstKeys) if (recipe[key] !== undefined) made = await makeFirst(made, key, run);
  return made;
}
