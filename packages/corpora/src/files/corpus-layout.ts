import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, dirname, join, resolve } from "node:path";
import { BadDataError, InputOutputError, InternalError } from "@mbs/contracts";
import { parse, YAMLParseError } from "yaml";
import { isDatasetName, parseDatasetCorpus, parseDatasetEntry, pinnedName } from "../datasets/dataset-name.ts";
import { datasetPresets } from "../datasets/dataset-presets.ts";
import { findDatasetTexts, type DatasetTexts } from "../datasets/dataset-texts.ts";
import { boundedGlob } from "./bounded-glob.ts";
import { corpusFile, type CorpusFile } from "./corpus-file.ts";

/** What a language's texts are read from: a file, or a dataset of the Hub. */
export type CorpusSource = CorpusFile | DatasetTexts;

/** Which files and datasets hold which language. */
export interface CorpusLayout {
  readonly name: string;
  readonly license: string | undefined;
  /** See Corpus. */
  readonly pinnedName?: string;
  readonly field: string | undefined;
  readonly languages: ReadonlyMap<string, readonly CorpusSource[]>;
}

const languagePattern = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const manifestLimit = 10_000_000;
/** Hints of the YAML library to programmers, which its messages end in. */
const pointer = /; please use YAML\.\w+\(\)|[:.]$/g;
const manifestKeys = ["name", "license", "field", "languages"];

/** Texts are read more than once, and reading a pipe without a writer would block for ever. */
async function checkFiles({ languages }: CorpusLayout): Promise<void> {
  for (const source of [...languages.values()].flat()) {
    if (source.format === "dataset") continue;
    const { path } = source;
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === false) throw new BadDataError(`${path} is no regular file; copy the texts into one`, { file: path });
  }
}

/** Reads a manifest, lists a folder of LANG.* files, or asks which files a dataset of the Hub has. */
export async function readLayout(path: string): Promise<CorpusLayout> {
  if (isDatasetName(path)) return datasetLayout(path);
  const layout = await findLayout(path);
  await checkFiles(layout);
  return layout;
}

async function datasetLayout(text: string): Promise<CorpusLayout> {
  const languages = new Map<string, readonly CorpusSource[]>();
  const names = parseDatasetCorpus(text);
  for (const [language, name] of names) languages.set(language, [await findDatasetTexts(name)]);
  const [first] = [...languages.values()].flat();
  if (first?.format !== "dataset") throw new InternalError(`${text} has no languages`);
  const { name } = first.dataset.address.repository;
  const license = datasetPresets.get(name)?.license;
  return { name, license, pinnedName: pinnedName(text, first.dataset.commit), field: undefined, languages };
}

async function findLayout(path: string): Promise<CorpusLayout> {
  let isFolder: boolean;
  try {
    const found = await stat(path);
    isFolder = found.isDirectory();
    if (found.isFile() && corpusFile(path) !== undefined) {
      throw new BadDataError(
        `${path} is one file of texts; name a folder, whose files are named after their languages, such as fr${extname(path)}`,
        { file: path },
      );
    }
    if (!isFolder && !(found.isFile() && found.size <= manifestLimit)) {
      throw new BadDataError(`${path} is no manifest: a regular file of at most ${manifestLimit} bytes`, { file: path });
    }
  } catch (error) {
    if (error instanceof BadDataError) throw error;
    throw new InputOutputError(
      `no corpus at ${path}; give a YAML manifest, a folder of LANG.jsonl, .txt, .csv or .parquet files, or hf:datasets/org/name?languages=…`,
      { file: path },
      { cause: error },
    );
  }
  return isFolder ? folderLayout(path) : manifestLayout(path);
}

/** Most languages of an example. */
const mostShown = 3;

/** For a folder that has its texts in a folder for each language: the manifest that names them; else "". */
async function manifestRemedy(folder: string): Promise<string> {
  const entries: string[] = [];
  const found = await readdir(folder, { withFileTypes: true });
  for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entries.length >= mostShown || !entry.isDirectory() || !languagePattern.test(entry.name)) continue;
    // one that may not be read is no hint
    const files = await readdir(join(folder, entry.name)).catch(() => []);
    const [file] = files.flatMap((name) => corpusFile(name) ?? []);
    if (file !== undefined) entries.push(`${entry.name}: ${entry.name}/*.${file.format}${file.gzip ? ".gz" : ""}`);
  }
  if (entries.length === 0) return "";
  return `, but folders of them; name these in a manifest, ${join(folder, "texts.yaml")}, such as languages: {${entries.join(", ")}}, and give that in place of the folder`;
}

async function folderLayout(folder: string): Promise<CorpusLayout> {
  const languages = new Map<string, CorpusFile[]>();
  for (const name of (await readdir(folder)).sort()) {
    const language = name.slice(0, Math.max(0, name.indexOf(".")));
    const file = corpusFile(join(folder, name));
    if (file && languagePattern.test(language)) languages.set(language, [...(languages.get(language) ?? []), file]);
  }
  if (languages.size === 0) {
    const remedy = await manifestRemedy(folder);
    throw new BadDataError(`${folder} holds no LANG.jsonl, LANG.txt, LANG.csv or LANG.parquet (each also .gz)${remedy}`, {
      folder,
    });
  }
  return { name: basename(resolve(folder)), license: undefined, field: undefined, languages };
}

async function manifestLayout(path: string): Promise<CorpusLayout> {
  const manifest = parseManifest(path, await readFile(path, "utf8"));
  const languages = new Map<string, readonly CorpusSource[]>();
  for (const [language, patterns] of manifest.languages) {
    const files: CorpusSource[] = [];
    for (const pattern of patterns) {
      if (isDatasetName(pattern)) files.push(await findDatasetTexts(parseDatasetEntry(pattern, language)));
      else files.push(...(await findFiles(path, language, pattern)));
    }
    requireOnce(path, language, files);
    languages.set(language, files);
  }
  return { ...manifest, languages };
}

/** A file that two patterns of a language find would be read twice, as if there were more text. */
function requireOnce(manifest: string, language: string, files: readonly CorpusSource[]): void {
  const seen = new Set<string>();
  for (const source of files) {
    if (source.format === "dataset") continue;
    const { path } = source;
    if (seen.has(path)) {
      throw new BadDataError(`${manifest}: language ${language} has ${path} twice; name it once`, { file: path, language });
    }
    seen.add(path);
  }
}

async function findFiles(manifest: string, language: string, pattern: string): Promise<readonly CorpusFile[]> {
  const folder = dirname(resolve(manifest));
  const exact = resolve(folder, pattern);
  const found = await stat(exact).catch(() => undefined);
  // A path that exists is that file, whatever characters it has; any other is a glob.
  const where = `${manifest}: language ${language}`;
  if (found?.isDirectory() === true) {
    throw new BadDataError(`${where}: ${pattern} is a folder; name its files, such as ${join(pattern, "*.jsonl")}`, {
      file: exact,
      language,
    });
  }
  const paths = found?.isFile() === true ? [exact] : await boundedGlob(pattern, folder, where);
  if (paths.length === 0) {
    throw new BadDataError(`${where}: no file matches ${JSON.stringify(pattern)}`, {
      file: manifest,
      language,
    });
  }
  return paths.map((path) => {
    const file = corpusFile(path);
    if (file) return file;
    throw new BadDataError(`${path}: a corpus file ends in .jsonl, .csv, .parquet or .txt, each also .gz`, {
      file: path,
      language,
    });
  });
}

function parseManifest(
  path: string,
  text: string,
): Omit<CorpusLayout, "languages"> & { languages: ReadonlyMap<string, readonly string[]> } {
  const fail = (what: string): never => {
    throw new BadDataError(`${path}: ${what}`, { file: path });
  };
  let manifest: unknown;
  try {
    manifest = parse(text, { mapAsMap: true, maxAliasCount: 0, logLevel: "error" });
  } catch (error) {
    // the library says line and column in its first line, but for aliases, which have none
    const problem = (error as Error).message.split("\n")[0]?.replaceAll(pointer, "") ?? "";
    const remedy = error instanceof YAMLParseError ? "correct it there, as in languages: {en: en.jsonl}" : "write values out";
    return fail(`is no YAML: ${problem}; ${remedy}`);
  }
  if (!(manifest instanceof Map)) return fail("a manifest is a mapping with the key languages");
  const entries: ReadonlyMap<unknown, unknown> = manifest;
  for (const key of entries.keys()) {
    if (!manifestKeys.includes(key as string)) fail(`unknown key ${String(key)}; a manifest has ${manifestKeys.join(", ")}`);
  }
  const optionalText = (key: string): string | undefined => {
    const value = entries.get(key);
    return value === undefined || (typeof value === "string" && value !== "") ? value : fail(`${key} must be a text`);
  };
  const given = entries.get("languages");
  if (!(given instanceof Map) || given.size === 0)
    return fail("languages must be a mapping of language to file, glob or list of them");
  const languages = new Map<string, readonly string[]>();
  for (const [language, value] of given as ReadonlyMap<unknown, unknown>) {
    // YAML reads a bare no as text here (version 1.2), yet a number or true is a slip.
    if (typeof language !== "string" || !languagePattern.test(language))
      return fail(`${String(language)} is no language name: letters, digits, - and _`);
    const patterns: unknown = Array.isArray(value) ? value : [value];
    const good = (patterns as readonly unknown[]).every((pattern) => typeof pattern === "string" && pattern !== "");
    if (!good || (patterns as readonly unknown[]).length === 0)
      return fail(`language ${language} must name a file, a glob, a dataset or a list of them`);
    languages.set(language, patterns as readonly string[]);
  }
  return {
    name: optionalText("name") ?? basename(path),
    license: optionalText("license"),
    field: optionalText("field"),
    languages,
  };
}
