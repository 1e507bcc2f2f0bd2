import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BadDataError, MbsError, UsageError } from "@mbs/contracts";
import { includedPaths, readText } from "../yaml/merged-settings.ts";
import { parseYaml, type YamlValue } from "../yaml/read-yaml.ts";

const catalogueKeys = ["task", "group", "tag", "include", "class"] as const;

/** The settings that tell what a task file defines. */
type CatalogueKey = (typeof catalogueKeys)[number];

/** The beginning of a file that is one flow mapping: `{task: t, …}`. */
const flowMapping = /^(?:\s|[#%][^\n]*\n|---(?=\s))*\{/;
const keyLine = /^(["']?)(task|group|tag|include|class)\1[ \t]*:(.*(?:\n(?![A-Za-z_"'][^:\n]*:).*)*)/gm;
const plainName = /^[ \t]*(["']?)([A-Za-z][\w./-]*)\1[ \t\r]*(?:#.*)?\n*$/;
const words = /^(?:null|true|false|yes|no|on|off)$/i;

/**
 * The settings of a task file that the catalogue needs, by the lines that they stand on: reading 14,000 files as YAML would
 * take a minute. A file that has none of them at the beginning of a line is read as YAML.
 */
function scanKeys(text: string, path: string): Map<CatalogueKey, YamlValue> {
  const found = new Map<CatalogueKey, YamlValue>();
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (flowMapping.test(source)) return parseKeys(source, path);
  for (const { 2: key = "", 3: rest = "" } of source.matchAll(keyLine)) {
    const name = plainName.exec(rest)?.[2];
    found.set(key as CatalogueKey, name === undefined || words.test(name) ? parseValue(rest, path) : name);
  }
  return found.size > 0 ? found : parseKeys(source, path);
}

function parseKeys(text: string, path: string): Map<CatalogueKey, YamlValue> {
  const parsed = parseYaml(text, path, dirname(path));
  const settings = parsed instanceof Map ? parsed : new Map<YamlValue, YamlValue>();
  return new Map(catalogueKeys.flatMap((key) => (settings.has(key) ? [[key, settings.get(key) ?? null]] : [])));
}

function parseValue(text: string, path: string): YamlValue {
  const parsed = parseYaml(`value:${text}`, path, dirname(path));
  return parsed instanceof Map ? (parsed.get("value") ?? null) : null;
}

/** A name that can be asked for. */
export interface Entry {
  readonly name: string;
  readonly kind: "task" | "group" | "tag";
  /** The file that defines it; a tag has none. */
  readonly path: string | undefined;
  /** Of a tag: the names of its tasks. */
  readonly members: Set<string>;
}

export interface Catalogue {
  readonly entries: ReadonlyMap<string, Entry>;
  /** What is wrong with each file that cannot be read. It defines nothing, as in lm-evaluation-harness: one must not hide thousands. */
  readonly unreadable: readonly string[];
}

const ignored = new Set(["__pycache__", ".ipynb_checkpoints"]);
const filesAtOnce = 64;

/**
 * All tasks, groups and tags of folders and files. Within a folder the first file that defines a name counts, in the
 * order of paths; of several folders the last.
 *
 * @throws {UsageError} where a path does not exist
 */
export async function readCatalogue(paths: readonly string[]): Promise<Catalogue> {
  const catalogue = new Map<string, Entry>();
  const unreadable: string[] = [];
  const withoutKeys = (error: unknown): Keys => {
    if (!(error instanceof MbsError)) throw error;
    unreadable.push(error.message);
    return new Map();
  };
  for (const path of paths) {
    const scan = createScanner();
    const entries = new Map<string, Entry>();
    const files = await listFiles(resolve(path));
    for (let start = 0; start < files.length; start += filesAtOnce) {
      const batch = files.slice(start, start + filesAtOnce);
      const scanned = await Promise.all(batch.map((file) => scan(file, []).catch(withoutKeys)));
      for (const [index, keys] of scanned.entries()) register(keys, batch[index] ?? "", entries);
    }
    for (const [name, entry] of entries) catalogue.set(name, entry);
  }
  return { entries: catalogue, unreadable };
}

async function listFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no folder or file of tasks at ${path}; check the path`, { path });
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && entry.name.endsWith(".yaml"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.split(/[/\\]/).some((part) => ignored.has(part)))
    .sort((left, right) => (left < right ? -1 : 1));
}

type Keys = ReadonlyMap<CatalogueKey, YamlValue>;

/** Reads the keys of a file and of what it includes; a template that many tasks include is scanned once. */
function createScanner(): (path: string, seen: readonly string[]) => Promise<Keys> {
  const known = new Map<string, Promise<Keys>>();
  const scan = async (path: string, seen: readonly string[]): Promise<Keys> => {
    if (seen.includes(path)) throw new BadDataError(`${path} includes itself; remove one include`, { file: path });
    const found = known.get(path);
    if (found !== undefined) return found;
    const keys = scanMerged(path, (included) => scan(included, [...seen, path]));
    // Every file is asked for once; only what is included is asked for again.
    if (seen.length > 0) known.set(path, keys);
    return keys;
  };
  return scan;
}

async function scanMerged(path: string, scanIncluded: (path: string) => Promise<Keys>): Promise<Keys> {
  const own = scanKeys(await readText(path), path);
  const merged = new Map<CatalogueKey, YamlValue>();
  for (const included of includedPaths(own.get("include"), path, dirname(path))) {
    for (const [key, value] of await scanIncluded(included)) merged.set(key, value);
  }
  for (const [key, value] of own) if (key !== "include") merged.set(key, value);
  return merged;
}

const namesOf = (value: YamlValue | undefined): string[] =>
  (Array.isArray(value) ? value : [value]).filter((name): name is string => typeof name === "string" && name !== "");

function register(keys: Keys, path: string, entries: Map<string, Entry>): void {
  const kind = !keys.has("class") && keys.has("group") ? "group" : "task";
  const name = keys.get(kind);
  if (typeof name !== "string" || entries.has(name)) return;
  entries.set(name, { name, kind, path, members: new Set() });
  if (kind === "group") return;
  for (const tag of namesOf(keys.get("tag"))) {
    const entry = entries.get(tag) ?? { name: tag, kind: "tag", path: undefined, members: new Set() };
    entry.members.add(name);
    entries.set(tag, entry);
  }
}
