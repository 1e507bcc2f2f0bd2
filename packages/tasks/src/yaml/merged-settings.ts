import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import { asSettings, parseYaml, type Settings, type YamlValue } from "./read-yaml.ts";

export type ReadSettings = (path: string) => Promise<Settings>;

/**
 * Reads task files with what they include. A template that many tasks include is read once.
 *
 * @throws {BadDataError} naming the file, where it cannot be read, or includes itself
 */
export function createSettingsReader(): ReadSettings {
  const known = new Map<string, Promise<Settings>>();
  const read = (path: string, seen: readonly string[]): Promise<Settings> => {
    if (seen.includes(path)) throw new BadDataError(`${path} includes itself; remove one include`, { file: path });
    const found = known.get(path);
    if (found !== undefined) return found;
    const settings = merge(path, (included) => read(included, [...seen, path]));
    known.set(path, settings);
    return settings;
  };
  return async (path) => read(path, []);
}

async function merge(path: string, readIncluded: ReadSettings): Promise<Settings> {
  const folder = dirname(path);
  const own = asSettings(parseYaml(await readText(path), path, folder), path);
  const includes = includedPaths(own.get("include"), path, folder);
  const merged = new Map<string, YamlValue>();
  for (const included of includes) {
    for (const [key, value] of await readIncluded(included)) if (key !== "task_list") merged.set(key, value);
  }
  for (const [key, value] of own) if (key !== "include") merged.set(key, value);
  return merged;
}

/** Paths of the files that a file includes, in the order that later ones override. */
export function includedPaths(include: YamlValue | undefined, path: string, folder: string): string[] {
  if (include === undefined) return [];
  return (Array.isArray(include) ? include : [include]).map((name) => {
    if (typeof name !== "string") throw new BadDataError(`${path}: include has to name files`, { file: path });
    return isAbsolute(name) ? name : join(folder, name);
  });
}

/** @throws {BadDataError} where there is no such file */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR")
      throw new BadDataError(`there is no file ${path}, which a task names; add it`, { file: path }, { cause: error });
    throw new InputOutputError(`${path} cannot be read (${code ?? String(error)})`, { file: path }, { cause: error });
  }
}
