import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BadDataError, InputOutputError, once } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import {
  askForCommit,
  cachedCommit,
  cachedFile,
  cacheFolder,
  fetchAlone,
  fetchFile,
  isCommit,
  isOffline,
  listFiles,
  pinnedAddress,
  recordCommit,
} from "@mbs/hub";
import type { HubAddress, HubFile } from "@mbs/hub";
import type { DatasetFiles } from "./dataset-shards.ts";

/** A dataset at a commit. */
export interface FoundDataset {
  /** As named, also where its revision is pinned. */
  readonly address: HubAddress;
  readonly commit: string;
  /** Its folder in the cache. */
  readonly storage: string;
}

/** What an offline program lacks. */
export const notCached = (address: HubAddress, storage: string, what: string): InputOutputError =>
  new InputOutputError(`${address.text}: ${what} is not in ${storage}, and the program is offline; run once with a network`, {
    dataset: address.text,
    folder: storage,
  });

async function findDataset(address: HubAddress): Promise<FoundDataset> {
  const storage = await cacheFolder(address.repository);
  const { revision } = pinnedAddress(address);
  if (isOffline() || isCommit(revision)) {
    const commit = await cachedCommit(storage, revision);
    if (commit === undefined) throw notCached(address, storage, `revision ${revision}`);
    return { address, commit, storage };
  }
  const commit = await askForCommit(address);
  await fetchAlone(storage, () => recordCommit(storage, revision, commit));
  return { address, commit, storage };
}

const known = new Map<string, Promise<FoundDataset>>();

/**
 * The commit of a dataset, which the process asks for once.
 *
 * @throws as askForCommit; {InputOutputError} where an offline program does not know it
 */
export function openDataset(address: HubAddress): Promise<FoundDataset> {
  const key = `${address.repository.name}@${address.revision} ${pinnedAddress(address).revision}`;
  return once(known, key, () => findDataset(address));
}

/**
 * The files of a folder at a commit, asked for once: a commit never changes.
 *
 * @param folder with those in it, "" all of them; undefined: the files at the top alone
 * @throws {BadDataError} where there is no such folder
 */
async function listFolder({ address, commit, storage }: FoundDataset, folder: string | undefined): Promise<readonly HubFile[]> {
  const name = createHash("sha256")
    .update(folder ?? "\n")
    .digest("hex");
  const path = join(storage, "mbs-listings", commit, `${name}.json`);
  const cached = await readFile(path, "utf8").catch(() => undefined);
  if (cached !== undefined) return JSON.parse(cached) as HubFile[];
  if (isOffline()) throw notCached(address, storage, `the list of its files${folder ? ` in ${folder}` : ""}`);
  const files = await listFiles(address, commit, folder).catch((error: unknown) => {
    if (!(error instanceof BadDataError) || error.facts["status"] !== 404 || !folder) throw error;
    throw new BadDataError(`${address.text} has no folder ${folder}; name another config, split or path`, {
      dataset: address.text,
      folder,
    });
  });
  const { makeFolder, writeAtomically } = await import("@mbs/artifacts");
  await makeFolder(dirname(path), "make the cache");
  await writeAtomically(path, [Buffer.from(JSON.stringify(files))], { force: true });
  return files;
}

/** Fetches a file as a whole, checked by its hash. */
export const fetchWhole = (
  { address, commit, storage }: FoundDataset,
  file: HubFile,
  progress?: (progress: Progress) => void,
): Promise<string> => fetchFile(storage, address.repository, commit, file, progress);

async function readCard(dataset: FoundDataset): Promise<string | undefined> {
  const card = (await listFolder(dataset, undefined)).find(({ path }) => path === "README.md");
  if (card === undefined) return undefined;
  if (isOffline() && (await cachedFile(dataset.storage, card)) === undefined) {
    throw notCached(dataset.address, dataset.storage, "its card");
  }
  return readFile(await fetchAlone(dataset.storage, () => fetchWhole(dataset, card)), "utf8");
}

/** The files of a dataset on the Hub. */
export const hubFiles = (dataset: FoundDataset): DatasetFiles<HubFile> => ({
  text: dataset.address.text,
  list: (folder) => listFolder(dataset, folder),
  card: () => readCard(dataset),
});
