import { BadDataError } from "@mbs/contracts";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LockedDatabase } from "../src/formats/locked-database.ts";
import { withFolder } from "./temporary-folder.ts";

test("the named file opens, and nothing else does", async () => {
  await withFolder({ "a'b.txt": "mine", "other.txt": "not mine" }, async (folder) => {
    const path = join(folder, "a'b.txt");
    const database = await LockedDatabase.open(path);
    const rowsOf = async (sql: string, parameters?: string[]): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for await (const row of database.rows(sql, parameters)) rows.push(row);
      return rows;
    };
    assert.equal(await rowsOf("SELECT content FROM read_text($1)"), [["mine"]]);
    for (const [sql, ...parameters] of [
      ["SELECT * FROM read_text($1)", "/etc/passwd"],
      ["SELECT * FROM read_text($1)", join(folder, "other.txt")],
      ["SELECT * FROM read_text($1)", join(folder, "*.txt")],
      ["SELECT * FROM read_text($1)", `${path}/../other.txt`],
      ["SELECT * FROM sniff_csv($1)", "/etc/passwd"],
      ["SELECT * FROM read_csv($1)", "http://127.0.0.1:9/x.csv"],
      [`COPY (SELECT 1) TO '${join(folder, "new.csv")}'`],
      [`ATTACH '${join(folder, "new.db")}'`],
      ["INSTALL httpfs"],
      ["LOAD httpfs"],
      ["SET enable_external_access = true"],
      ["SET allowed_paths = ['/etc/passwd']"],
      ["SET lock_configuration = false"],
      ["SET memory_limit = '64GB'"],
    ] as const) {
      try {
        await rowsOf(sql, parameters);
        assert.unreachable(`${sql} ${parameters.join()}`);
      } catch (error) {
        assert.instance(error, BadDataError, `${sql}: ${String(error)}`);
      }
    }
    database.close();
  });
});

test.run();
