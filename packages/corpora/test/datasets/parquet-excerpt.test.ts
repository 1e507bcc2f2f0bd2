import { BadDataError } from "@mbs/contracts";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseRowGroups, writeParquetExcerpt } from "../../src/datasets/parquet-excerpt.ts";
import type { ByteRange } from "../../src/datasets/parquet-excerpt.ts";
import { withFolder } from "../temporary-folder.ts";
import { parquetBytes, queryParquet } from "./parquet-file.ts";

/** A file in memory, which counts what is read of it. */
function memory(bytes: Buffer): ByteRange & { read: number } {
  return {
    name: "memory",
    size: bytes.length,
    read: 0,
    async *bytes(start, end) {
      await Promise.resolve();
      for (let at = start; at < end; at += 1000) {
        const piece = bytes.subarray(at, Math.min(end, at + 1000));
        this.read += piece.length;
        yield piece;
      }
    },
  };
}

const select = `SELECT i AS id, {'a': i, 'b': ['x', 'y']} AS nested, 'text ' || i || repeat('é', i % 50) AS text,
  CASE WHEN i % 3 = 0 THEN NULL ELSE 'source ' || (i % 5) END AS source, repeat(md5(i::VARCHAR || 'n'), 4) AS noise FROM range(30000) t(i)`;

for (const codec of ["zstd", "snappy", "gzip", "uncompressed", "lz4_raw", "brotli"]) {
  test(`an excerpt of a ${codec} file has the same rows of some row groups, in two of its columns`, async () => {
    const source = memory(await parquetBytes(select, `ROW_GROUP_SIZE 2048, CODEC ${codec}`));
    await withFolder({}, async (folder) => {
      const path = join(folder, "excerpt.parquet");
      await writeParquetExcerpt(source, ["absent", "text", "body"], ["source", "missing"], 5000, path);
      const columns = await queryParquet(path, "DESCRIBE SELECT * FROM '$path'");
      assert.equal(
        columns.map(([name, type]) => [name, type]),
        [
          ["text", "VARCHAR"],
          ["source", "VARCHAR"],
        ],
      );
      const rows = await queryParquet(path, "SELECT text, source FROM '$path'");
      // 3 of 15 groups, the middle ones of three parts
      assert.is(rows.length, 3 * 2048);
      const ids = [2, 7, 12].flatMap((group) => Array.from({ length: 2048 }, (_, row) => 2048 * group + row));
      assert.equal(
        rows,
        ids.map((id) => [`text ${id}${"é".repeat(id % 50)}`, id % 3 === 0 ? null : `source ${id % 5}`]),
      );
      assert.equal(await queryParquet(path, "SELECT count(*)::INTEGER FROM '$path' WHERE text = 'text 4100'"), [[1]]);
    });
    assert.ok(source.read < (256 << 10) + source.size / 8, `${source.read} of ${source.size} bytes`);
  });
}

test("all row groups are taken where there are no more rows than wanted, and a nested column stays whole", async () => {
  const source = memory(await parquetBytes(select));
  await withFolder({}, async (folder) => {
    const path = join(folder, "excerpt.parquet");
    await writeParquetExcerpt(source, ["text"], ["nested"], 1e6, path);
    const [row] = await queryParquet(
      path,
      "SELECT count(*)::INTEGER, sum(nested.a)::INTEGER, max(len(nested.b))::INTEGER FROM '$path'",
    );
    assert.equal(row, [30000, (30000 * 29999) / 2, 2]);
  });
});

const chosen = (rows: number[], wanted: number): number[] => {
  const groups = rows.map((count) => ({ rows: count, chunks: [], fields: new Map() }));
  return chooseRowGroups(groups, wanted).map((group) => groups.findIndex((other) => other === group));
};

test("row groups are as few as have the rows, and spread", () => {
  assert.equal(chosen(Array(10).fill(100), 1), [4]);
  assert.equal(chosen(Array(10).fill(100), 200), [2, 7]);
  assert.equal(chosen(Array(10).fill(100), 201), [1, 4, 8]);
  assert.equal(chosen([100, 100, 1], 200), [0, 1, 2]);
  assert.equal(chosen([], 5), []);
  assert.equal(chosen([7], 5), [0]);
});

/** The error of an excerpt of broken bytes. */
async function outcome(bytes: Buffer): Promise<Error | undefined> {
  let error: Error | undefined;
  await withFolder({}, async (folder) => {
    try {
      await writeParquetExcerpt(memory(bytes), ["text"], [], 10, join(folder, "excerpt.parquet"));
    } catch (thrown) {
      error = thrown as Error;
    }
  });
  return error;
}

test("a missing column is named with those that there are", async () => {
  const error = await outcome(await parquetBytes("SELECT 1 AS id, 'x' AS content"));
  assert.instance(error, BadDataError);
  assert.match(error?.message ?? "", 'memory has no column "text"; it has: id, content; name one with --field or field=');
});

test("a file that is cut anywhere, or whose footer is changed anywhere, is refused or read, and never crashes", async () => {
  const bytes = await parquetBytes("SELECT 'text ' || i AS text, {'a': [i]} AS n FROM range(50) t(i)");
  for (let length = 0; length < bytes.length; length += 3 + (length % 7)) {
    assert.instance(await outcome(bytes.subarray(0, length)), BadDataError, `cut at ${length}`);
  }
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  let refused = 0;
  for (let at = footer; at < bytes.length; at += 2) {
    for (const change of at % 4 === 0 ? [0x01] : [0xff]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      const error = await outcome(changed);
      if (error === undefined) continue;
      refused += 1;
      assert.instance(error, BadDataError, `${change} at ${at}: ${error.stack}`);
    }
  }
  assert.ok(refused > 25, `${refused} refused`);
});

test.run();
