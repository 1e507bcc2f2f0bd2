import { BadDataError, isObject } from "@mbs/contracts";
import { parse } from "yaml";
import type { DatasetPreset } from "./dataset-presets.ts";

/** The files of a dataset: on the Hub, or in a folder. */
export interface DatasetFiles<File extends { readonly path: string }> {
  /** For messages. */
  readonly text: string;
  /** The files of a folder and of those in it, "" for all, with paths from the dataset's top. */
  list(folder: string): Promise<readonly File[]>;
  /** The text of its card, README.md; undefined where it has none. */
  card(): Promise<string | undefined>;
}

/** Which files of a dataset are wanted. */
export interface WantedShards {
  readonly config: string | undefined;
  readonly split: string | undefined;
  /** Pattern of the files: `*` within a folder, `**` over folders. Config and split do not count beside it. */
  readonly path: string | undefined;
}

/** How a user names config and split, for messages. */
export interface ShardKeys {
  readonly config: string;
  readonly split: string;
}

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

async function filesLike<File extends { readonly path: string }>(
  dataset: DatasetFiles<File>,
  pattern: string,
): Promise<readonly File[]> {
  const expression = expressionOf(pattern);
  const files = await dataset.list(folderOf(pattern));
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

/** The configs of a card; none where it is no YAML. */
function cardConfigs(text: string): readonly CardConfig[] {
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
  dataset: DatasetFiles<{ readonly path: string }>,
  { config, split = "train" }: WantedShards,
  keys: ShardKeys,
): Promise<readonly string[] | undefined> {
  const configs = cardConfigs((await dataset.card()) ?? "");
  if (configs.length === 0) return undefined;
  const { text } = dataset;
  const chosen =
    config === undefined
      ? (configs.find(({ isDefault, name }) => isDefault || name === "default") ??
        (configs.length === 1 ? configs[0] : undefined))
      : configs.find(({ name }) => name === config);
  if (chosen === undefined) {
    const problem = config === undefined ? "no config is the default" : `there is no config ${config}`;
    throw new BadDataError(`${text}: ${problem}; name one with ${keys.config}: ${some(configs.map(({ name }) => name))}`, {
      dataset: text,
    });
  }
  if (chosen.splits.size === 0) return undefined;
  const patterns = chosen.splits.get(split);
  if (patterns !== undefined) return patterns;
  throw new BadDataError(
    `${text}: config ${chosen.name} has no split ${split}; name one with ${keys.split}: ${some(chosen.splits.keys())}`,
    {
      dataset: text,
    },
  );
}

/** Other names of files of a split, in the words of the Hub's own convention. */
const splitNames: ReadonlyMap<string, readonly string[]> = new Map([
  ["train", ["training"]],
  ["validation", ["valid", "val", "dev"]],
  ["test", ["testing", "eval", "evaluation"]],
]);

/** Files in a folder of the config's name, and with the split's name in theirs or in a folder's. */
async function conventionalFiles<File extends { readonly path: string }>(
  dataset: DatasetFiles<File>,
  { config, split }: WantedShards,
): Promise<readonly File[]> {
  const files = (await dataset.list("")).filter(({ path }) => readable.test(path));
  const inConfig = config === undefined ? files : files.filter(({ path }) => path.split("/").slice(0, -1).includes(config));
  const inSplit = (name: string): readonly File[] => {
    const word = new RegExp(`(?:^|[/_.-])${name.replaceAll(/[^\w]/g, "\\$&")}(?:[/_.-]|$)`);
    return inConfig.filter(({ path }) => word.test(path));
  };
  const named = [split ?? "train", ...(splitNames.get(split ?? "train") ?? [])];
  const found = named.map(inSplit).find(({ length }) => length > 0) ?? [];
  return found.length > 0 || split !== undefined ? found : inConfig;
}

/** Files, and in words where they were looked for. */
export interface FoundShards<File> {
  /** In the order of their paths; none where there are none. */
  readonly shards: readonly File[];
  readonly where: string;
}

/**
 * The files of a config and split: by a pattern, a preset, the dataset's card, or the names of its folders.
 *
 * @throws {BadDataError} where the card has other configs or splits
 */
export async function findShards<File extends { readonly path: string }>(
  dataset: DatasetFiles<File>,
  wanted: WantedShards,
  preset: DatasetPreset | undefined,
  keys: ShardKeys,
): Promise<FoundShards<File>> {
  const { config = "", split = preset?.splits[0] ?? "train" } = wanted;
  const presetPath = preset?.path.replaceAll("{config}", config).replaceAll("{split}", split);
  const path = wanted.path ?? presetPath;
  const patterns = path === undefined ? await cardPatterns(dataset, wanted, keys) : [path];
  const found =
    patterns === undefined
      ? await conventionalFiles(dataset, wanted)
      : (await Promise.all(patterns.map((pattern) => filesLike(dataset, pattern)))).flat();
  return {
    shards: [...new Map(found.map((file) => [file.path, file])).values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    where: patterns?.join(", ") ?? `config ${wanted.config ?? "of any name"} and split ${split}`,
  };
}
