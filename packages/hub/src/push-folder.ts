import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BadDataError, DeniedError, FailedPreconditionError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { isWhole } from "./download-file.ts";
import { fetchProgress } from "./fetch-progress.ts";
import { access, ask, endpoint, tokenOf } from "./hub-access.ts";
import type { HubAddress } from "./hub-access.ts";
import { askForCommit, isCommit, listFiles } from "./hub-files.ts";

/** A file of a folder, beside what the repository has under its name. */
export interface PushFile {
  readonly path: string;
  readonly size: number;
  /** "changed": the repository has other content there, which a push replaces. */
  readonly state: "new" | "changed" | "same";
}

/** What a push would do. */
export interface PushPlan {
  /** The newest commit, which `files` are compared with; undefined where there is no repository. */
  readonly parent: string | undefined;
  readonly files: readonly PushFile[];
}

/** @throws {DeniedError} without a token: nobody can write then */
function requireToken({ text }: HubAddress): string {
  const token = tokenOf();
  if (token !== undefined) return token;
  throw new DeniedError(
    `${text}: there is no token of the Hub; make one that may write at ${endpoint()}/settings/tokens, and put it into HF_TOKEN or log in with hf auth login`,
    { model: text },
  );
}

const statusOf = (error: unknown): unknown => (error instanceof BadDataError ? error.facts["status"] : undefined);

/** Paths of the files below a folder, without those whose name, or whose folder's, begins with a dot. */
async function localFiles(folder: string): Promise<readonly { path: string; size: number }[]> {
  const paths = await readdir(folder, { recursive: true });
  const plain = paths.filter((path) => !path.split("/").some((part) => part.startsWith("."))).toSorted();
  const found = await Promise.all(plain.map(async (path) => ({ path, entry: await stat(join(folder, path)) })));
  return found.filter(({ entry }) => entry.isFile()).map(({ path, entry }) => ({ path, size: entry.size }));
}

/**
 * Compares a folder with the newest commit of a repository.
 *
 * @throws {DeniedError} without a token
 * @throws {BadDataError} where access is denied
 * @throws {InputOutputError} where the Hub cannot be reached
 */
export async function planPush(address: HubAddress, folder: string): Promise<PushPlan> {
  requireToken(address);
  const parent = await askToWrite(address, () => askForCommit(address)).catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined;
    throw error;
  });
  const there = new Map((parent === undefined ? [] : await listFiles(address, parent, "")).map((file) => [file.path, file]));
  const files: PushFile[] = [];
  for (const { path, size } of await localFiles(folder)) {
    const old = there.get(path);
    const same = old !== undefined && old.size === size && (await isWhole(join(folder, path), old));
    files.push({ path, size, state: old === undefined ? "new" : same ? "same" : "changed" });
  }
  return { parent, files };
}

/** Says what to do where the Hub refuses the token, or another commit came first; `ask` says it for other refusals. */
async function askToWrite<Answer>(address: HubAddress, question: () => Promise<Answer>): Promise<Answer> {
  const { text } = address;
  try {
    return await ask(address, question);
  } catch (cause) {
    const status = statusOf(cause);
    if (status === 401 || status === 403) {
      throw new DeniedError(
        `${text}: the token may not write there (${status}); take one with the right to write, and a name of your own or of your organisation`,
        { model: text, status },
        { cause },
      );
    }
    if (status === 412) {
      throw new FailedPreconditionError(
        `${text} has changed since it was looked at, and nothing was written; run again to see what there is now`,
        { model: text, status },
        { cause },
      );
    }
    throw cause;
  }
}

/**
 * Makes a repository for a model.
 *
 * @returns its first commit
 * @throws {DeniedError} where the user may not
 */
export async function createRepository(address: HubAddress, visibility: "public" | "private"): Promise<string> {
  const { createRepo } = await import("@huggingface/hub");
  const accessToken = requireToken(address);
  await askToWrite(address, () => createRepo({ repo: address.repository, visibility, ...access(), accessToken }));
  return askForCommit(address);
}

/** The files of a push that a commit lacks, or has with other content. */
async function lackingFiles(
  address: HubAddress,
  folder: string,
  { files }: Pick<PushPlan, "files">,
  commit: string,
): Promise<string[]> {
  const there = new Map((await listFiles(address, commit, "")).map((file) => [file.path, file]));
  const lacking: string[] = [];
  for (const { path, size, state } of files) {
    if (state === "same") continue;
    const stored = there.get(path);
    if (stored?.size !== size || !(await isWhole(join(folder, path), stored))) lacking.push(path);
  }
  return lacking;
}

/** What a push needs. */
interface PushContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

/** Uploads and commits. @returns the commit that the Hub names */
async function writeFiles(
  address: HubAddress,
  folder: string,
  { parent, files }: PushPlan & { readonly parent: string },
  title: string,
  { signal, progress }: PushContext,
): Promise<string> {
  const { commitIter } = await import("@huggingface/hub");
  const accessToken = requireToken(address);
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const operations = files
    .filter(({ state }) => state !== "same")
    .map(({ path }) => ({ operation: "addOrUpdate" as const, path, content: pathToFileURL(join(folder, path)) }));
  // without Xet: its client is not needed for files that are written once
  const settings = { parentCommit: parent, useXet: false, abortSignal: signal, ...access(), accessToken };
  const steps = commitIter({ repo: address.repository, title, operations, ...settings });
  for (;;) {
    const { done, value } = await steps.next();
    if (done) {
      const commit: unknown = value?.commit.oid;
      if (typeof commit === "string" && isCommit(commit)) return commit;
      throw new BadDataError(`${address.text}: ${endpoint()} names no commit, so it is not known what it has; push again`);
    }
    if (value.event !== "fileProgress") continue;
    const size = sizes.get(value.path) ?? 0;
    const what = value.state === "hashing" ? "hash" : "upload";
    progress({ ...fetchProgress(value.path, value.progress * size, size), activity: `${what} ${value.path}` });
  }
}

/** Where an answer was lost after all was written: the newest commit, if it has all files. */
async function commitWithAll(address: HubAddress, folder: string, plan: PushPlan): Promise<string | undefined> {
  const newest = await askForCommit(address);
  if (newest === plan.parent || (await lackingFiles(address, folder, plan, newest)).length > 0) return undefined;
  return newest;
}

/**
 * Writes the new and changed files of a folder as one commit, and asks the Hub whether it has them. Files of the repository that the
 * folder lacks stay.
 *
 * @param plan its parent is the commit that the files were compared with: where there is a later one, nothing is written
 * @returns the commit
 * @throws {FailedPreconditionError} where there is a later one
 * @throws {DeniedError} where the user may not write
 * @throws {BadDataError} where the commit does not have what was sent
 */
export async function pushFiles(
  address: HubAddress,
  folder: string,
  plan: PushPlan & { readonly parent: string },
  title: string,
  context: PushContext,
): Promise<{ readonly commit: string; readonly url: string }> {
  const urlOf = (commit: string) => ({ commit, url: `${endpoint()}/${address.repository.name}/commit/${commit}` });
  let commit: string;
  try {
    commit = await askToWrite(address, () => writeFiles(address, folder, plan, title, context));
  } catch (error) {
    context.signal.throwIfAborted();
    const found = await commitWithAll(address, folder, plan).catch(() => undefined);
    if (found === undefined) throw error;
    return urlOf(found);
  }
  const lacking = await lackingFiles(address, folder, plan, commit);
  if (lacking.length === 0) return urlOf(commit);
  throw new BadDataError(
    `${address.text}: its commit ${commit} does not have ${lacking.join(", ")} as the folder has; push again once nothing changes the folder`,
    { model: address.text },
  );
}
