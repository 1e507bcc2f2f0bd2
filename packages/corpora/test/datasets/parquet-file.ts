import { DuckDBInstance } from "@duckdb/node-api";
import type { DuckDBValue } from "@duckdb/node-api";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs SQL, in which "$file" stands for a path in a folder of its own. */
async function run<Result>(
  work: (query: (sql: string) => Promise<DuckDBValue[][]>, file: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-parquet-"));
  const file = join(folder, "x.parquet");
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    return await work(async (sql) => (await connection.runAndReadAll(sql.replaceAll("$file", file))).getRows(), file);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The bytes of a Parquet file with the rows of a query. */
export const parquetBytes = (select: string, options = "ROW_GROUP_SIZE 2048"): Promise<Buffer> =>
  run(async (query, file) => {
    await query(`COPY (${select}) TO '$file' (FORMAT parquet, ${options})`);
    return readFile(file);
  });
