import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { InternalError } from "@mbs/contracts";

/** How the states of a text become its embedding, as sentence-transformers writes it: the one file that is not at the top. */
export const poolingFile = "1_Pooling/config.json";

/** The files of a model as a Hugging Face folder has them; of a GGUF file, those that its metadata stand for. */
export interface ModelFiles {
  /** Names at the top of the folder, and `poolingFile` where there is one; sorted. */
  list(): Promise<readonly string[]>;
  /** The bytes of a file, in pieces. */
  read(name: string): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** A file as text. */
  text(name: string): Promise<string>;
}

/** The files of a folder. */
export const folderFiles = (folder: string): ModelFiles => ({
  async list() {
    const inner = await stat(join(folder, poolingFile)).catch(() => undefined);
    return [...(await readdir(folder)), ...(inner?.isFile() === true ? [poolingFile] : [])].sort();
  },
  read: (name) => createReadStream(join(folder, name)) as AsyncIterable<Uint8Array>,
  text: (name) => readFile(join(folder, name), "utf8"),
});

/** Files that are in memory, by name. */
export function memoryFiles(contents: ReadonlyMap<string, Uint8Array>): ModelFiles {
  const find = (name: string): Uint8Array => {
    const bytes = contents.get(name);
    if (bytes === undefined) throw new InternalError(`there is no ${name} among ${[...contents.keys()].join(", ")}`);
    return bytes;
  };
  return {
    list: () => Promise.resolve([...contents.keys()].sort()),
    read: (name) => [find(name)],
    text: async (name) => new TextDecoder().decode(find(name)),
  };
}

/** Files of which some are in memory instead. */
export function overlaidFiles(files: ModelFiles, contents: ReadonlyMap<string, Uint8Array>): ModelFiles {
  const made = memoryFiles(contents);
  const filesOf = (name: string): ModelFiles => (contents.has(name) ? made : files);
  return {
    list: async () => [...new Set([...(await files.list()), ...contents.keys()])].sort(),
    read: (name) => filesOf(name).read(name),
    text: (name) => filesOf(name).text(name),
  };
}
