import { BadDataError } from "@mbs/contracts";
import { parseRepository } from "@mbs/hub";
import { leavesFolder } from "../datasets/dataset-name.ts";
import { collectRows } from "./collect-rows.ts";
import { fetchRowFiles } from "./hub-files.ts";
import { findLocalFiles, requireFile } from "./local-files.ts";
import { rowFile } from "./row.ts";
import type { ReadRowsOptions, Row, RowFile, RowsDataset } from "./row.ts";

const fileFormats = ["json", "parquet"] as const;

/** The names become parts of paths. */
function requireNames({ path, name, split }: RowsDataset): void {
  const given = parseRepository(path);
  const isName = given !== undefined && given.revision === undefined && split !== "" && name !== "";
  if (isName && ![path, name, split].some(leavesFolder)) return;
  throw new BadDataError(
    `${JSON.stringify([path, name ?? null, split])} is no dataset, name and split; write dataset_path as org/name, and no ".."`,
    { dataset: path },
  );
}

async function findFiles(dataset: RowsDataset, options: ReadRowsOptions): Promise<readonly RowFile[]> {
  const format = fileFormats.find((known) => known === dataset.path);
  if (format !== undefined) {
    const { files = [] } = dataset;
    if (files.length > 0) return files.map((path) => ({ ...rowFile(path), format }));
    throw new BadDataError(`a dataset of the kind ${format} has no files; name them with data_files`, { dataset: format });
  }
  requireNames(dataset);
  return options.folder === undefined ? fetchRowFiles(dataset, options) : findLocalFiles(dataset, options.folder);
}

/**
 * All rows of a split with all their columns, in order: from files that the dataset names, from a folder with copies of datasets, or
 * from the Hub and its cache (docs/tasks.md). They are held in memory: at most 512 MiB of text.
 *
 * @throws {BadDataError} where there are no such files, or one is broken, naming file, row and remedy
 * @throws {InputOutputError} where a file cannot be read, the Hub cannot be reached, or an offline program lacks a file in its cache
 * @throws {InterruptedError} where the signal stopped it
 */
export async function readDatasetRows(dataset: RowsDataset, options: ReadRowsOptions = {}): Promise<readonly Row[]> {
  const files = await findFiles(dataset, options);
  for (const { path } of files) await requireFile(path);
  return collectRows(files, options);
}
