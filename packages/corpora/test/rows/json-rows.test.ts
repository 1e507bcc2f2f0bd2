import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { processorSeconds } from "../../../../tools/test/processor-seconds.ts";
import { failure, rowsOf } from "./row-folder.ts";

const good = '{"a": "text", "b": [1, 2.5, {"c": null}], "d": true}\n';
const row = { a: "text", b: [1, 2.5, { c: null }], d: true };

test("rows of JSON lines have all their columns, as JSON has them", async () => {
  assert.equal(await rowsOf({ "x.jsonl": good + good.trimEnd() }), [row, row]);
  assert.equal(await rowsOf({ "x.jsonl": `\n${good.replace("\n", "\r\n")}\n  \n${good}` }), [row, row]);
  assert.equal(await rowsOf({ "x.jsonl.gz": gzipSync(good) }), [row]);
  assert.equal(await rowsOf({ "x.jsonl": '{"é": "日本\\u0000\\ud83d\\ude00"}' }), [{ é: "日本\u0000😀" }]);
});

test("a file may be one list of rows", async () => {
  assert.equal(await rowsOf({ "x.json": ` \n[${good},\n${good}]\n` }), [row, row]);
  assert.equal(await rowsOf({ "x.json.gz": gzipSync(`[${good}]`) }), [row]);
  assert.match(await failure(() => rowsOf({ "x.json": "[{}, 5]" })), /^x\.json, row 2: a row that is no object; write rows as/);
  assert.match(await failure(() => rowsOf({ "x.json": `[${good}` })), /^x\.json: no JSON \(.+\); correct it there, or copy/);
});

test("a list takes a time that grows with its length, not with its square", async () => {
  const count = 60_000;
  const list = `[${Array.from({ length: count }, () => JSON.stringify({ text: "a".repeat(60) })).join(",")}]`;
  const seconds = await processorSeconds(async () => assert.is((await rowsOf({ "x.json": list })).length, count));
  // one where each row is looked at once; minutes where the whole text is searched for each
  assert.ok(seconds < 30, `${seconds} s`);
});

test("a column that some rows lack is null there", async () => {
  assert.equal(await rowsOf({ "x.jsonl": '{"a": 1}\n{"b": 2, "a": 3}\n' }), [
    { a: 1, b: null },
    { a: 3, b: 2 },
  ]);
});

test("a byte-order mark is dropped and reported, and UTF-16 is refused", async () => {
  const warnings: string[] = [];
  assert.equal(await rowsOf({ "x.jsonl": `\ufeff${good}` }, (message) => warnings.push(message)), [row]);
  assert.is(warnings.length, 1);
  assert.match(warnings[0] ?? "", /x\.jsonl starts with a byte-order mark; dropped/);
  const wide = Buffer.from(`\ufeff${good}`, "utf16le");
  assert.is(await failure(() => rowsOf({ "x.jsonl": wide })), "x.jsonl is UTF-16; convert it to UTF-8");
});

const packed = gzipSync(Array.from({ length: 5000 }, (_, number) => `{"text":"row ${number * 7919}"}\n`).join(""));

for (const [what, name, content, message] of [
  [
    "a bad JSON line",
    "x.jsonl",
    `${good}{"a": oops}\n`,
    /^x\.jsonl, line 2: no JSON \(.*\); correct it there, or copy the file again$/,
  ],
  [
    "lists in lists",
    "x.jsonl",
    `{"a": ${"[".repeat(300)}${"]".repeat(300)}}`,
    /^x\.jsonl, line 1: lists or objects nested deeper than 100 levels/,
  ],
  ["a line cut short", "x.jsonl", `${good}\n${good.slice(0, 20)}`, /^x\.jsonl, line 3: no JSON/],
  ["a number", "x.jsonl", `${good}5\n`, /^x\.jsonl, line 2: a row that is no object; write rows as \{"column": value, …\}$/],
  ["a list after an object", "x.jsonl", `${good}[1]\n`, /^x\.jsonl, line 2: a row that is no object/],
  ["null", "x.jsonl", "null", /^x\.jsonl, line 1: a row that is no object/],
  [
    "bad UTF-8",
    "x.jsonl",
    Buffer.concat([Buffer.from(`${good}{"a": "`), Buffer.from([0x61, 0xff]), Buffer.from('"}\n')]),
    /^x\.jsonl, line 2: bad UTF-8; convert the file to UTF-8$/,
  ],
  ["a huge line", "x.jsonl", `${good}{"a": "${"x".repeat(9 << 20)}"}\n`, /^x\.jsonl, line 2: a row of more than 8 MiB; write/],
  [
    "a file without a line end",
    "x.jsonl",
    Buffer.alloc(70 << 20, "x"),
    /^x\.jsonl, line 1: a row of more than 8 MiB; write an object/,
  ],
  ["an endless list", "x.json", Buffer.alloc(70 << 20, "[1,\n"), /^x\.json: a list of more than 64 MiB; write an object a line$/],
  ["an empty file", "x.jsonl", "", /^x\.jsonl has no rows; copy it again, or leave it out$/],
  ["blank lines alone", "x.jsonl", "\n \n", /^x\.jsonl has no rows/],
  ["an empty list", "x.json", "[]", /^x\.json has no rows/],
  [
    "gzip cut short",
    "x.jsonl.gz",
    packed.subarray(0, -100),
    /^x\.jsonl\.gz is not a complete gzip file \(.*\); copy or pack it again$/,
  ],
  ["gzip that is none", "x.jsonl.gz", good, /^x\.jsonl\.gz is not a complete gzip file/],
  [
    "gzip that unpacks without end",
    "x.jsonl.gz",
    gzipSync(Buffer.alloc(80 << 20, good)),
    /unpack to more than 200 times as many/,
  ],
  [
    "a number beyond 2^53",
    "x.jsonl",
    '{"a": 1}\n{"a": [{"b": 9007199254740993}]}\n',
    /^x\.jsonl, line 2: the number 9007199254740992 is too large to be held exactly; write it as text$/,
  ],
  [
    "thousands of columns",
    "x.jsonl",
    Array.from({ length: 1001 }, (_, number) => `{"a${number}": 1}\n`).join(""),
    /^x\.jsonl, row 1001: with it there are more than 1000 columns; give all rows the same columns$/,
  ],
  [
    "a pointer of Git LFS",
    "x.jsonl",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
    /fetch it with git lfs pull$/,
  ],
] as const) {
  test(`${what} is refused in one line`, async () => {
    assert.match(await failure(() => rowsOf({ [name]: content })), message);
  });
}

test("numbers with many digits are numbers where a float64 holds them as written", async () => {
  assert.equal(await rowsOf({ "x.jsonl": '{"a": 0.12345678901234567890, "b": "12345678901234567890"}' }), [
    { a: 0.12345678901234568, b: "12345678901234567890" },
  ]);
});

test("shards with other columns are refused, naming them", async () => {
  assert.equal((await rowsOf({ "1.jsonl": '{"a": 1, "b": 2}', "2.jsonl": '{"b": 3, "a": 4}' })).length, 2);
  assert.is(
    await failure(() => rowsOf({ "1.jsonl": '{"a": 1, "b": 2}', "2.jsonl": '{"a": 3, "c": 4}' })),
    "2.jsonl has other columns than 1.jsonl: without b, and with c; write both with the same columns",
  );
  assert.match(await failure(() => rowsOf({ "1.jsonl": good, "2.jsonl": "" })), /^2\.jsonl has no rows/);
});

test.run();
