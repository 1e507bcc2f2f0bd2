import { DuckDBInstance } from "@duckdb/node-api";
import { BadDataError } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withFolder } from "./temporary-folder.ts";

interface Outcome {
  readonly documents: number;
  readonly warnings: readonly string[];
  readonly error: Error | undefined;
}

/** Reads language `en` of a folder with one file. */
async function read(name: string, content: string | Uint8Array, field?: string): Promise<Outcome> {
  const warnings: string[] = [];
  let documents = 0;
  let error: Error | undefined;
  await withFolder({ [name]: content }, async (folder) => {
    try {
      const corpus = await openCorpus(folder, { field, warn: (message) => warnings.push(message.replaceAll(folder, "")) });
      for await (const { text } of corpus.documents("en")) documents += text.length > 0 ? 1 : 0;
    } catch (thrown) {
      error = thrown as Error;
    }
  });
  return { documents, warnings, error };
}

/** 999 good rows around a bad one, which comes in the middle. */
function around(good: string, bad: string | Uint8Array, header = ""): Buffer {
  return Buffer.concat([Buffer.from(header + good.repeat(500)), Buffer.from(bad), Buffer.from(good.repeat(499))]);
}

const invalid = Buffer.from([0x61, 0xff, 0xfe]);
const huge = "x".repeat(9 << 20);
/** Longer than several pieces in which a file is read. */
const enormous = "x".repeat(40 << 20);
const line = '{"text":"good"}\n';

for (const [what, name, content, summary] of [
  [
    "bad UTF-8 in JSONL",
    "en.jsonl",
    around(line, Buffer.concat([Buffer.from('{"text":"'), invalid, Buffer.from('"}\n')])),
    "1 bad UTF-8; first: /en.jsonl, row 501",
  ],
  ["a bad JSON line", "en.jsonl", around(line, '{"text": oops}\n'), "1 bad JSON; first: /en.jsonl, row 501"],
  ["a line without the field", "en.jsonl", around(line, '{"other":"x"}\n'), "1 no text; first: /en.jsonl, row 501"],
  ["a field that is no text", "en.jsonl", around(line, '{"text":5}\n'), "1 no text; first: /en.jsonl, row 501"],
  ["a huge JSONL line", "en.jsonl", around(line, `{"text":"${huge}"}\n`), "1 too long; first: /en.jsonl, row 501"],
  ["an enormous JSONL line", "en.jsonl", around(line, `{"text":"${enormous}"}\n`), "1 too long; first: /en.jsonl, row 501"],
  [
    "an enormous line in gzip",
    "en.jsonl.gz",
    gzipSync(around(line, `{"text":"${enormous}"}\n`), { level: 1 }),
    "1 too long; first: /en.jsonl.gz, row 501",
  ],
  [
    "bad UTF-8 in CSV",
    "en.csv",
    around("good,s\n", Buffer.concat([invalid, Buffer.from(",s\n")]), "text,source\n"),
    "1 bad UTF-8; first: /en.csv, line 502",
  ],
  [
    "a CSV row with too many columns",
    "en.csv",
    around("good,s\n", "a,b,c\n", "text,source\n"),
    "1 bad row; first: /en.csv, line 502",
  ],
  [
    "an enormous CSV line",
    "en.csv",
    around("good,s\n", `${enormous},s\n`, "text,source\n"),
    "1 too long; first: /en.csv, line 502",
  ],
  [
    "bad UTF-8 in plain text",
    "en.txt",
    around("good\n\n", Buffer.concat([invalid, Buffer.from("\n\n")])),
    "1 bad UTF-8; first: /en.txt, line 1001",
  ],
  ["a huge line in plain text", "en.txt", around("good\n\n", `${huge}\n\n`), "1 too long; first: /en.txt, line 1001"],
  [
    "a huge document of short lines",
    "en.txt",
    around("good\n\n", `${"short\n".repeat(1.6e6)}\n\n`),
    "1 too long; first: /en.txt, line 1001",
  ],
] as const) {
  test(`${what} is left out, counted and reported`, async () => {
    const { documents, warnings, error } = await read(name, content);
    assert.is(error, undefined);
    assert.is(documents, 999);
    assert.equal(warnings, [`en: 1 of 1000 documents are broken (${summary}); left out`]);
  });
}

const oneDocument = (lines: number): string =>
  `/en.txt has ${lines} lines and no blank one between them, so it is one document; put a blank line between documents, or write each as a line of .jsonl`;

test("plain text of many lines without a blank one is said to be one document, and fewer or divided lines are not", async () => {
  const pages = "a page\n";
  for (const [content, warnings] of [
    [pages.repeat(50), [oneDocument(50)]],
    [`\n${pages.repeat(60)}\n\n`, [oneDocument(60)]],
    [pages.repeat(49), []],
    [`${pages.repeat(60)}\n${pages}`, []],
  ] as const) {
    assert.equal((await read("en.txt", content)).warnings, warnings);
  }
});

for (const [what, name, piece, message] of [
  [
    "plain text without a line end",
    "en.txt",
    "good ",
    /en\.txt, line 3: 64 MiB without a blank line, which ends a document; put one/,
  ],
  ["plain text without a blank line", "en.txt", `${"good ".repeat(200)}\n`, /en\.txt, line 3: 64 MiB without a blank line/],
  [
    "JSONL without a line end",
    "en.jsonl",
    "good ",
    /en\.jsonl, line 3: 64 MiB without a line end, which ends a row; write a row a line/,
  ],
  ["CSV without a line end", "en.csv", "good ", /en\.csv, line 3: 64 MiB without a line end/],
] as const) {
  test(`${what} is refused and not read on`, async () => {
    const start = { "en.txt": "good\n\n", "en.jsonl": line + line, "en.csv": "text\ngood\n" }[name];
    const { error } = await read(name, Buffer.concat([Buffer.from(start), Buffer.alloc(65 << 20, piece)]));
    assert.instance(error, BadDataError);
    assert.match(error?.message ?? "", message);
  });
}

for (const [name, good, bad, header] of [
  ["en.jsonl", line, "{\n", ""],
  ["en.csv", "good,s\n", "a,b,c\n", "text,source\n"],
  ["en.txt", "good\n\n", Buffer.concat([invalid, Buffer.from("\n\n")]), ""],
] as const) {
  test(`${name}: above 1% the files are refused`, async () => {
    const content = Buffer.concat([Buffer.from(header + good.repeat(98)), Buffer.from(bad)]);
    const { error } = await read(name, content);
    assert.instance(error, BadDataError);
    assert.ok(error?.message.includes("en: 1 of 99 documents are broken"), error?.message);
    const enough = Buffer.concat([content, Buffer.from(good)]);
    assert.is((await read(name, enough)).documents, 99);
  });
}

for (const [name, content] of [
  ["en.jsonl", '{"body":"x","id":1}\n'],
  ["en.csv", "id,body\n1,x\n"],
] as const) {
  test(`${name}: a missing field is refused at once, naming those that are there`, async () => {
    const { error } = await read(name, content);
    assert.instance(error, BadDataError);
    assert.ok(error?.message.includes('"text"') && error.message.includes("body"), error?.message);
    assert.is((await read(name, content, "body")).documents, 1);
  });
}

test("a field that is missing in all lines but the first ends early", async () => {
  const { error } = await read("en.jsonl", line + '{"other":"x"}\n'.repeat(5000));
  assert.ok(error?.message.includes("1000 of 1001 documents"), error?.message);
});

for (const [name, content] of [
  ["en.jsonl", line],
  ["en.csv", "text\ngood\n"],
  ["en.txt", "good\n"],
  ["en.jsonl.gz", line],
] as const) {
  test(`${name}: a byte-order mark is dropped and reported`, async () => {
    const bytes = Buffer.from(`\ufeff${content}`);
    const { documents, warnings, error } = await read(name, name.endsWith(".gz") ? gzipSync(bytes) : bytes);
    assert.is(error, undefined);
    assert.is(documents, 1);
    assert.equal(warnings, ["en: 1 of its files start with a byte-order mark; dropped"]);
    const other = await read(name.replace(".gz", ""), Buffer.from(`\ufeff${content}`, "utf16le"));
    assert.instance(other.error, BadDataError);
    assert.ok(other.error?.message.includes("UTF-16"));
  });
}

test("gzip that is cut short, changed or no gzip is refused", async () => {
  for (const name of ["en.jsonl.gz", "en.txt.gz"]) {
    const packed = gzipSync(Array.from({ length: 5000 }, (_, row) => `{"text":"row ${row * 7919}"}\n\n`).join(""));
    assert.is((await read(name, packed)).documents, 5000);
    const changed = Buffer.from(packed);
    changed.writeUInt8(changed.readUInt8(packed.length - 6) ^ 1, packed.length - 6);
    for (const broken of [packed.subarray(0, packed.length >> 1), packed.subarray(0, -1), changed, Buffer.from(line)]) {
      const { error } = await read(name, broken);
      assert.instance(error, BadDataError);
      assert.ok(error?.message.includes("is not a complete gzip file"), error?.message);
    }
  }
});

const blankStretch = Buffer.alloc(18 << 20, `${" ".repeat(63)}\n`);

for (const [name, head] of [
  ["en.txt", "good\n\n"],
  ["en.jsonl", line],
  ["en.csv", "text\ngood\n"],
] as const) {
  test(`${name}: blank lines on and on are refused, packed or not`, async () => {
    const content = Buffer.concat([Buffer.from(head), blankStretch]);
    for (const [file, bytes] of [[name, content] as const, [`${name}.gz`, gzipSync(content, { level: 1 })] as const]) {
      const { error } = await read(file, bytes);
      assert.instance(error, BadDataError, file);
      assert.match(error?.message ?? "", /\/en\.[a-z.]+: 16 MiB of blank lines in a row; remove them, or leave the file out/);
    }
  });
}

test("a file that unpacks to what no text does is refused on the way, whatever its form", async () => {
  const empty = `{"text":"${" ".repeat(1000)}"}\n`;
  for (const [name, content] of [
    ["en.jsonl.gz", empty.repeat((66 << 20) / empty.length)],
    ["en.txt.gz", `${"a".repeat(1022)}\n\n`.repeat(66 << 10)],
    ["en.parquet.gz", Buffer.alloc(66 << 20)],
  ] as const) {
    const packed = gzipSync(content, { level: 6 });
    // many members, so that what is refused on the way is far from its end
    const { error } = await read(name, Buffer.concat(Array.from({ length: 20 }, () => packed)));
    assert.instance(error, BadDataError, name);
    const [, bytes] =
      /the first (\d+) bytes unpack to more than 200 times as many, .*; look at what it contains/.exec(error?.message ?? "") ??
      [];
    assert.ok(Number(bytes) < 2 * packed.length, `${name}: ${error?.message}`);
  }
});

test("a document of Parquet that is too long is left out, counted and reported", async () => {
  await withFolder({}, async (folder) => {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    const texts = `SELECT CASE i WHEN 50 THEN repeat('x', ${9 << 20}) ELSE 'good' END AS text, 's' || i AS source FROM range(200) r(i)`;
    await connection.run(`COPY (${texts}) TO '${join(folder, "en.parquet")}' (FORMAT parquet)`);
    connection.closeSync();
    instance.closeSync();
    const warnings: string[] = [];
    const corpus = await openCorpus(folder, { warn: (message) => warnings.push(message.replaceAll(folder, "")) });
    const sources: string[] = [];
    for await (const { text, source } of corpus.documents("en")) {
      assert.is(text, "good");
      sources.push(source);
    }
    assert.is(sources.length, 199);
    assert.is(sources[50], "s51");
    assert.equal(warnings, ["en: 1 of 200 documents are broken (1 too long; first: /en.parquet, row 51); left out"]);
  });
});

test("Parquet that is broken, or whose column is missing or no text, is refused", async () => {
  const { error: noParquet } = await read("en.parquet", "PAR1 nothing PAR1");
  assert.instance(noParquet, BadDataError);
  assert.match(
    noParquet?.message ?? "",
    /^cannot read .*\/en\.parquet: .*; copy it again, or write it again from what it was made of$/,
  );
  await withFolder({}, async (folder) => {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    await connection.run(`COPY (SELECT 5 AS text, 'x' AS body) TO '${join(folder, "en.parquet")}' (FORMAT parquet)`);
    const corpus = await openCorpus(folder);
    const messageOf = async (field?: string): Promise<string> => {
      try {
        const opened = field === undefined ? corpus : await openCorpus(folder, { field });
        for await (const { text } of opened.documents("en")) return text;
      } catch (error) {
        assert.instance(error, BadDataError);
        return (error as Error).message;
      }
      return "";
    };
    assert.ok((await messageOf()).includes("holds INT_32, not text"));
    assert.ok((await messageOf("absent")).includes("it has: text, body"));
    assert.is(await messageOf("body"), "x");
    connection.closeSync();
    instance.closeSync();
  });
});

test("a file that went away is an error with its name", async () => {
  await withFolder({ "en.jsonl": line, "fr.txt": "a" }, async (folder) => {
    const corpus = await openCorpus(folder);
    for (const [language, name] of [
      ["en", "en.jsonl"],
      ["fr", "fr.txt"],
    ] as const) {
      await rm(join(folder, name));
      assert.not.ok(await stat(join(folder, name)).catch(() => undefined));
      try {
        for await (const { text } of corpus.documents(language)) assert.unreachable(text);
        assert.unreachable("no error");
      } catch (error) {
        assert.ok((error as Error).message.includes(`cannot read ${join(folder, name)}`), (error as Error).message);
      }
    }
  });
});

test.run();
