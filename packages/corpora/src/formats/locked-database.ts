import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from "@duckdb/node-api";
import { BadDataError } from "@mbs/contracts";

/** A piece of SQL text in quotes. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * DuckDB in memory that can open the named file and nothing else: no other file, no network, no extension, and no way to
 * change that. One thread, so that rows come in the order of the file.
 */
export class LockedDatabase {
  readonly #path: string;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(path: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#path = path;
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(path: string): Promise<LockedDatabase> {
    // loaded on demand: it takes longer to load than everything else here
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:", {
      threads: "1",
      memory_limit: "512MB",
      temp_directory: "",
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    // The order matters: the list of paths cannot be set once access is off, and access not once settings are locked.
    await connection.run(`SET allowed_paths = [${quoted(path)}]`);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    return new LockedDatabase(path, instance, connection);
  }

  /**
   * Rows of a query in which $1 stands for the file, as they are made.
   *
   * @throws {BadDataError} where DuckDB refuses the file
   */
  async *rows(
    sql: string,
    parameters: readonly DuckDBValue[] = [this.#path],
  ): AsyncGenerator<readonly DuckDBValue[], void, undefined> {
    try {
      const result = await this.#connection.stream(sql, [...parameters]);
      for await (const rows of result.yieldRows()) yield* rows;
    } catch (error) {
      const [line = ""] = (error as Error).message.split("\n");
      const remedy = line.startsWith("Out of Memory")
        ? "write it again with smaller row groups and without huge values"
        : "copy it again, or write it again from what it was made of";
      const problem = line.slice(0, 300).replace(/[.;\s]+$/, "");
      throw new BadDataError(`cannot read ${this.#path}: ${problem}; ${remedy}`, { file: this.#path }, { cause: error });
    }
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
