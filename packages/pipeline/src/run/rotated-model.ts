import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { followLinks, parseJson, unpackFiles, withLock, writeAtomically } from "@mbs/artifacts";
import { availableProcessors, DeniedError, InternalError, isObject } from "@mbs/contracts";
import type { ObjectPool, StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { completeOptions, stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { Resources, textAddress } from "../resources/resources.ts";
import { exists, isFile } from "./own-files.ts";
import { runFolder } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";

/** What a rotated model was made of and became. */
interface RotationKey {
  /** Hash of the options, with the address of the model in the place of its path. */
  readonly options: string;
  /** Address of the rotated model. */
  readonly model: string;
}

/** What an earlier run has rotated; undefined where it has not, or the note of it is of another form. */
async function readKey({ rotatedKey: path }: RunFolder): Promise<RotationKey | undefined> {
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
async function isMade(folder: RunFolder, options: string, { pool, force }: RotationRun): Promise<boolean> {
  const { rotated, root } = folder;
  if (!(await exists(rotated))) return false;
  const known = await readKey(folder);
  if (known?.options === options && known.model === (await addressOf(rotated, pool).catch(() => undefined))) return true;
  if (force) return false;
  throw new DeniedError(
    `${rotated} is a model of other settings, of another source, or damaged; choose another output than ${root}, or start over with --force`,
    { path: rotated },
  );
}

interface RotationRun extends Pick<StageContext, "signal" | "progress" | "warn"> {
  readonly stages: Stages;
  readonly pool: ObjectPool;
  /** Absent: all processors. */
  readonly threads: number | undefined;
  readonly force: boolean;
}

/**
 * The recipe on its rotated model, which is made in the run's folder unless an earlier run has made it of the same model with the
 * same options. Everything else then sees a dense model.
 *
 * @throws as the stage, on a model that cannot be rotated
 * @throws {DeniedError} where the folder holds another rotated model, unless `force` replaces it
 * @throws {TryAgainError} when another process works on the output
 */
export async function rotateFirst(recipe: Recipe, run: RotationRun): Promise<Recipe> {
  const { stages, signal, progress, warn, pool, threads, force } = run;
  const folder = runFolder(recipe.output);
  const stage = stageOf(stages, recipeKeys.rotate.stage);
  const given = await completeOptions(stage, { ...recipe.rotate, model: recipe.model });
  const options = textAddress(JSON.stringify(await new Resources(pool).resolve(stage.options, given)));
  await mkdir(dirname(await followLinks(recipe.output)), { recursive: true });
  await withLock(recipe.output, async () => {
    if (await isMade(folder, options, run)) return;
    const context = { signal, progress, warn, pool, threads: threads ?? availableProcessors() };
    const [files] = Object.values(await stage.run({}, given, context));
    if (files === undefined) throw new InternalError(`stage ${stage.name} made no files`);
    await mkdir(folder.work, { recursive: true });
    await unpackFiles(files, folder.rotated, { force, signal });
    const key: RotationKey = { options, model: await addressOf(folder.rotated, pool) };
    await writeAtomically(folder.rotatedKey, [Buffer.from(`${JSON.stringify(key)}\n`)], { force: true });
  });
  const { model: source, ...rotate } = given;
  return { ...recipe, model: folder.rotated, source: String(source), rotate };
}
