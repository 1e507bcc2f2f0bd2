import { LockedDatabase } from "../formats/locked-database.ts";
import { RowValues } from "../formats/row-values.ts";
import type { RowFile, SizedRow } from "./row.ts";

/**
 * Rows of a Parquet file with all its columns: lists and structs as arrays and objects, whole numbers as numbers, times as texts.
 *
 * @throws {BadDataError} where the file is broken, or a value has no form in JSON
 */
export async function* readParquetRows(file: RowFile): AsyncGenerator<SizedRow, void, undefined> {
  const classes = await import("@duckdb/node-api");
  const database = await LockedDatabase.open(file.path);
  try {
    const columns: string[] = [];
    for await (const [name] of database.rows("DESCRIBE SELECT * FROM read_parquet($1)")) columns.push(String(name));
    let number = 0;
    for await (const cells of database.rows("SELECT * FROM read_parquet($1)")) {
      number += 1;
      let size = 0;
      const row = columns.map((column, index) => {
        const values = new RowValues(classes, () => `${file.path}, row ${number}, column ${JSON.stringify(column)}`);
        const value = values.convert(cells[index] ?? null);
        size += values.size;
        return [column, value] as const;
      });
      yield { row: Object.fromEntries(row), size };
    }
  } finally {
    database.close();
  }
}
