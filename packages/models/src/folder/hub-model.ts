import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { BadDataError, InputOutputError, once, UsageError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import {
  askForCommit,
  cachedCommit,
  cacheFolder,
  fetchAlone,
  fetchFile,
  isOffline,
  listFiles,
  parseRepository,
  pinnedAddress,
  recordCommit,
  requireHashes,
  revisionsOf,
  snapshotFolder,
} from "@mbs/hub";
import type { HubAddress, HubFile, Revisions } from "@mbs/hub";
import { hasTokenizer, tokenizerSources } from "./folder-tokenizer.ts";
import { indexFile, singleFile } from "../checkpoint/weight-files.ts";

const scheme = "hf:";

/** Whether a model is named by its address on the Hub instead of a folder. */
const isHubAddress = (model: string): boolean => model.startsWith(scheme);

/** Parses "hf:org/name@revision". @throws {UsageError} when it is not of this form */
export function parseHubAddress(address: string): HubAddress {
  const { name, revision = "main" } = parseRepository(address.slice(scheme.length)) ?? {};
  // Both become parts of paths.
  if (name === undefined || `${name}/${revision}`.includes("..")) {
    throw new UsageError(`${address} is no model on the Hub; write hf:org/name or hf:org/name@revision`, { model: address });
  }
  return { repository: { type: "model", name }, revision, text: address };
}

const weights = /^model(-\d+-of-\d+)?\.safetensors$/;
const pickles = /\.(bin|pt|pth|pkl|ckpt)$/;
/** The other files of a model folder that are fetched. */
const described =
  /^(config|generation_config|tokenizer_config|special_tokens_map|added_tokens|chat_template|model\.safetensors\.index|((video_)?pre)?processor_config|modules|sentence_bert_config|config_sentence_transformers)\.json$|^1_Pooling\/config\.json$|^chat_template\.jinja$|^README\.md$|^(LICEN[CS]E|NOTICE)(\.\w+)?$/;

/**
 * When a file is fetched: files of tokenizers last, so that a snapshot with one has the files that say how it is read, and
 * tokenizer.json, which counts where there are several, before the others.
 */
const turnOf = (path: string): number => (path === "tokenizer.json" ? 1 : tokenizerSources.has(path) ? 2 : 0);

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Whether a snapshot has its configuration, tokenizer and every weight file. */
async function isComplete(snapshot: string): Promise<boolean> {
  const names = new Set(await readdir(snapshot).catch((): string[] => []));
  if (!names.has("config.json") || !hasTokenizer(names)) return false;
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

async function listModelFiles(address: HubAddress, commit: string): Promise<readonly HubFile[]> {
  const files = await listFiles(address, commit);
  const wanted = files
    .filter(({ path }) => weights.test(path) || described.test(path) || turnOf(path) > 0)
    .sort((a, b) => turnOf(a.path) - turnOf(b.path));
  if (!wanted.some(({ path }) => weights.test(path))) {
    const pickled = files.map(({ path }) => path).filter((path) => pickles.test(path));
    throw new BadDataError(
      pickled.length > 0
        ? `${address.text} has its weights only as ${pickled.join(", ")}, which can run code when opened; take a revision or a copy with safetensors`
        : `${address.text} has no ${singleFile} and no shards of one; name another model or revision`,
      { model: address.text },
    );
  }
  requireHashes(address, wanted);
  return wanted;
}

async function fetchSnapshot(address: HubAddress, storage: string, progress?: (progress: Progress) => void): Promise<string> {
  const commit = await askForCommit(address);
  const snapshot = snapshotFolder(storage, commit);
  await fetchAlone(storage, async () => {
    if (!(await isComplete(snapshot))) {
      for (const file of await listModelFiles(address, commit)) {
        await fetchFile(storage, address.repository, commit, file, progress);
      }
    }
    await recordCommit(storage, address.revision, commit);
  });
  return snapshot;
}

async function findModel(address: HubAddress, progress?: (progress: Progress) => void): Promise<string> {
  const { text } = address;
  const storage = await cacheFolder(address.repository);
  const commit = await cachedCommit(storage, address.revision);
  // a commit never changes; a branch may, so that its commit in the cache counts only offline
  if (commit !== undefined && (isOffline() || commit === address.revision)) {
    const snapshot = snapshotFolder(storage, commit);
    if (await isComplete(snapshot)) return snapshot;
  }
  if (isOffline()) {
    throw new InputOutputError(`${text} is not in ${storage}, and the program is offline; run once with a network`, {
      model: text,
      folder: storage,
    });
  }
  return fetchSnapshot(address, storage, progress);
}

const known = new Map<string, Promise<string>>();

/**
 * The folder of a model on the Hub, fetched into the cache that Hugging Face's own programs use: configuration,
 * tokenizer and safetensors, each checked against its hash, never pickles. The process remembers the folder.
 *
 * HF_HOME and HF_HUB_CACHE name the cache, HF_ENDPOINT the Hub, HF_TOKEN the user; HF_HUB_OFFLINE=1 forbids the network.
 *
 * @param name "hf:org/name@revision"
 * @param progress called while the bytes of a file come
 * @throws {InputOutputError} when the Hub cannot be reached, or the model is not in the cache of an offline program
 * @throws {BadDataError} when there is no such model, it has no safetensors, or what came is not what was announced
 */
export async function fetchHubModel(name: string, progress?: (progress: Progress) => void): Promise<string> {
  const address = pinnedAddress(parseHubAddress(name));
  const key = `${address.repository.name}@${address.revision}`;
  return once(known, key, () => findModel(address, progress));
}

/** A model on the Hub at the commit that its revision names. */
export interface PinnedModel {
  /** The model's name with its commit. */
  readonly pinnedName: string;
  readonly revisions: Revisions;
}

/**
 * Which commit a model's name stands for.
 *
 * @returns undefined for a path
 * @throws as fetchHubModel
 */
export async function pinModel(name: string): Promise<PinnedModel | undefined> {
  if (!isHubAddress(name)) return undefined;
  const address = parseHubAddress(name);
  // a snapshot's folder is named after its commit
  const commit = basename(await fetchHubModel(name));
  return { pinnedName: `${scheme}${address.repository.name}@${commit}`, revisions: revisionsOf([[address, commit]]) };
}

/**
 * The folder of a model that is named by its folder, or by "hf:org/name@revision", which is fetched first.
 *
 * @returns an absolute path
 */
export const modelFolder = async (name: string, progress?: (progress: Progress) => void): Promise<string> =>
  resolve(isHubAddress(name) ? await fetchHubModel(name, progress) : name);
