import { BadDataError } from "@mbs/contracts";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseRowGroups, writeParquetExcerpt } from "../../src/datasets/parquet-excerpt.ts";
import type { ByteRange } from "../../src/formats/parquet-file.ts";
import { withFolder } from "../temporary-folder.ts";
import { parquetBytes } from "./parquet-file.ts";

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

/** The rows of an excerpt. */
async function excerptRows(
  source: ByteRange,
  needed: readonly string[],
  beside: readonly string[],
  wanted: number,
): Promise<Record<string, unknown>[]> {
  let lines: string[] = [];
  await withFolder({}, async (folder) => {
    const path = join(folder, "excerpt.jsonl");
    await writeParquetExcerpt(source, needed, beside, wanted, path);
    lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  });
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const selectRows = (
  count: number,
): string => `SELECT i AS id, {'a': i, 'b': ['x', 'y']} AS nested, 'text ' || i || repeat('é', i % 50) AS text,
  CASE WHEN i % 3 = 0 THEN NULL ELSE 'source ' || (i % 5) END AS source, repeat(md5(i::VARCHAR || 'n'), 4) AS noise FROM range(${count}) t(i)`;

const rowOf = (id: number) => ({
  text: `text ${id}${"é".repeat(id % 50)}`,
  source: id % 3 === 0 ? null : `source ${id % 5}`,
});

for (const codec of ["zstd", "snappy", "gzip", "uncompressed"]) {
  test(`an excerpt of a ${codec} file has the same rows of some row groups, in two of its columns`, async () => {
    const source = memory(await parquetBytes(selectRows(30000), `ROW_GROUP_SIZE 2048, CODEC ${codec}`));
    const rows = await excerptRows(source, ["absent", "text", "body"], ["source", "missing"], 5000);
    // 3 of 15 groups, the middle ones of three parts
    const ids = [2, 7, 12].flatMap((group) => Array.from({ length: 2048 }, (_, row) => 2048 * group + row));
    assert.equal(rows, ids.map(rowOf));
    assert.ok(source.read < (256 << 10) + source.size / 8, `${source.read} of ${source.size} bytes`);
  });
}

test("an excerpt of a brotli file has its rows", async () => {
  // few: DuckDB takes ten seconds to compress as many as above
  const source = memory(await parquetBytes(selectRows(1000), "CODEC brotli"));
  assert.equal(
    await excerptRows(source, ["text"], ["source"], 5000),
    Array.from({ length: 1000 }, (_, id) => rowOf(id)),
  );
});

test("all row groups are taken where there are no more rows than wanted, and a nested column stays whole", async () => {
  const source = memory(await parquetBytes(selectRows(30000)));
  const rows = await excerptRows(source, ["text"], ["nested"], 1e6);
  assert.is(rows.length, 30000);
  assert.equal(
    rows.map(({ nested }) => nested),
    rows.map((_, index) => ({ a: index, b: ["x", "y"] })),
  );
});

test("row groups are as few as have the rows, and spread", () => {
  assert.equal(chooseRowGroups(Array(10).fill(100), 1), [4]);
  assert.equal(chooseRowGroups(Array(10).fill(100), 200), [2, 7]);
  assert.equal(chooseRowGroups(Array(10).fill(100), 201), [1, 4, 8]);
  assert.equal(chooseRowGroups([100, 100, 1], 200), [0, 1, 2]);
  assert.equal(chooseRowGroups([], 5), []);
  assert.equal(chooseRowGroups([7], 5), [0]);
});

/** The error of an excerpt of broken bytes. */
async function outcome(bytes: Buffer): Promise<Error | undefined> {
  let error: Error | undefined;
  await withFolder({}, async (folder) => {
    try {
      await writeParquetExcerpt(memory(bytes), ["text"], [], 10, join(folder, "excerpt.jsonl"));
    } catch (thrown) {
      error = thrown as Error;
    }
  });
  return error;
}

test("a missing column is named with those that there are", async () => {
  const error = await outcome(await parquetBytes("SELECT 1 AS id, 'x' AS content"));
  assert.instance(error, BadDataError);
  assert.match(
    error?.message ?? "",
    'memory has no column "text"; it has: id, content; name one by field= in the dataset\'s name',
  );
});

test("a compression that is not read is named, with others that are", async () => {
  const error = await outcome(await parquetBytes("SELECT 'x' AS text", "CODEC lz4_raw"));
  assert.instance(error, BadDataError);
  assert.match(
    error?.message ?? "",
    "memory is compressed by LZ4_RAW, which is not read; write it again, compressed by snappy or zstd",
  );
});

test("a file that is cut anywhere, or changed anywhere, is refused or read, and never crashes", async () => {
  const bytes = await parquetBytes("SELECT 'text ' || i AS text, {'a': [i]} AS n FROM range(50) t(i)");
  for (let length = 0; length < bytes.length; length += 3 + (length % 7)) {
    assert.instance(await outcome(bytes.subarray(0, length)), BadDataError, `cut at ${length}`);
  }
  let refused = 0;
  for (let at = 0; at < bytes.length; at += 2) {
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
