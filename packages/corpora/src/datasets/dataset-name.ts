import { UsageError } from "@mbs/contracts";
import { parseRepository } from "@mbs/hub";
import type { HubAddress } from "@mbs/hub";
import { configOf, datasetPresets } from "./dataset-presets.ts";

/** Calibration and held-out texts of one split: a document is in either by its hash. */
export type DatasetPart = "calibration" | "held-out";

/** What a name such as "hf:datasets/org/name@revision?config=hin_Deva&split=train" says. */
export interface DatasetName {
  readonly address: HubAddress;
  readonly config: string | undefined;
  readonly split: string | undefined;
  /** Pattern of the files: `*` within a folder, `**` over folders. */
  readonly path: string | undefined;
  /** Field or column of the text. */
  readonly field: string | undefined;
  /** Most documents of a language. */
  readonly rows: number;
  readonly part: DatasetPart | undefined;
}

const scheme = "hf:datasets/";
const languageEntry = /^([A-Za-z0-9][A-Za-z0-9_-]*)(?::([^:]+))?$/;

/** Text for a few million tokens, of which a run needs less. */
const defaultRows = 10_000;
const mostRows = 10_000_000;
const keys = ["languages", "config", "split", "path", "field", "rows", "part"] as const;
type Key = (typeof keys)[number];

const form = "hf:datasets/org/name[@revision][?languages=hi,bn&split=train&…]";

/** Whether texts are named by a dataset of the Hub instead of a path. */
export const isDatasetName = (name: string): boolean => name.startsWith("hf:");

/** The values of a name's keys. */
function parseQuery(text: string, query: string): ReadonlyMap<Key, string> {
  const values = new Map<Key, string>();
  for (const entry of query.split("&")) {
    const [name = "", ...rest] = entry.split("=");
    const key = keys.find((known) => known === name);
    if (key === undefined || rest.length === 0 || rest.join("=") === "") {
      throw new UsageError(`${text}: ${JSON.stringify(entry)} is no KEY=VALUE with one of ${keys.join(", ")}`, { corpus: text });
    }
    if (values.has(key)) throw new UsageError(`${text} gives ${key} twice`, { corpus: text });
    values.set(key, rest.join("="));
  }
  return values;
}

function parseRows(text: string, value: string | undefined): number {
  if (value === undefined) return defaultRows;
  const rows = /^\d+$/.test(value) ? Number(value) : 0;
  if (rows >= 1 && rows <= mostRows) return rows;
  throw new UsageError(`${text}: rows must be a whole number from 1 to ${mostRows}`, { corpus: text });
}

function parsePart(text: string, value: string | undefined): DatasetPart | undefined {
  if (value === undefined || value === "calibration" || value === "held-out") return value;
  throw new UsageError(`${text}: part must be calibration or held-out`, { corpus: text });
}

interface ParsedName {
  readonly name: DatasetName;
  /** As given: "hi,bn:ben_Beng". */
  readonly languages: string | undefined;
}

/** Names become parts of paths. */
export const leavesFolder = (part: string | undefined): boolean =>
  part !== undefined && (part.includes("..") || part.startsWith("/"));

function parseName(text: string): ParsedName {
  const [start = "", ...rest] = text.split("?");
  const { name: repository, revision: given } = parseRepository(start.startsWith(scheme) ? start.slice(scheme.length) : "") ?? {};
  if (repository === undefined) throw new UsageError(`${text} is no dataset on the Hub; write ${form}`, { corpus: text });
  const revision = given ?? datasetPresets.get(repository)?.revision ?? "main";
  const values = rest.length > 0 ? parseQuery(text, rest.join("?")) : new Map<Key, string>();
  const parts = [repository, revision, values.get("config"), values.get("split"), values.get("path")];
  if (parts.some(leavesFolder)) {
    throw new UsageError(`${text} is no dataset on the Hub; write ${form}, without ".."`, { corpus: text });
  }
  if (values.has("path") && (values.has("config") || values.has("split"))) {
    throw new UsageError(`${text} gives path beside config or split; path alone says which files`, { corpus: text });
  }
  const name: DatasetName = {
    address: { repository: { type: "dataset", name: repository }, revision, text: start },
    config: values.get("config"),
    split: values.get("split"),
    path: values.get("path"),
    field: values.get("field"),
    rows: parseRows(text, values.get("rows")),
    part: parsePart(text, values.get("part")),
  };
  return { name, languages: values.get("languages") };
}

/** With the config that a preset has for the language, where none is given. */
function withConfig(name: DatasetName, language: string): DatasetName {
  const { address, config, path } = name;
  const preset = datasetPresets.get(address.repository.name);
  if (preset === undefined || config !== undefined || path !== undefined) return name;
  const found = configOf(preset, language);
  if (found !== undefined) return { ...name, config: found };
  throw new UsageError(
    `${address.text}: no texts are known in ${language}; name them with config=, or take another dataset${preset.remedy === undefined ? "" : `: ${preset.remedy}`}`,
    { corpus: address.text, language },
  );
}

/**
 * Texts of one language, as a manifest names them.
 *
 * @throws {UsageError} on another form
 */
export function parseDatasetEntry(text: string, language: string): DatasetName {
  const { name, languages } = parseName(text);
  if (languages === undefined) return withConfig(name, language);
  throw new UsageError(`${text}: in a manifest each language has its own entry; remove languages=`, { corpus: text });
}

/**
 * Texts of the languages that a name lists: `languages=hi,bn`, or `languages=hi:CONFIG`. Without a preset the config of a language is
 * its tag, unless `config` or `path` says which texts one language has.
 *
 * @throws {UsageError} on another form
 */
export function parseDatasetCorpus(text: string): ReadonlyMap<string, DatasetName> {
  const { name, languages } = parseName(text);
  if (languages === undefined) {
    throw new UsageError(`${text} names no languages; add languages=hi,bn (or hi:CONFIG,bn:CONFIG) after a ?`, { corpus: text });
  }
  const found = new Map<string, DatasetName>();
  const entries = languages.split(",");
  const named = name.config !== undefined || name.path !== undefined;
  for (const entry of entries) {
    const [, language, config] = languageEntry.exec(entry) ?? [];
    if (language === undefined || found.has(language) || leavesFolder(config)) {
      throw new UsageError(`${text}: ${JSON.stringify(entry)} is no new language; write languages=hi,bn or hi:CONFIG`, {
        corpus: text,
      });
    }
    if (named && (entries.length > 1 || config !== undefined)) {
      throw new UsageError(`${text}: config and path are of one language; write languages=hi:CONFIG,bn:CONFIG instead`, {
        corpus: text,
      });
    }
    const preset = datasetPresets.has(name.address.repository.name);
    const own = named ? name : { ...name, config: config ?? (preset ? undefined : language) };
    found.set(language, withConfig(own, language));
  }
  return found;
}

/** The same name with a commit in the place of its branch. */
export const pinnedName = (text: string, commit: string): string =>
  text.replace(/^([^?@]+)(?:@[^?]*)?/, (_, start: string) => `${start}@${commit}`);
