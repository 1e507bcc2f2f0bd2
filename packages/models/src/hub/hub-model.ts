import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { BadDataError, InputOutputError, TryAgainError, UsageError } from "@mbs/contracts";
import { indexFile, singleFile } from "../checkpoint/weight-files.ts";
import { downloadFile, reasonOf } from "./hub-download.ts";
import type { HubFile } from "./hub-download.ts";

/** A model on the Hub at a revision. */
interface HubAddress {
  /** "org/name", or "name" for the oldest models. */
  readonly name: string;
  /** A branch, a tag or a commit; "main" where none is given. */
  readonly revision: string;
}

const scheme = "hf:";
const addressPattern = /^((?:[A-Za-z0-9][\w.-]*\/)?[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?$/;

/** Whether a model is named by its address on the Hub instead of a folder. */
const isHubAddress = (model: string): boolean => model.startsWith(scheme);

/** Parses "hf:org/name@revision". @throws {UsageError} when it is not of this form */
export function parseHubAddress(address: string): HubAddress {
  const [, name, revision = "main"] = addressPattern.exec(address.slice(scheme.length)) ?? [];
  // Both become parts of paths.
  if (name === undefined || `${name}/${revision}`.includes("..")) {
    throw new UsageError(`${address} is no model on the Hub; write hf:org/name or hf:org/name@revision`, { model: address });
  }
  return { name, revision };
}

const weights = /^model(-\d+-of-\d+)?\.safetensors$/;
const pickles = /\.(bin|pt|pth|pkl|ckpt)$/;
/** The other files of a model folder that are fetched. */
const described =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|model\.safetensors\.index)\.json$|^merges\.txt$|^chat_template\.jinja$|^README\.md$|^(LICEN[CS]E|NOTICE)(\.\w+)?$/;

const commit = /^[0-9a-f]{40}$/;
const waitMilliseconds = 500;

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const isOffline = (): boolean => /^(1|true|yes|on)$/i.test(process.env["HF_HUB_OFFLINE"] ?? "");
const endpoint = (): string => (process.env["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, "");
const tokenOf = (): string | undefined => process.env["HF_TOKEN"] || undefined;
const access = () => {
  const accessToken = tokenOf();
  return { hubUrl: endpoint(), ...(accessToken !== undefined && { accessToken }) };
};

/** Whether a snapshot has its configuration, tokenizer and every weight file. */
async function isComplete(snapshot: string): Promise<boolean> {
  const names = new Set(await readdir(snapshot).catch((): string[] => []));
  if (!names.has("config.json") || !names.has("tokenizer.json")) return false;
  let files = [singleFile];
  if (names.has(indexFile)) {
    const index = JSON.parse(await readFile(join(snapshot, indexFile), "utf8")) as { weight_map?: Record<string, string> };
    if (index.weight_map === undefined) return false;
    files = [...new Set(Object.values(index.weight_map))];
  }
  // a link whose target is gone does not exist
  const found = await Promise.all(files.map((file) => exists(join(snapshot, file))));
  return found.every(Boolean);
}

async function cachedCommit(storage: string, revision: string): Promise<string | undefined> {
  if (commit.test(revision)) return revision;
  return (await readFile(join(storage, "refs", revision), "utf8").catch(() => undefined))?.trim();
}

/** Asks the Hub; whatever fails becomes an error of one line. */
async function ask<Answer>(address: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question();
  } catch (cause) {
    const status = cause instanceof Error && "statusCode" in cause ? Number(cause.statusCode) : undefined;
    if (status !== undefined && status >= 400 && status < 500) {
      throw new BadDataError(
        `${address}: ${endpoint()} answers ${status}; check name and revision, and set HF_TOKEN where the model is private or gated`,
        { model: address, status },
        { cause },
      );
    }
    throw new InputOutputError(
      `${address}: cannot reach ${endpoint()} (${status ?? reasonOf(cause)}); check the network, or use --offline with a model that is in the cache`,
      { model: address, endpoint: endpoint() },
      { cause },
    );
  }
}

async function listFiles(address: string, name: string, sha: string): Promise<readonly HubFile[]> {
  const hub = await import("@huggingface/hub");
  const files: HubFile[] = [];
  await ask(address, async () => {
    const repo = { type: "model", name } as const;
    for await (const entry of hub.listFiles({ repo, revision: sha, ...access() })) {
      if (entry.type !== "file") continue;
      files.push({ path: entry.path, size: entry.size, etag: entry.lfs?.oid ?? entry.oid ?? "" });
    }
  });
  const wanted = files.filter(({ path }) => weights.test(path) || described.test(path));
  if (!wanted.some(({ path }) => weights.test(path))) {
    const pickled = files.map(({ path }) => path).filter((path) => pickles.test(path));
    throw new BadDataError(
      pickled.length > 0
        ? `${address} has its weights only as ${pickled.join(", ")}, which can run code when opened; take a revision or a copy with safetensors`
        : `${address} has no ${singleFile} and no shards of one; name another model or revision`,
      { model: address },
    );
  }
  const odd = wanted.find(({ etag }) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag));
  if (odd !== undefined) throw new BadDataError(`${address}: ${odd.path} has no hash to check it by`, { model: address });
  return wanted;
}

async function linkFile(storage: string, sha: string, { path, etag, size }: HubFile, url: string): Promise<void> {
  const [blob, link] = [join(storage, "blobs", etag), join(storage, "snapshots", sha, path)];
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(dirname(link), { recursive: true });
  if ((await stat(blob).catch(() => undefined))?.size !== size) await downloadFile(url, tokenOf(), { path, etag, size }, blob);
  if (await exists(link)) return;
  await rm(link, { force: true });
  await symlink(relative(dirname(link), blob), link);
}

/** Lets one process at a time fetch a model; the others of a pipe wait for it. */
async function alone(path: string, work: () => Promise<void>): Promise<void> {
  // imported late: it loads all of @mbs/artifacts, which a model in a folder does not need
  const { withLock } = await import("@mbs/artifacts");
  for (;;) {
    try {
      return await withLock(path, work);
    } catch (error) {
      if (!(error instanceof TryAgainError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
    }
  }
}

async function fetchSnapshot(address: string, { name, revision }: HubAddress, storage: string): Promise<string> {
  const hub = await import("@huggingface/hub");
  const { sha } = await ask(address, () => hub.modelInfo({ name, revision, additionalFields: ["sha"], ...access() }));
  if (!commit.test(sha)) throw new BadDataError(`${address}: ${endpoint()} names no commit`, { model: address });
  const snapshot = join(storage, "snapshots", sha);
  await mkdir(storage, { recursive: true });
  await alone(join(storage, "mbs-fetch"), async () => {
    if (!(await isComplete(snapshot))) {
      for (const file of await listFiles(address, name, sha)) {
        await linkFile(storage, sha, file, `${endpoint()}/${name}/resolve/${sha}/${encodeURIComponent(file.path)}`);
      }
    }
    if (revision === sha) return;
    const ref = join(storage, "refs", revision);
    await mkdir(dirname(ref), { recursive: true });
    await writeFile(`${ref}.tmp`, sha);
    await rename(`${ref}.tmp`, ref);
  });
  return snapshot;
}

async function findModel(address: string): Promise<string> {
  const parsed = parseHubAddress(address);
  const { getHFHubCachePath, getRepoFolderName } = await import("@huggingface/hub");
  const storage = join(getHFHubCachePath(), getRepoFolderName({ type: "model", name: parsed.name }));
  const sha = await cachedCommit(storage, parsed.revision);
  // a commit never changes; a branch may, so that its commit in the cache counts only offline
  if (sha !== undefined && (isOffline() || sha === parsed.revision)) {
    const snapshot = join(storage, "snapshots", sha);
    if (await isComplete(snapshot)) return snapshot;
  }
  if (isOffline()) {
    throw new InputOutputError(`${address} is not in ${storage}, and the program is offline; run once with a network`, {
      model: address,
      folder: storage,
    });
  }
  return fetchSnapshot(address, parsed, storage);
}

const known = new Map<string, Promise<string>>();

/**
 * The folder of a model on the Hub, fetched into the cache that Hugging Face's own programs use: configuration,
 * tokenizer and safetensors, each checked against its hash, never pickles. The process remembers the folder.
 *
 * HF_HOME and HF_HUB_CACHE name the cache, HF_ENDPOINT the Hub, HF_TOKEN the user; HF_HUB_OFFLINE=1 forbids the network.
 *
 * @param address "hf:org/name@revision"
 * @throws {InputOutputError} when the Hub cannot be reached, or the model is not in the cache of an offline program
 * @throws {BadDataError} when there is no such model, it has no safetensors, or what came is not what was announced
 */
export function fetchHubModel(address: string): Promise<string> {
  const folder = known.get(address) ?? findModel(address);
  known.set(address, folder);
  folder.catch(() => known.delete(address));
  return folder;
}

/**
 * The folder of a model that is named by its folder, or by "hf:org/name@revision", which is fetched first.
 *
 * @returns an absolute path
 */
export const modelFolder = async (name: string): Promise<string> =>
  resolve(isHubAddress(name) ? await fetchHubModel(name) : name);
