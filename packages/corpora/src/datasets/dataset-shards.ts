import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError, InputOutputError, isObject } from "@mbs/contracts";
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
  requireHashes,
} from "@mbs/hub";
import type { HubAddress, HubFile } from "@mbs/hub";
import { parse } from "yaml";
import type { DatasetName } from "./dataset-name.ts";
import { datasetPresets } from "./dataset-presets.ts";

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
  const found = known.get(key) ?? findDataset(address);
  known.set(key, found);
  found.catch(() => known.delete(key));
  return found;
}

/** The files of a folder at a commit, asked for once: a commit never changes. */
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
  const { writeAtomically } = await import("@mbs/artifacts");
  await mkdir(join(storage, "mbs-listings", commit), { recursive: true });
  await writeAtomically(path, [Buffer.from(JSON.stringify(files))], { force: true });
  return files;
}

/** Fetches a file as a whole, checked by its hash. */
export const fetchWhole = (
  { address, commit, storage }: FoundDataset,
  file: HubFile,
  progress?: (progress: Progress) => void,
): Promise<string> => fetchFile(storage, address.repository, commit, file, progress);

const readable = /\.(?:parquet|jsonl?|jsonl?\.gz)$/;

/** Pattern → expression over whole paths. */
function expressionOf(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (piece) => {
    if (piece === "**/") return "(?:.*/)?";
    if (piece === "**") return ".*";
    if (piece === "*") return "[^/]*";
    return piece === "?" ? "[^/]" : piece.replaceAll(/[\\^$.|+()[\]{}]/g, "\\$&");
  });
  return new RegExp(`^${source}$`);
}

/** The folder that a pattern's files are in. */
function folderOf(pattern: string): string {
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?]/.test(part));
  return parts.slice(0, wild < 0 ? -1 : Math.min(wild, parts.length - 1)).join("/");
}

async function filesLike(dataset: FoundDataset, pattern: string): Promise<readonly HubFile[]> {
  const expression = expressionOf(pattern);
  const files = await listFolder(dataset, folderOf(pattern));
  return files.filter(({ path }) => expression.test(path) && readable.test(path));
}

/** `configs` of a dataset's card: https://huggingface.co/docs/hub/datasets-manual-configuration */
interface CardConfig {
  readonly name: string;
  readonly isDefault: boolean;
  /** Split → patterns. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
}

const listOf = (value: unknown): readonly unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
const textsOf = (value: unknown): readonly string[] => listOf(value).filter((text) => typeof text === "string");

function readConfig(value: unknown): CardConfig | undefined {
  if (!isObject(value) || typeof value["config_name"] !== "string") return undefined;
  const splits = new Map<string, string[]>();
  const add = (split: string, patterns: readonly string[]): unknown =>
    splits.set(split, [...(splits.get(split) ?? []), ...patterns]);
  for (const entry of listOf(value["data_files"])) {
    if (typeof entry === "string") add("train", [entry]);
    else if (isObject(entry) && typeof entry["split"] === "string") add(entry["split"], textsOf(entry["path"]));
  }
  return { name: value["config_name"], isDefault: value["default"] === true, splits };
}

/** The configs of the card; none where it has none, or is no YAML. */
async function cardConfigs(dataset: FoundDataset): Promise<readonly CardConfig[]> {
  const card = (await listFolder(dataset, undefined)).find(({ path }) => path === "README.md");
  if (card === undefined) return [];
  if (isOffline() && (await cachedFile(dataset.storage, card)) === undefined) {
    throw notCached(dataset.address, dataset.storage, "its card");
  }
  const text = await readFile(await fetchAlone(dataset.storage, () => fetchWhole(dataset, card)), "utf8");
  const [, metadata = ""] = /^---\r?\n([^]*?)\r?\n---/.exec(text) ?? [];
  try {
    const value: unknown = parse(metadata, { maxAliasCount: 0, logLevel: "error" });
    return isObject(value) ? listOf(value["configs"]).flatMap((config) => readConfig(config) ?? []) : [];
  } catch {
    return [];
  }
}

const some = (names: Iterable<string>): string => {
  const all = [...names];
  return all.length > 20 ? `${all.slice(0, 20).join(", ")} and ${all.length - 20} more` : all.join(", ");
};

/** Patterns by the card; undefined where it has no configs. */
async function cardPatterns(
  dataset: FoundDataset,
  { config, split = "train" }: DatasetName,
): Promise<readonly string[] | undefined> {
  const configs = await cardConfigs(dataset);
  if (configs.length === 0) return undefined;
  const { text } = dataset.address;
  const chosen =
    config === undefined
      ? (configs.find(({ isDefault, name }) => isDefault || name === "default") ??
        (configs.length === 1 ? configs[0] : undefined))
      : configs.find(({ name }) => name === config);
  if (chosen === undefined) {
    const problem = config === undefined ? "no config is the default" : `there is no config ${config}`;
    throw new BadDataError(`${text}: ${problem}; name one with config=: ${some(configs.map(({ name }) => name))}`, {
      dataset: text,
    });
  }
  if (chosen.splits.size === 0) return undefined;
  const patterns = chosen.splits.get(split);
  if (patterns !== undefined) return patterns;
  throw new BadDataError(
    `${text}: config ${chosen.name} has no split ${split}; name one with split=: ${some(chosen.splits.keys())}`,
    {
      dataset: text,
    },
  );
}

/** Files in a folder of the config's name, and with the split's name in theirs or in a folder's. */
async function conventionalFiles(dataset: FoundDataset, { config, split }: DatasetName): Promise<readonly HubFile[]> {
  const files = (await listFolder(dataset, "")).filter(({ path }) => readable.test(path));
  const inConfig = config === undefined ? files : files.filter(({ path }) => path.split("/").slice(0, -1).includes(config));
  const word = new RegExp(`(?:^|[/_.-])${(split ?? "train").replaceAll(/[^\w]/g, "\\$&")}(?:[/_.-]|$)`);
  const inSplit = inConfig.filter(({ path }) => word.test(path));
  return inSplit.length > 0 || split !== undefined ? inSplit : inConfig;
}

/**
 * The files of the texts that a name stands for, in the order of their paths: by its `path`, a preset, the dataset's card, or the
 * names of its folders.
 *
 * @throws {BadDataError} where there are none, or none that can be read
 */
export async function findShards(dataset: FoundDataset, name: DatasetName): Promise<readonly HubFile[]> {
  const preset = datasetPresets.get(dataset.address.repository.name);
  const { config = "", split = preset?.splits[0] ?? "train" } = name;
  const presetPath = preset?.path.replaceAll("{config}", config).replaceAll("{split}", split);
  const path = name.path ?? presetPath;
  const patterns = path === undefined ? await cardPatterns(dataset, name) : [path];
  const found =
    patterns === undefined
      ? await conventionalFiles(dataset, name)
      : (await Promise.all(patterns.map((pattern) => filesLike(dataset, pattern)))).flat();
  const shards = [...new Map(found.map((file) => [file.path, file])).values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  if (shards.length === 0) {
    const where = patterns?.join(", ") ?? `config ${name.config ?? "of any name"} and split ${split}`;
    throw new BadDataError(
      `${dataset.address.text} has no .parquet, .jsonl or .jsonl.gz file for ${where}; name them with config=, split= or path=`,
      { dataset: dataset.address.text },
    );
  }
  requireHashes(dataset.address, shards);
  return shards;
}
