import { test } from "uvu";
import * as assert from "uvu/assert";
import { parquetBytes } from "../datasets/parquet-file.ts";
import { failure, rowsOf } from "./row-folder.ts";

const read = async (select: string): Promise<unknown> => rowsOf({ "x.parquet": await parquetBytes(select) });

test("rows of Parquet have all their columns, as JSON has them", async () => {
  const select = `SELECT 'text' AS a, 7::BIGINT AS b, 2::TINYINT AS label, 0.5::DOUBLE AS c, true AS d, NULL::VARCHAR AS e,
    ['x', NULL, 'y'] AS choices, {'text': ['a', 'b'], 'label': [0::BIGINT, 1::BIGINT]} AS "nested one", [{'k': [1]}] AS deep,
    DATE '2024-02-03' AS day, TIMESTAMP '2024-02-03 04:05:06' AS time, make_timestamptz(1706933106000000) AS zoned, 1.25::DECIMAL(4, 2) AS price, []::INTEGER[] AS none`;
  assert.equal(await read(select), [
    {
      a: "text",
      b: 7,
      label: 2,
      c: 0.5,
      d: true,
      e: null,
      choices: ["x", null, "y"],
      "nested one": { text: ["a", "b"], label: [0, 1] },
      deep: [{ k: [1] }],
      day: "2024-02-03",
      time: "2024-02-03 04:05:06",
      zoned: "2024-02-03 04:05:06",
      price: 1.25,
      none: [],
    },
  ]);
});

test("rows come in the order of the file, over row groups", async () => {
  const rows = await rowsOf({ "x.parquet": await parquetBytes("SELECT i AS i FROM range(10000) t(i)") });
  assert.equal(
    rows.map(({ i }) => i),
    Array.from({ length: 10000 }, (_, index) => index),
  );
});

test("values that JSON or a number cannot hold are refused, naming row and column", async () => {
  assert.is(
    await failure(() => read("SELECT CASE i WHEN 1 THEN 9007199254740993 ELSE i END AS n FROM range(3) t(i)")),
    'x.parquet, row 2, column "n": the number 9007199254740993 is too large to be held exactly; write the column as text',
  );
  assert.is(
    await failure(() => read("SELECT 1 AS a, {'bytes': 'x'::BLOB} AS image")),
    'x.parquet, row 1, column "image": a value of bytes, which JSON does not have; write the file without this column',
  );
  assert.match(
    await failure(() => read(`SELECT repeat('x', ${9 << 20}) AS text`)),
    /^x\.parquet, row 1, column "text": more than 8 Mi characters; write the file with shorter rows$/,
  );
});

test("Parquet that is cut, broken, empty or of bad UTF-8 is refused in one line", async () => {
  const bytes = await parquetBytes("SELECT 'wörter ' || i AS text FROM range(5000) t(i)", "CODEC uncompressed");
  for (const length of [0, 10, bytes.length >> 1, bytes.length - 1]) {
    assert.match(
      await failure(() => rowsOf({ "x.parquet": bytes.subarray(0, length) })),
      /^cannot read x\.parquet: .*; copy it again/,
    );
  }
  const at = bytes.indexOf("wörter", bytes.length >> 2);
  assert.ok(at > 0);
  const broken = Buffer.from(bytes);
  broken[at + 1] = 0xff;
  assert.match(await failure(() => rowsOf({ "x.parquet": broken })), /^cannot read x\.parquet: .*copy it again/);
  assert.match(
    await failure(() => read("SELECT 1 AS a WHERE false")),
    /^x\.parquet has no rows; copy it again, or leave it out$/,
  );
});

test("shards with other columns are refused, naming them", async () => {
  const [one, two] = [await parquetBytes("SELECT 1 AS a, 2 AS b"), await parquetBytes("SELECT 1 AS a")];
  assert.equal(await rowsOf({ "1.parquet": one, "2.parquet": one }), [
    { a: 1, b: 2 },
    { a: 1, b: 2 },
  ]);
  assert.is(
    await failure(() => rowsOf({ "1.parquet": one, "2.parquet": two })),
    "2.parquet has other columns than 1.parquet: without b; write both with the same columns",
  );
});

test.run();
