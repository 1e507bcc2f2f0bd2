import { open } from "node:fs/promises";
import { BadDataError } from "@mbs/contracts";
import { ParquetFile, jsonValue } from "../formats/parquet-file.ts";
import type { ByteRange } from "../formats/parquet-file.ts";

/**
 * As few row groups as have `wanted` rows, spread evenly over the file: neighbours are often of one source or one year.
 *
 * @param rowGroups rows of each
 * @returns their numbers: all of them where they have no more rows
 */
export function chooseRowGroups(rowGroups: readonly number[], wanted: number): readonly number[] {
  const count = rowGroups.length;
  const all = [...rowGroups.keys()];
  const most = rowGroups.reduce((largest, rows) => Math.max(largest, rows), 1);
  for (let chosen = Math.max(1, Math.ceil(wanted / most)); chosen < count; chosen++) {
    const numberOf = (index: number): number => Math.floor((index * chosen + Math.floor(count / 2)) / count);
    const groups = all.filter((index) => numberOf(index + 1) > numberOf(index));
    if (groups.reduce((sum, index) => sum + (rowGroups[index] ?? 0), 0) >= wanted) return groups;
  }
  return all;
}

/**
 * Writes some columns of enough row groups of a Parquet file, a row a line of JSON, and reads no more of it than these and its end.
 *
 * @param needed columns of which the file must have one; the first that it has is written
 * @param beside columns that are written with it; those that the file does not have are left out
 * @param wanted rows; fewer are written where there are fewer
 * @throws {BadDataError} where the file is broken, encrypted or has none of the columns
 */
export async function writeParquetExcerpt(
  source: ByteRange,
  needed: readonly string[],
  beside: readonly string[],
  wanted: number,
  path: string,
): Promise<void> {
  const parquet = await ParquetFile.open(source);
  const found = needed.find((name) => parquet.columns.has(name));
  if (found === undefined) {
    throw new BadDataError(
      `${source.name} has no column ${needed.map((name) => JSON.stringify(name)).join(" or ")}; it has: ${[...parquet.columns.keys()].join(", ").slice(0, 200)}; name one by field= in the dataset's name`,
      { file: source.name, field: needed.join() },
    );
  }
  const columns = [found, ...beside.filter((name) => name !== found && parquet.columns.has(name))];
  const file = await open(path, "w");
  try {
    const groups = chooseRowGroups(parquet.rowGroups, wanted);
    for await (const cells of parquet.rows(columns, { groups, whole: true })) {
      const row = columns.map((name, index) => {
        const where = (): string => `${source.name}, column ${JSON.stringify(name)}`;
        return [name, jsonValue(cells[index], where)] as const;
      });
      await file.appendFile(`${JSON.stringify(Object.fromEntries(row))}\n`);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
