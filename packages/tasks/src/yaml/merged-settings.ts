import { readFile, stat } from "node:fs/promises";
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

/** Larger than any task file by far. */
const mostBytes = 16 << 20;

/** @throws {BadDataError} where there is no such file, or it is no UTF-8 */
export async function readText(path: string): Promise<string> {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new BadDataError(`${path}${problem}`, { file: path }, { cause });
  };
  try {
    const found = await stat(path);
    // a pipe or a device may be without end
    if (!found.isFile()) return refuse(" is no regular file; name one");
    if (found.size > mostBytes) return refuse(` has more than ${mostBytes >> 20} MiB, which no task has; name another file`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof BadDataError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ERR_INVALID_ARG_VALUE")
      return refuse(", which a task names, does not exist; add it", error);
    if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return refuse(" has bad UTF-8; convert it to UTF-8", error);
    throw new InputOutputError(
      `${path} cannot be read (${code ?? String(error)}); check that it may be`,
      { file: path },
      { cause: error },
    );
  }
}
