import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { contentAddress, isStoreName, isTemporaryOf, openArtifact } from "@mbs/artifacts";
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

/** @throws {DeniedError} naming what somebody else has put where a run writes */
export function denyStrange(path: string): never {
  throw new DeniedError(`${path} was not written by a run; move it away, or choose another output`, { path });
}

/** Refuses a folder that holds anything whose path is not one of the run's own. */
async function requireOnly(folder: string, isOwn: (path: string) => boolean): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    if (error.code === "ENOTDIR") return denyStrange(folder);
    throw error;
  });
  const strange = names.map((name) => join(folder, name)).find((path) => !isOwn(path));
  if (strange !== undefined) denyStrange(strange);
}

/** What a process may leave that ends before the folder is claimed. */
const isUnclaimed = ({ artifacts, identity }: RunFolder, path: string): boolean =>
  path === artifacts || isTemporaryOf(identity, path);

const isWork = (folder: RunFolder, path: string): boolean =>
  isUnclaimed(folder, path) ||
  path === folder.identity ||
  [folder.manifest, folder.modelFiles].some((own) => path === own || isTemporaryOf(own, path)) ||
  (dirname(path) === folder.artifacts && isStoreName(basename(path)));

/**
 * Refuses a folder that no run has claimed where anything stands at a place that a run would write to.
 *
 * @throws {DeniedError} naming it
 */
export async function requireUnclaimed(folder: RunFolder): Promise<void> {
  const { model, results, recipe, work } = folder;
  for (const path of [model, ...results, recipe]) if (await exists(path)) denyStrange(path);
  await requireOnly(work, (path) => isUnclaimed(folder, path));
}

/** Whether the run has made an artifact: it lies among its artifacts, if the manifest has been lost. */
const hasMade = async ({ artifacts }: RunFolder, manifest: RunManifest, address: string): Promise<boolean> => {
  const name = `${address}.arrow`;
  return manifest.made(address) || (isStoreName(name) && (await exists(join(artifacts, name))));
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
  if (own.length === 0 || own.includes(false)) denyStrange(model);
}

/** A FIFO would be waited for without end. */
const isFile = (path: string): Promise<boolean> => stat(path).then((found) => found.isFile());

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

/** Nobody writes the addresses of all nodes by hand. */
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
    if ((await exists(path)) && !(await isOwnArtifact(path, folder, manifest))) denyStrange(path);
  }
  if ((await exists(recipe)) && !(await isRecorded(recipe))) denyStrange(recipe);
}

/**
 * Refuses files that others have put among those of a run, which are about to be deleted.
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
