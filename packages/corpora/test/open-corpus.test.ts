import { DuckDBInstance } from "@duckdb/node-api";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import { failure } from "@mbs/contracts/testing";
import { openCorpus, type Corpus, type CorpusDocument } from "@mbs/corpora";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withFolder } from "./temporary-folder.ts";

async function documentsOf(corpus: Corpus, language: string): Promise<CorpusDocument[]> {
  const documents: CorpusDocument[] = [];
  for await (const document of corpus.documents(language)) documents.push(document);
  return documents;
}

const jsonl = '{"text":"one","source":"s"}\n\n{"id":2,"text":"two\\n\\nlines \\ud83d\\ude00"}\n{"text":"  "}\n{"text":"three"}';
const three = [
  { text: "one", source: "s" },
  { text: "two\n\nlines 😀", source: "" },
  { text: "three", source: "" },
];
const csv = 'id,"text",source\r\n1,"one, ""quoted""",s\r\n2,"two\r\n\r\nlines",\r\n3,,x\r\n4,three,t\r\n';
const csvDocuments = [
  { text: 'one, "quoted"', source: "s" },
  { text: "two\n\nlines", source: "" },
  { text: "three", source: "t" },
];

async function writeParquet(path: string, select: string): Promise<Buffer> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return readFile(path);
}

test("a folder of LANG.* files in every format, each also gzip, several files of one language", async () => {
  const text = "first\r\nline two\r\n\r\n\r\n \t\r\nsecond\n\nthird";
  const files = {
    "en.jsonl": jsonl,
    "fr.jsonl.gz": gzipSync(jsonl),
    "hi.csv": csv,
    "mr.csv.gz": gzipSync(csv),
    "zh-Hans.txt": text,
    "zh-Hant.txt.gz": gzipSync(text),
    "en.more.txt": "four",
    "README.md": "not a corpus",
  };
  await withFolder(files, async (folder) => {
    const packed = await writeParquet(join(folder, "te.parquet"), "SELECT 'a' || i AS text, 7 AS n FROM range(3) t(i)");
    await writeFile(join(folder, "ta.parquet.gz"), gzipSync(packed));
    const corpus = await openCorpus(folder);
    assert.equal(corpus.languages, ["en", "fr", "hi", "mr", "ta", "te", "zh-Hans", "zh-Hant"]);
    assert.equal(await documentsOf(corpus, "en"), [...three, { text: "four", source: "" }]);
    assert.equal(await documentsOf(corpus, "fr"), three);
    assert.equal(await documentsOf(corpus, "hi"), csvDocuments);
    assert.equal(await documentsOf(corpus, "mr"), csvDocuments);
    const paragraphs = ["first\nline two", "second", "third"].map((part) => ({ text: part, source: "" }));
    assert.equal(await documentsOf(corpus, "zh-Hans"), paragraphs);
    assert.equal(await documentsOf(corpus, "zh-Hant"), paragraphs);
    const rows = ["a0", "a1", "a2"].map((part) => ({ text: part, source: "" }));
    assert.equal(await documentsOf(corpus, "te"), rows);
    assert.equal(await documentsOf(corpus, "ta"), rows);
  });
});

const pair = (text: string, target: string) => ({ text, source: "", target });

test("targets are read beside their texts, from fields or columns of their own", async () => {
  const files = {
    "en.jsonl": '{"source":"a","target":"b","text":"no"}\n{"source":"c","target":" "}\n{"source":"d\\n","target":"e"}\n',
    "fr.csv": 'target,id,source\r\n"b,\r\n2",1,a\r\n',
  };
  await withFolder(files, async (folder) => {
    await writeParquet(join(folder, "te.parquet"), "SELECT 'a' AS source, 'b' AS target, 'x' AS other");
    const corpus = await openCorpus(folder, { targetField: "target" });
    assert.equal(await documentsOf(corpus, "en"), [pair("a", "b"), pair("d\n", "e")]);
    assert.equal(await documentsOf(corpus, "fr"), [pair("a", "b,\n2")]);
    assert.equal(await documentsOf(corpus, "te"), [pair("a", "b")]);
    const other = await openCorpus(folder, { field: "other", targetField: "source" });
    assert.equal(await documentsOf(other, "te"), [{ text: "x", source: "a", target: "a" }]);
  });
});

test("a target field that is missing, or cannot be, is named with its option", async () => {
  const rows = Array.from({ length: 200 }, () => '{"source":"a","target":"b"}').join("\n");
  const files = {
    "en.jsonl": '{"source":"a","goal":"b"}\n',
    "fr.csv": "source,goal\na,b\n",
    "mr.txt": "text",
    "hi.jsonl": `${rows}\n{"source":"a"}\n`,
    "ta.jsonl": '{"source":"a","target":"b"}\n{"source":"a","target":3}\n',
  };
  await withFolder(files, async (folder) => {
    await writeParquet(join(folder, "te.parquet"), "SELECT 'a' AS source, 1 AS target");
    const warnings: string[] = [];
    const corpus = await openCorpus(folder, { targetField: "target", warn: (line) => warnings.push(line) });
    for (const [language, message] of [
      [
        "en",
        /en\.jsonl has no field "target"; its first line has: source, goal; give one this name, or say which by --target-field/,
      ],
      ["fr", /fr\.csv has no column "target"; it has: source, goal; give one this name, or say which by --target-field/],
      ["mr", /mr\.txt is plain text and has no targets/],
      ["ta", /1 of 2 documents are broken \(1 no target; first: .*ta\.jsonl, row 2\)/],
      ["te", /column "target" holds INT_32, not text; name another by --target-field/],
    ] as const) {
      const error = await failure(() => documentsOf(corpus, language));
      assert.instance(error, BadDataError);
      assert.match(error.message, message);
    }
    assert.is((await documentsOf(corpus, "hi")).length, 200);
    assert.match(warnings.join(), /hi: 1 of 201 documents are broken \(1 no target/);
  });
});

test("a file without the field of texts says how every command can name one", async () => {
  const remedy = "give one this name, or say which by field: in a manifest, or by --field where the command has it";
  const files = { "vi.csv": "id,content\n1,a\n", "hi.jsonl": '{"content":"a"}\n' };
  await withFolder(files, async (folder) => {
    const corpus = await openCorpus(folder);
    const column = `${join(folder, "vi.csv")} has no column "text"; it has: id, content; ${remedy}`;
    assert.is((await failure(() => documentsOf(corpus, "vi"))).message, column);
    const field = `${join(folder, "hi.jsonl")} has no field "text"; its first line has: content; ${remedy}`;
    assert.is((await failure(() => documentsOf(corpus, "hi"))).message, field);
  });
});

test("a folder with a folder for each language is refused with the manifest that would name them", async () => {
  await withFolder({}, async (folder) => {
    for (const [language, name] of [
      ["en", "1.txt"],
      ["hi", "news.jsonl.gz"],
      ["km", "README.md"],
    ] as const) {
      await mkdir(join(folder, language));
      await writeFile(join(folder, language, name), "a");
    }
    const manifest = join(folder, "texts.yaml");
    const refused = await failure(() => openCorpus(folder));
    const entries = "{en: en/*.txt, hi: hi/*.jsonl.gz}";
    assert.match(
      refused.message,
      `but folders of them; name these in a manifest, ${manifest}, such as languages: ${entries}, and give`,
    );
    await writeFile(manifest, `languages: ${entries}\n`);
    assert.equal((await openCorpus(manifest)).languages, ["en", "hi"]);
  });
});

test("a manifest names files, globs and lists, and a field", async () => {
  const files = {
    "manifest.yaml": "name: mine\nlicense: CC0-1.0\nfield: content\nlanguages:\n  en: [a.jsonl, 'b*.jsonl']\n  no: b1.jsonl\n",
    "a.jsonl": '{"content":"a","text":"wrong"}\n',
    "b2.jsonl": '{"content":"b2","text":"wrong"}\n',
    "b1.jsonl": '{"content":"b1","text":"right"}\n',
  };
  await withFolder(files, async (folder) => {
    const path = join(folder, "manifest.yaml");
    const corpus = await openCorpus(path);
    assert.equal([corpus.name, corpus.license, corpus.languages], ["mine", "CC0-1.0", ["en", "no"]]);
    assert.equal(
      corpus.files.map((file) => relative(folder, file)),
      ["a.jsonl", "b1.jsonl", "b2.jsonl", "b1.jsonl"],
    );
    assert.equal(
      (await documentsOf(corpus, "en")).map(({ text }) => text),
      ["a", "b1", "b2"],
    );
    const other = await openCorpus(path, { field: "text" });
    assert.equal(await documentsOf(other, "no"), [{ text: "right", source: "" }]);
  });
});

test("what the YAML library has to say of a manifest is not printed", async () => {
  const told: string[] = [];
  const hear = ({ message }: Error): number => told.push(message);
  process.on("warning", hear);
  await withFolder({ "manifest.yaml": "name: !mine x\nlanguages: {en: a.txt}\n", "a.txt": "text" }, async (folder) => {
    await openCorpus(join(folder, "manifest.yaml"));
  });
  // warnings come a turn later
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", hear);
  assert.equal(told, []);
});

for (const [what, manifest, message] of [
  ["an unknown key", "languages: {en: a.txt}\nlanguage: en\n", "unknown key language"],
  ["no languages", "name: x\n", "languages must be a mapping"],
  ["a number for a file", "languages: {en: 5}\n", "must name a file"],
  ["an empty list", "languages: {en: []}\n", "must name a file"],
  ["a language name with a path in it", "languages: {../en: a.txt}\n", "no language name"],
  ["a glob without files", "languages: {en: 'x*.txt'}\n", "no file matches"],
  ["a folder for a file", "languages: {en: texts}\n", "texts is a folder; name its files, such as texts/*.jsonl"],
  ["a file twice", "languages: {en: [a.txt, ./a.txt]}\n", "a.txt twice; name it once"],
  ["a file that a glob finds again", "languages: {en: [a.txt, '*.txt']}\n", "a.txt twice; name it once"],
  ["a file of unknown kind", "languages: {en: manifest.yaml}\n", "ends in .jsonl"],
  ["no YAML", "languages: {en: [a.txt\n", "a ] at line 2, column 1; correct it there, as in languages: {en: en.jsonl}"],
  ["two documents", "languages: {en: a.txt}\n---\n", "multiple documents at line 2, column 1; correct it there"],
  ["an alias", "name: &a x\nlicense: *a\n", "is no YAML: Alias resolution is disabled; write values out"],
  ["a list", "- en\n", "a manifest is a mapping"],
] as const) {
  test(`a manifest with ${what} is refused`, async () => {
    await withFolder({ "manifest.yaml": manifest, "a.txt": "text" }, async (folder) => {
      await mkdir(join(folder, "texts"));
      await writeFile(join(folder, "texts", "de.txt"), "text");
      const error = await failure(() => openCorpus(join(folder, "manifest.yaml")));
      assert.instance(error, BadDataError);
      assert.ok(error.message.includes(message), error.message);
      assert.not.ok(error.message.includes("\n"));
    });
  });
}

test("nothing at the path, an empty folder and an unknown language are errors", async () => {
  await withFolder({ "en.txt": "a" }, async (folder) => {
    assert.instance(await failure(() => openCorpus(join(folder, "absent"))), InputOutputError);
    const error = await failure(async () => documentsOf(await openCorpus(folder), "fr"));
    assert.instance(error, UsageError);
    assert.ok(error.message.includes("it has en"));
  });
  await withFolder({}, async (folder) => assert.instance(await failure(() => openCorpus(folder)), BadDataError));
});

async function addressOf(files: Record<string, string>): Promise<string> {
  let address = "";
  await withFolder(files, async (folder) => {
    address = await (await openCorpus(folder)).address;
  });
  return address;
}

test("the address depends on language names and bytes, not on names of files", async () => {
  const address = await addressOf({ "en.txt": "a", "fr.txt": "b" });
  assert.match(address, /^[0-9a-f]{64}$/);
  assert.is(await addressOf({ "en.other.txt": "a", "fr.txt": "b" }), address);
  assert.is.not(await addressOf({ "en.txt": "a", "de.txt": "b" }), address);
  assert.is.not(await addressOf({ "en.txt": "a", "fr.txt": "c" }), address);
  assert.is.not(await addressOf({ "en.txt": "b", "fr.txt": "a" }), address);
  assert.is.not(await addressOf({ "en.1.txt": "a", "en.2.txt": "", "fr.txt": "b" }), address);
});

test("names that mean something to SQL or to a shell are names", async () => {
  const name = "it's [1]* ; DROP TABLE x --.jsonl";
  await withFolder(
    { [name]: '{"text":"good"}\n', "manifest.yaml": JSON.stringify({ languages: { en: name } }) },
    async (folder) => {
      const corpus = await openCorpus(join(folder, "manifest.yaml"));
      assert.equal(await documentsOf(corpus, "en"), [{ text: "good", source: "" }]);
    },
  );
  const column = 'te"xt; x';
  await withFolder({ "en.csv": '"te""xt; x",b\nyes,no\n' }, async (folder) => {
    const corpus = await openCorpus(folder, { field: column });
    assert.equal(await documentsOf(corpus, "en"), [{ text: "yes", source: "" }]);
  });
  await withFolder({}, async (folder) => {
    await writeParquet(join(folder, "en.parquet"), `SELECT 'yes' AS "te""xt; x"`);
    const corpus = await openCorpus(folder, { field: column });
    assert.equal(await documentsOf(corpus, "en"), [{ text: "yes", source: "" }]);
  });
});

test("reading can stop early and start again", async () => {
  await withFolder({ "en.jsonl": jsonl, "fr.txt.gz": gzipSync("a\n\n".repeat(100000)) }, async (folder) => {
    const corpus = await openCorpus(folder);
    for (const language of corpus.languages) {
      let seen = 0;
      for await (const document of corpus.documents(language)) {
        seen += document.text.length > 0 ? 1 : 0;
        if (seen === 2) break;
      }
      assert.is(seen, 2);
    }
    assert.is((await documentsOf(corpus, "fr")).length, 100000);
  });
});

test("what is no regular file is refused, not waited for", async () => {
  await withFolder({ "en.txt": "a" }, async (folder) => {
    execFileSync("mkfifo", [join(folder, "fr.txt")]);
    for (const path of [folder, join(folder, "fr.txt"), "/dev/zero"]) {
      try {
        await openCorpus(path);
        assert.unreachable();
      } catch (error) {
        assert.instance(error, BadDataError);
        assert.match(String(error), "regular file");
      }
    }
  });
});

test.run();
