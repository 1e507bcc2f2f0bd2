import { mkdir, readFile, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { realPlace, writeAtomically } from "@mbs/artifacts";
import { DeniedError } from "@mbs/contracts";

/** Where a run keeps what. */
export interface RunFolder {
  readonly root: string;
  /** The compressed model. */
  readonly model: string;
  readonly scores: string;
  readonly similarity: string;
  /** The full recipe with all hashes. */
  readonly recipe: string;
  /** Artifacts by address. */
  readonly artifacts: string;
  /** What has been made from what. */
  readonly manifest: string;
  /** Identity of the recipe that this folder works on. */
  readonly identity: string;
}

/** Hashes of what a run makes its results from. */
export interface RunIdentity {
  /** Of all that leads to the layers: with another one nothing in the folder is of use. */
  readonly layers: string;
  /** Of how the model is written: with another one the layers stay and the model does not. */
  readonly model: string;
}

export function runFolder(root: string): RunFolder {
  const work = join(root, "run");
  return {
    root,
    model: join(root, "model"),
    scores: join(root, "scores.arrow"),
    similarity: join(root, "similarity.arrow"),
    recipe: join(root, "recipe.yaml"),
    artifacts: join(work, "artifacts"),
    manifest: join(work, "manifest.json"),
    identity: join(work, "identity"),
  };
}

const ignoreMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code === "ENOENT") return undefined;
  throw error;
};

export const exists = async (path: string): Promise<boolean> => (await stat(path).catch(ignoreMissing)) !== undefined;

/** All that a run writes. */
export const runPlaces = ({ root, model, scores, similarity, recipe }: RunFolder): string[] => [
  model,
  scores,
  similarity,
  recipe,
  join(root, "run"),
];

/** What the recorded recipe of a run has, and nobody writes by hand. */
const isRecorded = (text: string): boolean => /^hashes:/m.test(text);

function strange(path: string): never {
  throw new DeniedError(`${path} is none of a run's; move it away, or choose another output`, { path });
}

/** What lies among the artifacts and records of a run and is none of them. */
async function strangeWork({ root, artifacts, manifest, identity }: RunFolder): Promise<string[]> {
  const own = [artifacts, manifest, identity].map((path) => basename(path));
  const found = await readdir(join(root, "run")).catch(ignoreMissing);
  // temporary files of records that were being written begin with their names
  return (found ?? []).filter((name) => !own.some((known) => name.replace(/^\./, "").startsWith(known)));
}

/**
 * Takes away what a run has written, and nothing else. Its recipe stays until the new one takes its place: it may be the one
 * that is being run.
 *
 * @throws {DeniedError} where something else stands at a place that the run would write to; nothing is taken away then
 */
async function clear(folder: RunFolder, claimed: boolean): Promise<void> {
  const places = runPlaces(folder);
  for (const path of places) if (!claimed && (await exists(path))) strange(path);
  for (const name of await strangeWork(folder)) strange(join(folder.root, "run", name));
  const recipe = await readFile(folder.recipe, "utf8").catch(ignoreMissing);
  if (recipe !== undefined && !isRecorded(recipe)) strange(folder.recipe);
  for (const path of places) if (path !== folder.recipe) await rm(path, { recursive: true, force: true });
}

/** The identity that a folder has; undefined where no run has claimed it. */
async function readIdentity(folder: RunFolder): Promise<RunIdentity | undefined> {
  const text = await readFile(folder.identity, "utf8").catch(ignoreMissing);
  if (text === undefined) return undefined;
  const [layers = "", model = ""] = text.split("\n");
  return { layers, model };
}

/** @throws {DeniedError} where an earlier run has left what this one would replace */
async function requireSame(folder: RunFolder, known: RunIdentity, identity: RunIdentity): Promise<void> {
  const { root, model, scores } = folder;
  if (known.layers !== identity.layers) {
    throw new DeniedError(
      `${root} holds a run of another recipe or of changed inputs; choose another output, or start over with --force`,
      { path: root },
    );
  }
  if (known.model === identity.model) return;
  if (await exists(model)) {
    throw new DeniedError(
      `${model} was written by another recipe, whose assemble differs; move it away to have it written anew from the finished layers, or start over with --force`,
      { path: model },
    );
  }
  // those of the model that is gone; the store keeps them
  await rm(scores, { force: true });
}

/**
 * Makes the folder ready for a run, or for going on with one: also with one that differs only in what comes after the
 * layers, as long as no model has been written of them.
 *
 * @throws {DeniedError} when the folder holds something else, and with `force` where that would be replaced
 */
export async function claimFolder(folder: RunFolder, identity: RunIdentity, force: boolean): Promise<void> {
  const { root } = folder;
  const found = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR") throw new DeniedError(`${root} is a file; choose another output`, { path: root });
    return ignoreMissing(error);
  });
  const known = await readIdentity(folder);
  if (force) {
    await clear(folder, known !== undefined);
  } else if (known !== undefined) {
    await requireSame(folder, known, identity);
  } else if (found !== undefined && (found.some((name) => name !== "run") || (await strangeWork(folder)).length > 0)) {
    throw new DeniedError(`${root} is not empty; choose another output, or replace an earlier run with --force`, { path: root });
  }
  // through a link to a folder that is not there, nothing could be made
  await mkdir(await realPlace(root), { recursive: true });
  await mkdir(folder.artifacts, { recursive: true });
  await writeAtomically(folder.identity, [Buffer.from(`${identity.layers}\n${identity.model}\n`)], { force: true });
}
