import { ParquetFile, jsonValue, localBytes } from "../formats/parquet-file.ts";
import type { RowFile, SizedRow } from "./row.ts";

/** About the bytes that a value takes in memory. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return 8 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  return Object.values(value).reduce<number>((sum, own) => sum + sizeOf(own), 8);
}

/**
 * Rows of a Parquet file with all its columns: lists and structs as arrays and objects, whole numbers as numbers, dates and
 * times as texts in UTC.
 *
 * @throws {BadDataError} where the file is broken, or a value has no form in JSON
 */
export async function* readParquetRows({ path }: RowFile): AsyncGenerator<SizedRow, void, undefined> {
  const parquet = await ParquetFile.open(localBytes(path));
  const columns = [...parquet.columns.keys()];
  let number = 0;
  for await (const cells of parquet.rows(columns)) {
    number += 1;
    const row = columns.map((column, index) => {
      const where = (): string => `${path}, row ${number}, column ${JSON.stringify(column)}`;
      return [column, jsonValue(cells[index], where)] as const;
    });
    yield { row: Object.fromEntries(row), size: row.reduce((sum, [, value]) => sum + sizeOf(value), 0) };
  }
}
