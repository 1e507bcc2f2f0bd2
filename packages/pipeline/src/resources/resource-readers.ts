import { createHash } from "node:crypto";
import { createReadStream, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { systemError } from "@mbs/artifacts";
import { openCorpus, presetNames, readDistribution } from "@mbs/corpora";
import { BadDataError } from "@mbs/contracts";
import type { ObjectPool, ResourceKind } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import { openModel, pinModel } from "@mbs/models";
import type { Model } from "@mbs/models";

/** Address and files of a model, a corpus or a distribution. */
export interface FoundResource {
  /** Its content address. */
  readonly address: string;
  /** All files that are read of it, also those that its path refers to. */
  readonly paths: readonly string[];
  /** Its name for a record, where that is another than the given one: with a commit in the place of a branch. */
  readonly pinnedName?: string | undefined;
  /** Which commits the revisions are that it was found by on the Hub. */
  readonly revisions?: Revisions;
}

/** The files of a model of this name, with the targets of links in its folder: a run must not replace any of them. */
export async function foundModel(name: string, { address, path, weightFiles }: Model): Promise<FoundResource> {
  const isFolder = (await stat(path)).isDirectory();
  const entries = isFolder ? await readdir(path, { withFileTypes: true }) : [];
  const links = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => join(path, name));
  return { address, paths: [path, ...links, ...weightFiles], ...(await pinModel(name)) };
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes as Uint8Array);
  return hash.digest("hex");
}

/**
 * SHA-256 of a file, or of the names and contents of a folder's files.
 *
 * @param wanted which files of the folder, and of the folders in it, count; those of Git do not
 * @throws {BadDataError} where there is none
 */
async function treeHash(path: string, wanted: (file: Dirent) => boolean): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    throw systemError(error, path, "read");
  });
  if (!found.isDirectory()) return fileHash(path);
  const all = await readdir(path, { withFileTypes: true, recursive: true });
  const files = all
    .filter((file) => (file.isFile() || file.isSymbolicLink()) && wanted(file))
    .map((file) => relative(path, join(file.parentPath, file.name)))
    .filter((file) => !file.split(sep).includes(".git"))
    .sort();
  if (files.length === 0) throw new BadDataError(`${path} has no file to read; name another folder`, { path });
  const hash = createHash("sha256");
  for (const file of files) {
    // a link to a folder, or to nothing, is not read
    const isFile = await stat(join(path, file)).then(
      (target) => target.isFile(),
      () => false,
    );
    if (isFile) hash.update(JSON.stringify([file, await fileHash(join(path, file))]));
  }
  return hash.digest("hex");
}

const readers: Readonly<Record<ResourceKind, (path: string, pool?: ObjectPool) => Promise<FoundResource>>> = {
  async model(path, pool) {
    const model = await openModel(path, { pool });
    try {
      return await foundModel(path, model);
    } finally {
      await model.close();
    }
  },
  async corpus(path) {
    const { address, files, pinnedName, revisions } = await openCorpus(path);
    // a dataset's name is no path
    const paths = pinnedName === undefined ? [path, ...files] : files;
    return { address: await address, paths, pinnedName, revisions };
  },
  async distribution(path) {
    const { address } = await readDistribution(path);
    return { address, paths: [path, join(path, "distribution.json")] };
  },
  async imatrix(path) {
    return { address: await fileHash(path), paths: [path] };
  },
  async tasks(path) {
    // templates that others include have no extension, and rows beside tasks may have any
    return { address: await treeHash(path, ({ name }) => !name.endsWith(".pyc")), paths: [path] };
  },
  async rows(path) {
    return { address: await treeHash(path, ({ name }) => /\.(?:jsonl?|parquet|md)(?:\.gz)?$/.test(name)), paths: [path] };
  },
};

/**
 * Reads what an option of kind `resource` names.
 *
 * @throws as openModel, openCorpus and readDistribution
 */
export const findResource = (kind: ResourceKind, path: string, pool?: ObjectPool): Promise<FoundResource> =>
  readers[kind](path, pool);

/** Names that mean the same on every machine. */
export const builtInResources: Readonly<Partial<Record<ResourceKind, readonly string[]>>> = { distribution: presetNames };

/**
 * The name of a resource for a server: its content address if it exists here, else the given name, which may be one that the
 * server has.
 */
export async function remoteName(kind: ResourceKind, name: string): Promise<string> {
  if (builtInResources[kind]?.includes(name) === true) return name;
  const here = await stat(name).catch(() => undefined);
  return here === undefined ? name : (await findResource(kind, name)).address;
}
