import { readFile, readdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { RunManifest, followLinks, makeFolder, writeAtomically } from "@mbs/artifacts";
import { BadDataError, DeniedError } from "@mbs/contracts";
import { textAddress } from "../resources/resources.ts";
import { exists } from "./file-state.ts";
import { requireOnlyOwnFiles, requireOwnResults, requireUnclaimed } from "./own-files.ts";
import type { RunFolder } from "./run-folder.ts";

/** Hashes of what a run makes its results from. */
export interface RunIdentity {
  /** Of all that the layers depend on: if it differs, nothing in the folder can be used. */
  readonly layers: string;
  /** Of how the model is written: if it differs, the layers can be used and the model cannot. */
  readonly model: string;
  /** By option, "compress.solver", or key, "propagation": the hash of the values that the layers depend on. They only say what differs. */
  readonly options: ReadonlyMap<string, string>;
}

/** Removes what a run has written, but for its recipe, which may be the one that is being run; the new one replaces it. */
async function clear({ model, modelFiles, results, artifacts, revisions, machine, quality, manifest }: RunFolder): Promise<void> {
  // the identity stays and the manifest goes last: if the process ends in between, the folder still counts as a run's
  for (const path of [model, modelFiles, ...results, artifacts, revisions, machine, quality, manifest])
    await rm(path, { recursive: true, force: true });
}

/** The identity as a file, with a hash of itself, so that a changed one is not taken for that of another recipe. */
function identityText({ layers, model, options }: RunIdentity): string {
  const text = [layers, model, ...[...options].map(([name, hash]) => `${hash} ${name}`), ""].join("\n");
  return `${text}${textAddress(text)}\n`;
}

/**
 * The identity that a folder has; undefined where no run has claimed it.
 *
 * @throws {BadDataError} where it is damaged, or missing beside what a run has made
 */
async function readIdentity({ root, identity, manifest }: RunFolder): Promise<RunIdentity | undefined> {
  if (!(await exists(identity)) && !(await exists(manifest))) return undefined;
  const text = await readFile(identity, "utf8").catch(() => "");
  const [, layers, model, lines] = /^([0-9a-f]{64})\n([0-9a-f]{64})\n((?:[0-9a-f]{64} \S+\n)*)[0-9a-f]{64}\n$/.exec(text) ?? [];
  if (
    layers === undefined ||
    model === undefined ||
    lines === undefined ||
    textAddress(text.slice(0, -65)) !== text.slice(-65, -1)
  ) {
    throw new BadDataError(
      `${identity} is damaged or missing, or was not written by a run: without it no run knows whether the folder is its own; move ${root} away and run again, or choose another output`,
      { path: identity },
    );
  }
  const options = lines
    .split("\n")
    .flatMap((line): [string, string][] => (line === "" ? [] : [[line.slice(65), line.slice(0, 64)]]));
  return { layers, model, options: new Map(options) };
}

/** Every plan draws segments, with the model and the corpus: those of other stages are the same, or their stage is in one plan alone. */
const isCopy = (name: string): boolean => /\.(model|corpus)$/.test(name) && !name.startsWith("sample.");

/** Options that a recipe gives by another key, or that others choose. */
const renamed: ReadonlyMap<string, string> = new Map([
  ["capture.site", "propagation"],
  ["capture.grams", "capture.grams (unless it is given, keep and stages choose it)"],
  ["sample.model", "model"],
  ["sample.corpus", "corpus"],
]);

/** What differs between two runs, for a message; empty where the folder does not record it. */
function differences(known: RunIdentity, now: RunIdentity): string {
  // which sites a capture reads follows from the propagation
  const keys = new Set(
    [...known.options.keys(), ...now.options.keys()]
      .filter((name) => known.options.get(name) !== now.options.get(name) && name !== "capture.site" && !isCopy(name))
      .map((name) => renamed.get(name) ?? name),
  );
  if (known.options.size === 0 || keys.size === 0) return "";
  return `; what differs, by its value or by the content that it names: ${[...keys].join(", ")}`;
}

/** How a folder is claimed. */
export interface Claim {
  /** Replace what an earlier run has left. */
  readonly force: boolean;
  readonly warn: (message: string) => void;
}

/** @throws {DeniedError} where an earlier run has left what this one would replace */
async function requireSame(folder: RunFolder, known: RunIdentity, identity: RunIdentity): Promise<void> {
  const { root, model } = folder;
  if (known.layers !== identity.layers) {
    throw new DeniedError(
      `${root} holds a run of another recipe or of changed inputs${differences(known, identity)}; choose another output, or start over with --force`,
      { path: root },
    );
  }
  if (known.model !== identity.model && (await exists(model))) {
    throw new DeniedError(
      `${model} was written by another recipe, whose assemble differs; move it away to have it written again from the finished layers, or start over with --force`,
      { path: model },
    );
  }
}

/**
 * Prepares the folder for a new run, or for resuming one. A run that differs only after the layers resumes too, as long as no
 * model has been written.
 *
 * @throws {DeniedError} when the folder holds anything else; nothing is removed then, also with `force`
 * @throws {BadDataError} when a result is not as the run wrote it, as requireOwnResults, or the folder's identity is damaged
 */
export async function claimFolder(folder: RunFolder, identity: RunIdentity, claim: Claim): Promise<void> {
  const { root } = folder;
  const { force } = claim;
  const found = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR") throw new DeniedError(`${root} is a file; choose another output`, { path: root });
    if (error.code !== "ENOENT") throw error;
    return [];
  });
  const known = await readIdentity(folder);
  if (known === undefined) {
    if (!force && found.some((name) => name !== basename(folder.work))) {
      throw new DeniedError(`${root} is not empty; choose another output, or replace an earlier run with --force`, {
        path: root,
      });
    }
    await requireUnclaimed(folder);
  } else {
    if (!force) await requireSame(folder, known, identity);
    const manifest = await RunManifest.open(folder.manifest);
    await requireOwnResults(folder, manifest);
    if (manifest.isDamaged && !force) claim.warn(`${folder.manifest} is damaged; what it does not name any more is made again`);
    if (force) {
      await requireOnlyOwnFiles(folder);
      await clear(folder);
    } else if (known.model !== identity.model) {
      // results of a model that is gone; they stay in the store, and the run copies again those that still hold
      for (const path of folder.results) await rm(path, { force: true });
    }
  }
  // through a link to a folder that is not there, nothing could be made
  await makeFolder(await followLinks(root));
  await makeFolder(folder.artifacts);
  await writeAtomically(folder.identity, [Buffer.from(identityText(identity))], { force: true });
}
