import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { TryAgainError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { downloadFile } from "./download-file.ts";
import type { HubFile } from "./download-file.ts";
import { tokenOf } from "./hub-access.ts";
import type { HubRepository } from "./hub-access.ts";
import { fileUrl, isCommit } from "./hub-files.ts";

const waitMilliseconds = 500;

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The folder of a repository in the cache that Hugging Face's own programs use; HF_HUB_CACHE or HF_HOME move it. */
export async function cacheFolder(repository: HubRepository): Promise<string> {
  const { getHFHubCachePath, getRepoFolderName } = await import("@huggingface/hub");
  return join(getHFHubCachePath(), getRepoFolderName({ ...repository }));
}

/** The folder with the files of a commit, as links into `blobs`. */
export const snapshotFolder = (storage: string, commit: string): string => join(storage, "snapshots", commit);

/** The commit that a revision named when it was last asked for; undefined where it never was. */
export async function cachedCommit(storage: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  return (await readFile(join(storage, "refs", revision), "utf8").catch(() => undefined))?.trim();
}

/** Notes which commit a branch or tag names. */
export async function recordCommit(storage: string, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const ref = join(storage, "refs", revision);
  await mkdir(dirname(ref), { recursive: true });
  await writeFile(`${ref}.tmp`, commit);
  await rename(`${ref}.tmp`, ref);
}

/** The path of a file that is in the cache as a whole; undefined where it is not. */
export async function cachedFile(storage: string, { etag, size }: HubFile): Promise<string | undefined> {
  const blob = join(storage, "blobs", etag);
  return (await stat(blob).catch(() => undefined))?.size === size ? blob : undefined;
}

/**
 * Fetches a file into the snapshot of its commit, unless it is there.
 *
 * @param progress called while bytes come
 * @returns its path
 * @throws as downloadFile
 */
export async function fetchFile(
  storage: string,
  repository: HubRepository,
  commit: string,
  file: HubFile,
  progress?: (progress: Progress) => void,
): Promise<string> {
  const [blob, link] = [join(storage, "blobs", file.etag), join(snapshotFolder(storage, commit), file.path)];
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(dirname(link), { recursive: true });
  if ((await cachedFile(storage, file)) === undefined) {
    await downloadFile(fileUrl(repository, commit, file.path), tokenOf(), file, blob, progress);
  }
  if (await exists(link)) return link;
  await rm(link, { force: true });
  await symlink(relative(dirname(link), blob), link);
  return link;
}

/**
 * Lets one process at a time fetch into a repository's folder, which is made; the others of a pipe wait for it.
 *
 * @throws as makeFolder, and as `work`
 */
export async function fetchAlone<Result>(storage: string, work: () => Promise<Result>): Promise<Result> {
  // imported late: it loads all of @mbs/artifacts, which a model in a folder does not need
  const { makeFolder, withLock } = await import("@mbs/artifacts");
  await makeFolder(storage, "make the cache");
  for (;;) {
    try {
      return await withLock(join(storage, "mbs-fetch"), work);
    } catch (error) {
      if (!(error instanceof TryAgainError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
    }
  }
}
