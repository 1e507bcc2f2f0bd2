import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { artifactName, contentAddress, isAddress, isStoreName, isTemporaryOf, openArtifact } from "@mbs/artifacts";
import type { RunManifest } from "@mbs/artifacts";
import { DeniedError } from "@mbs/contracts";
import { readModelRecord } from "@mbs/models";
import { readRecipe } from "../recipe/parse-recipe.ts";
import type { RunFolder } from "./run-folder.ts";

/** Whether there is anything at a path. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
      throw error;
    },
  );

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

/**
 * Refuses a model that is not made of layers of this run.
 *
 * @throws {DeniedError} naming it
 */
export async function requireOwnModel(folder: RunFolder, manifest: RunManifest): Promise<void> {
  const { model } = folder;
  if (!(await exists(model))) return;
  // a record that cannot be read was not written by a run
  const { layers = [] } = (await readModelRecord(model).catch(() => undefined)) ?? {};
  const own = await Promise.all(layers.map(({ address }) => hasMade(folder, manifest, address)));
  if (own.length === 0 || own.includes(false)) denyForeign(model);
}

/** Opening a FIFO would wait without end. */
export const isFile = (path: string): Promise<boolean> => stat(path).then((found) => found.isFile());

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

/**
 * Refuses results in a claimed folder that no run has written: a run replaces its own.
 *
 * @param manifest of what the folder's run has made
 * @throws {DeniedError} naming the first
 */
export async function requireOwnResults(folder: RunFolder, manifest: RunManifest): Promise<void> {
  const { results, recipe } = folder;
  await requireOwnModel(folder, manifest);
  for (const path of results) {
    if ((await exists(path)) && !(await isOwnArtifact(path, folder, manifest))) denyForeign(path);
  }
  if ((await exists(recipe)) && !(await isRecorded(recipe))) denyForeign(recipe);
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
