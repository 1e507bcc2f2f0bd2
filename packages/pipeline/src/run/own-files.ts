import { readdir } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { artifactName, contentAddress, isAddress, isStoreName, isTemporaryOf, openArtifact } from "@mbs/artifacts";
import type { RunManifest } from "@mbs/artifacts";
import { DeniedError } from "@mbs/contracts";
import { readModelRecord } from "@mbs/models";
import { readRecipe } from "../recipe/parse-recipe.ts";
import { exists, isFile } from "./file-state.ts";
import { changedModelFiles, refuseChanged } from "./model-files.ts";
import type { RunFolder } from "./run-folder.ts";

/** @throws {DeniedError} on a file of others at a path that a run writes to */
export function denyForeign(path: string): never {
  throw new DeniedError(`${path} was not written by this run; move it away, or choose another output`, { path });
}

/** Refuses a folder that holds anything but the run's own files. */
async function requireOnly(folder: string, isOwn: (path: string) => boolean): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    if (error.code === "ENOTDIR") return denyForeign(folder);
    throw error;
  });
  const foreign = names.map((name) => join(folder, name)).find((path) => !isOwn(path));
  if (foreign !== undefined) denyForeign(foreign);
}

/** Whether a path may be left by a process that ended before it claimed the folder. */
const isUnclaimed = (folder: RunFolder, path: string): boolean => {
  const { work, artifacts, identity, first } = folder;
  // models are trimmed and rotated before the folder is claimed
  const [name = ""] = relative(work, path).split(sep);
  const top = join(work, name);
  const own = Object.values(first).flatMap(({ model, madeOf }) => [model, madeOf]);
  const isFirst = own.some((made) => top === made || isTemporaryOf(made, top));
  return path === artifacts || isTemporaryOf(identity, path) || isFirst;
};

const isWork = (folder: RunFolder, path: string): boolean =>
  isUnclaimed(folder, path) ||
  path === folder.identity ||
  [folder.manifest, folder.modelFiles, folder.revisions, folder.machine, folder.quality, folder.status].some(
    (own) => path === own || isTemporaryOf(own, path),
  ) ||
  (dirname(path) === folder.artifacts && isStoreName(basename(path)));

/**
 * Refuses a folder that no run has claimed if anything exists at a path that a run would write to.
 *
 * @throws {DeniedError} naming it
 */
export async function requireUnclaimed(folder: RunFolder): Promise<void> {
  const { model, results, recipe, work } = folder;
  for (const path of [model, ...results, recipe]) if (await exists(path)) denyForeign(path);
  await requireOnly(work, (path) => isUnclaimed(folder, path));
}

/** Whether the run has made an artifact: it is in the manifest, or, if that was lost, among the artifacts. */
const hasMade = async ({ artifacts }: RunFolder, manifest: RunManifest, address: string): Promise<boolean> => {
  return manifest.made(address) || (isAddress(address) && (await exists(join(artifacts, artifactName(address)))));
};

/** Whether a model is made of layers of this run. */
async function isOwnModel(folder: RunFolder, manifest: RunManifest): Promise<boolean> {
  // a record that cannot be read was not written by a run
  const { layers = [] } = (await readModelRecord(folder.model).catch(() => undefined)) ?? {};
  const own = await Promise.all(layers.map(({ address }) => hasMade(folder, manifest, address)));
  return own.length > 0 && !own.includes(false);
}

const isOwnArtifact = async (path: string, folder: RunFolder, manifest: RunManifest): Promise<boolean> => {
  if (!(await isFile(path))) return false;
  const address = await openArtifact(path)
    .then(contentAddress)
    .then(
      (receipt) => receipt.address,
      () => undefined,
    );
  return address !== undefined && hasMade(folder, manifest, address);
};

/** Whether a run has written a recipe: only runs write the addresses of all nodes. */
const isRecorded = async (recipe: string): Promise<boolean> =>
  (await isFile(recipe)) &&
  (await readRecipe(recipe).then(
    ({ hashes }) => hashes?.["nodes"] !== undefined,
    () => false,
  ));

/** @throws {BadDataError} with what is none of the run's in its model, and other results that are not */
async function requireOwn(folder: RunFolder, manifest: RunManifest, others: readonly string[]): Promise<void> {
  const { model } = folder;
  const isOwn = !(await exists(model)) || (await isOwnModel(folder, manifest));
  if (isOwn && others.length === 0) return;
  // all that is damaged is said at once
  const changed = (await changedModelFiles(folder)) ?? [];
  const inModel = changed.length === 0 && !isOwn ? [model] : changed;
  refuseChanged([...inModel, ...others], [...(inModel.length === 0 ? [] : [model]), ...others]);
}

/**
 * Refuses a model that is not made of layers of this run.
 *
 * @throws {BadDataError} naming its files that are not as the run wrote them, or the model where no run has
 */
export const requireOwnModel = (folder: RunFolder, manifest: RunManifest): Promise<void> => requireOwn(folder, manifest, []);

/**
 * Refuses results in a claimed folder that are not as the run wrote them: a run replaces its own, and what it cannot tell from the
 * work of others it leaves.
 *
 * @param manifest of what the folder's run has made
 * @throws {BadDataError} naming all of them
 */
export async function requireOwnResults(folder: RunFolder, manifest: RunManifest): Promise<void> {
  const { results, recipe } = folder;
  const others: string[] = [];
  for (const path of results) {
    if ((await exists(path)) && !(await isOwnArtifact(path, folder, manifest))) others.push(path);
  }
  if ((await exists(recipe)) && !(await isRecorded(recipe))) others.push(recipe);
  await requireOwn(folder, manifest, others);
}

/**
 * Refuses to clear folders of a run that hold files of others.
 *
 * @throws {DeniedError} naming the first
 */
export async function requireOnlyOwnFiles(folder: RunFolder): Promise<void> {
  const { model, work } = folder;
  await requireOnly(work, (path) => isWork(folder, path));
  const files = ((await readModelRecord(model))?.files ?? []).map((file) => join(model, file));
  await requireOnly(model, (path) =>
    files.some((file) => file === path || file.startsWith(path + sep) || isTemporaryOf(file, path)),
  );
}
