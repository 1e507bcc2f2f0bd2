import { BadDataError } from "@mbs/contracts";
import type { HubFile } from "./download-file.ts";
import { access, ask, endpoint } from "./hub-access.ts";
import type { HubAddress, HubRepository } from "./hub-access.ts";

const commitPattern = /^[0-9a-f]{40}$/;

/** Whether a revision is a commit, which never changes. */
export const isCommit = (revision: string): boolean => commitPattern.test(revision);

/**
 * The commit that a revision names now.
 *
 * @throws {BadDataError} when there is no such repository or revision, or access to it is denied
 * @throws {InputOutputError} when the Hub cannot be reached
 */
export async function askForCommit(address: HubAddress): Promise<string> {
  const { modelInfo, datasetInfo } = await import("@huggingface/hub");
  const { revision, text } = address;
  const { type, name } = address.repository;
  const wanted = { name, revision, additionalFields: ["sha"] as "sha"[], ...access() };
  const { sha } = await ask(address, () => (type === "model" ? modelInfo(wanted) : datasetInfo(wanted)));
  if (!isCommit(sha)) throw new BadDataError(`${text}: ${endpoint()} names no commit`, { [type]: text });
  return sha;
}

/** Of a thousand files each. */
const mostPages = 1000;

/**
 * The files of a repository at a commit.
 *
 * @param folder lists this folder and those in it, "" all of them; absent: the files at the top alone
 * @throws as askForCommit
 */
export async function listFiles(address: HubAddress, commit: string, folder?: string): Promise<readonly HubFile[]> {
  const hub = await import("@huggingface/hub");
  const files: HubFile[] = [];
  await ask(address, async () => {
    const where = folder === undefined ? {} : { path: folder, recursive: true };
    const { fetch: fetchPage, ...rest } = access();
    let pages = 0;
    const fetch: typeof fetchPage = (input, init) => {
      if (++pages > mostPages) throw new BadDataError(`${address.text}: ${endpoint()} lists files without end; name another Hub`);
      return fetchPage(input, init);
    };
    for await (const entry of hub.listFiles({ repo: address.repository, revision: commit, ...where, ...rest, fetch })) {
      if (entry.type !== "file") continue;
      // it becomes a part of a path here
      if (entry.path.split(/[/\\]/).some((part) => part === ".." || part === "")) {
        throw new BadDataError(`${address.text}: ${endpoint()} lists a file ${JSON.stringify(entry.path)}; name another Hub`);
      }
      files.push({ path: entry.path, size: entry.size, etag: entry.lfs?.oid ?? entry.oid ?? "" });
    }
  });
  return files;
}

/**
 * Refuses files that cannot be checked.
 *
 * @throws {BadDataError} on a file without a hash
 */
export function requireHashes({ text, repository }: HubAddress, files: readonly HubFile[]): void {
  const odd = files.find(({ etag }) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag));
  if (odd !== undefined) throw new BadDataError(`${text}: ${odd.path} has no hash to check it by`, { [repository.type]: text });
}

/** Where the bytes of a file are. */
export const fileUrl = ({ type, name }: HubRepository, commit: string, path: string): string =>
  `${endpoint()}/${type === "dataset" ? "datasets/" : ""}${name}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
