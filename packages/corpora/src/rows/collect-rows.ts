import { BadDataError, InterruptedError } from "@mbs/contracts";
import { readJsonRows } from "./json-rows.ts";
import type { ReadRowsOptions, Row, RowFile } from "./row.ts";

/** A split is held as a whole: more than this is no evaluation task's. */
const mostBytes = 512 << 20;

/** More than this are no columns of a table. */
const mostColumns = 1000;

interface FileRows {
  readonly rows: Row[];
  /** Of any of them, in the order in which they come. */
  readonly columns: ReadonlySet<string>;
  readonly size: number;
}

async function readFileRows(file: RowFile, left: number, { warn = () => {}, signal }: ReadRowsOptions): Promise<FileRows> {
  const rows: Row[] = [];
  const columns = new Set<string>();
  let size = 0;
  const read = file.format === "parquet" ? (await import("./parquet-rows.ts")).readParquetRows : readJsonRows;
  for await (const { row, size: own } of read(file, warn)) {
    if (signal?.aborted) throw new InterruptedError(`${file.path}: stopped`);
    rows.push(row);
    for (const column of Object.keys(row)) columns.add(column);
    size += own;
    const fail = (problem: string, remedy: string): never => {
      throw new BadDataError(`${file.path}, row ${rows.length}: ${problem}; ${remedy}`, { file: file.path, row: rows.length });
    };
    if (size > left) fail("with it the split has more text than fits into memory", "name a smaller split");
    if (columns.size > mostColumns) fail(`with it there are more than ${mostColumns} columns`, "give all rows the same columns");
  }
  if (rows.length > 0) return { rows, columns, size };
  throw new BadDataError(`${file.path} has no rows; copy it again, or leave it out`, { file: file.path });
}

const list = (names: readonly string[]): string => names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");

/**
 * All rows of some files, in order. A column that some rows of a file lack is null there.
 *
 * @param most bytes of text in all
 * @throws {BadDataError} where a file is broken, empty or of other columns than the first, or there is more text
 * @throws {InputOutputError} where a file cannot be read
 */
export async function collectRows(
  files: readonly RowFile[],
  options: ReadRowsOptions,
  most: number = mostBytes,
): Promise<readonly Row[]> {
  const all: Row[] = [];
  let first: { readonly path: string; readonly columns: ReadonlySet<string> } | undefined;
  let left = most;
  for (const file of files) {
    const { rows, columns, size } = await readFileRows(file, left, options);
    left -= size;
    first ??= { path: file.path, columns };
    const { columns: expected } = first;
    const [missing, more] = [
      [...expected].filter((name) => !columns.has(name)),
      [...columns].filter((name) => !expected.has(name)),
    ];
    if (missing.length > 0 || more.length > 0) {
      const differences = [
        ...(missing.length > 0 ? [`without ${list(missing)}`] : []),
        ...(more.length > 0 ? [`with ${list(more)}`] : []),
      ];
      throw new BadDataError(
        `${file.path} has other columns than ${first.path}: ${differences.join(", and ")}; write both with the same columns`,
        { file: file.path },
      );
    }
    const empty = Object.fromEntries([...expected].map((name) => [name, null]));
    for (const row of rows) all.push(Object.keys(row).length === expected.size ? row : { ...empty, ...row });
  }
  return all;
}
