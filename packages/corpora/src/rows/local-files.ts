import { open, readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import { findShards } from "../datasets/dataset-shards.ts";
import type { DatasetFiles } from "../datasets/dataset-shards.ts";
import { boundedGlob } from "../files/bounded-glob.ts";
import { describeSplit, rowEndings, rowFile } from "./row.ts";
import type { RowFile, RowsDataset } from "./row.ts";
import { requireAllShards } from "./shard-numbers.ts";

/** What a clone has in the place of a large file that was not fetched. */
const pointerStart = "version https://git-lfs";

/**
 * Refuses what is no readable file.
 *
 * @throws {BadDataError} on a folder, a pipe, or a pointer of Git LFS
 * @throws {InputOutputError} where there is nothing
 */
export async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new InputOutputError(`cannot read ${path} (${code}); check that it exists and may be read`, { file: path }, { cause });
  });
  if (!found.isFile()) throw new BadDataError(`${path} is no regular file; copy the rows into one`, { file: path });
  if (found.size > 1024) return;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(pointerStart.length), 0, pointerStart.length, 0);
    if (buffer.toString("latin1", 0, bytesRead) !== pointerStart) return;
  } finally {
    await file.close();
  }
  throw new BadDataError(`${path} is a pointer of Git LFS, not the file; fetch it with git lfs pull`, { file: path });
}

/** The files of a copy of a dataset's repository. */
const folderFiles = (folder: string): DatasetFiles<{ readonly path: string }> => ({
  text: folder,
  async list(below) {
    const paths = await boundedGlob("**/*", folder, folder);
    const names = paths.map((path) => relative(folder, path).split(sep).join("/"));
    return names.filter((path) => below === "" || path.startsWith(`${below}/`)).map((path) => ({ path }));
  },
  card: () => readFile(join(folder, "README.md"), "utf8").catch(() => undefined),
});

/** Files of a split by their own names, `test.jsonl` or `test-00000-of-00002.parquet`; of one kind alone. */
async function namedFiles(folder: string, split: string): Promise<readonly string[]> {
  const names = (await readdir(folder).catch(() => [])).sort();
  const kinds = rowEndings.flatMap((ending) => {
    const numbered = names.filter((name) => {
      const middle = name.startsWith(split) && name.endsWith(`.${ending}`) ? name.slice(split.length, -ending.length - 1) : "";
      return /^-\d+-of-\d+$/.test(middle);
    });
    const single = names.filter((name) => name === `${split}.${ending}`);
    return [single, numbered].filter(({ length }) => length > 0);
  });
  const [found = [], other] = kinds;
  if (other === undefined) return found;
  throw new BadDataError(`${folder} has both ${found[0]} and ${other[0]}; keep one of them`, { folder });
}

/**
 * The files of a split in a folder with copies of datasets: `FOLDER/<dataset>/<name>/<split>.jsonl` and the like, else those that
 * the dataset's own repository has for it.
 *
 * @throws {BadDataError} where there are none, saying where they were looked for
 */
export async function findLocalFiles(dataset: RowsDataset, folder: string): Promise<readonly RowFile[]> {
  const { path, name, split } = dataset;
  const base = join(folder, path);
  const own = name === undefined ? base : join(base, name);
  const named = await namedFiles(own, split);
  if (named.length > 0) {
    requireAllShards(named, own);
    return named.map((file) => rowFile(join(own, file)));
  }
  const isFolder = (await stat(base).catch(() => undefined))?.isDirectory() === true;
  const keys = { config: "dataset_name", split: "the name of the split" };
  const wanted = { config: name, split, path: undefined };
  const { shards, where } = isFolder ? await findShards(folderFiles(base), wanted, undefined, keys) : { shards: [], where: "" };
  if (shards.length > 0) {
    requireAllShards(
      shards.map((shard) => shard.path),
      base,
    );
    return shards.map((shard) => rowFile(join(base, shard.path)));
  }
  const tried = [
    ...rowEndings.map((ending) => join(own, `${split}.${ending}`)),
    join(own, `${split}-00000-of-NNNNN.parquet`),
    isFolder ? `in ${base} for ${where}` : `a folder ${base}`,
  ];
  throw new BadDataError(
    `no rows of ${describeSplit(dataset)}: looked for ${tried.join(", ")}; copy the dataset https://huggingface.co/datasets/${path} there, or read it from the Hub, without a folder of rows`,
    { dataset: path, folder },
  );
}
