import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import type { Conversation, Progress } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import type { Corpus, OpenCorpusOptions } from "@mbs/corpora";
import { pinRevisions } from "@mbs/hub";
import { hubVariables, startHubStub, stubCommit } from "@mbs/hub/testing";
import type { HubStub } from "@mbs/hub/testing";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parquetBytes } from "./parquet-file.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-hub-corpus-"));
const variables = hubVariables();

interface Context {
  stub: HubStub;
  /** "hf:datasets/org/texts-7" */
  name: string;
  home: string;
}

let count = 0;
const hub = suite<Context>("corpora of the Hub");

async function start(context: Context, repository: string): Promise<void> {
  context.stub = await startHubStub(repository, "dataset");
  context.stub.redirects = true;
  context.name = `hf:datasets/${repository}`;
  context.home = join(root, String(count++));
  process.env["HF_HOME"] = context.home;
  process.env["HF_ENDPOINT"] = context.stub.url;
}

hub.before.each(async (context) => {
  variables.clear();
  // each test has its own name, since a process asks for the commit of each once
  await start(context, `org/texts-${count}`);
});
hub.after.each(async ({ stub }) => {
  await stub.close();
  variables.restore();
});
hub.after(() => rm(root, { recursive: true }));

async function textsOf(corpus: Corpus, language: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of corpus.documents(language)) texts.push(text);
  return texts;
}

async function failure(work: () => Promise<unknown>): Promise<Error> {
  try {
    await work();
  } catch (error) {
    assert.not((error as Error).message.includes("\n"));
    return error as Error;
  }
  return assert.unreachable() as never;
}

/** Opens a corpus of language hi and reads it. */
const read = async (name: string, options?: OpenCorpusOptions): Promise<string[]> =>
  textsOf(await openCorpus(name, options), "hi");

const rowsOf = (from: number, rows: number): Promise<Buffer> =>
  parquetBytes(`SELECT 'text ' || (i + ${from}) AS text, 'site' AS source, i AS id FROM range(${rows}) t(i)`);

hub(
  "a corpus by languages: one folder is listed for each, and only the first file with enough rows is fetched",
  async ({ stub, name }) => {
    for (const language of ["hi", "bn"]) {
      stub.files.set(`${language}/train/0.parquet`, await rowsOf(0, 30));
      stub.files.set(`${language}/train/1.parquet`, await rowsOf(30, 30));
      stub.files.set(`${language}/test/0.parquet`, await rowsOf(100, 5));
    }
    const corpus = await openCorpus(`${name}?languages=hi,bn&rows=40`);
    assert.equal(corpus.languages, ["hi", "bn"]);
    assert.match(await corpus.address, /^[0-9a-f]{64}$/);
    assert.not(stub.requests.some((request) => request.includes("/resolve/")));
    assert.equal(
      await textsOf(corpus, "hi"),
      Array.from({ length: 40 }, (_, row) => `text ${row}`),
    );
    for await (const document of corpus.documents("bn")) {
      assert.equal(document, { text: "text 0", source: "site" });
      break;
    }
    assert.not(stub.requests.some((request) => request.includes("/test/") || request.includes("bn/train/1")));
    assert.equal(await read(`${name}?languages=hi&split=test`), ["text 100", "text 101", "text 102", "text 103", "text 104"]);
    assert.equal(stub.requests.filter((request) => request.includes("/revision/")).length, 1);
  },
);

/** A file too large to be fetched as a whole, in which the text is little. */
const largeParquet = await parquetBytes(
  "SELECT 'text ' || i AS text, repeat(md5(i::VARCHAR), 70) AS noise FROM range(20000) t(i)",
  "ROW_GROUP_SIZE 2048, CODEC uncompressed",
);

hub("of a large file only the end and some row groups of the text are fetched, once", async ({ stub, name }) => {
  assert.ok(largeParquet.length > 32 << 20);
  stub.files.set("hi/train-0.parquet", largeParquet);
  stub.token = "hf_secret";
  process.env["HF_TOKEN"] = "hf_secret";
  const shown: Progress[] = [];
  const texts = await read(`${name}?languages=hi&rows=4000`, { progress: (progress) => void shown.push(progress) });
  assert.is(texts.length, 4000);
  assert.equal([...new Set(shown.map(({ activity, unit }) => `${activity}, ${unit}`))], ["fetch hi/train-0.parquet, MB"]);
  assert.is(texts[0], "text 4096");
  const ranges = stub.requests.flatMap((request) => / bytes=(\d+)-(\d+)$/.exec(request)?.slice(1).map(Number) ?? []);
  assert.ok(ranges.length > 0);
  let bytes = 0;
  for (let at = 0; at < ranges.length; at += 2) bytes += (ranges[at + 1] ?? 0) - (ranges[at] ?? 0) + 1;
  // each request goes to the Hub, then to the storage
  assert.ok(bytes / 2 < 1e6, `${bytes / 2} bytes`);
  assert.is(shown.at(-1)?.done, Math.round(bytes / 2 / 1e5) / 10);
  const asked = stub.requests.length;
  assert.equal(await read(`${name}?languages=hi&rows=4000`), texts);
  assert.is(stub.requests.length, asked);

  process.env["HF_HUB_OFFLINE"] = "1";
  await stub.close();
  assert.equal(await read(`${name}@${stubCommit}?languages=hi&rows=4000`), texts);
  const error = await failure(() => read(`${name}@${stubCommit}?languages=hi&rows=5000`));
  assert.instance(error, InputOutputError);
  assert.match(
    error.message,
    /an excerpt of 5000 rows of hi\/train-0\.parquet is not in .*, and the program is offline; run once/,
  );
});

hub(
  "a range that breaks off is continued, and what the storage has in another file's place is refused",
  async ({ stub, name }) => {
    stub.files.set("hi/train-0.parquet", largeParquet);
    stub.cuts.set("hi/train-0.parquet", 1000);
    assert.is((await read(`${name}?languages=hi&rows=100`)).length, 100);
    const ends = stub.requests.flatMap((request) => /^GET \/storage.* bytes=\d+-(\d+)$/.exec(request)?.[1] ?? []);
    assert.is(ends.filter((end) => Number(end) === largeParquet.length - 1).length, 2);
    stub.forged.set("hi/train-0.parquet", largeParquet.subarray(0, 40 << 20));
    const error = await failure(() => read(`${name}?languages=hi&rows=200`));
    assert.instance(error, BadDataError);
    stub.ignoresRanges = true;
    stub.forged.clear();
    const whole = await failure(() => read(`${name}?languages=hi&rows=300`));
    assert.match(whole.message, "sends all of it where bytes");
  },
);

hub("a small file is fetched as a whole, continued where it broke off, and checked by its hash", async ({ stub, name, home }) => {
  const file = await rowsOf(0, 20000);
  stub.token = "hf_secret";
  process.env["HF_TOKEN"] = "hf_secret";
  stub.files.set("hi/train.parquet", file);
  stub.cuts.set("hi/train.parquet", 1000);
  const shown: Progress[] = [];
  assert.is((await read(`${name}?languages=hi`, { progress: (progress) => void shown.push(progress) })).length, 10_000);
  const size = Math.round(file.length / 1e5) / 10;
  assert.equal(shown.at(-1), { activity: "fetch hi/train.parquet", done: size, total: size, unit: "MB" });
  assert.ok(stub.requests.some((request) => request.endsWith(" bytes=1000-")));
  // another program's cache has the same file
  const links = await readdir(join(home, "hub"), { recursive: true });
  assert.ok(links.some((path) => path.endsWith(join("snapshots", stubCommit, "hi", "train.parquet"))));
  const changed = Buffer.from(file).fill(1, 500, 501);
  stub.files.set("bn/train.parquet", Buffer.concat([file, file]));
  stub.forged.set("bn/train.parquet", Buffer.concat([file, changed]));
  await rm(home, { recursive: true });
  const error = await failure(async () => textsOf(await openCorpus(`${name}?languages=bn`), "bn"));
  assert.instance(error, BadDataError);
  assert.match(error.message, "run again to download it again");
});

hub("lines of gzip files are read up to the last one that is wanted", async ({ stub, name }) => {
  const noise = Array.from({ length: 400 }, (_, index) => Math.sin(index + 1).toString(36)).join("");
  const lines = Array.from({ length: 20000 }, (_, row) =>
    JSON.stringify({ text: `text ${row}`, row, noise: noise.slice(row % 500) }),
  );
  stub.files.set("hi/hi_train_0.jsonl.gz", gzipSync(`${lines.join("\n")}\n`, { level: 1 }));
  stub.files.set("hi/hi_train_1.jsonl", Buffer.from('{"text":"last"}\n'));
  const texts = Array.from({ length: 20001 }, (_, row) => (row < 20000 ? `text ${row}` : "last"));
  assert.equal(await read(`${name}?languages=hi&rows=30`), texts.slice(0, 30));
  assert.equal(await read(`${name}?languages=hi&rows=30000`), texts);
});

hub("a card says which files a config has", async ({ stub, name }) => {
  stub.files.set(
    "README.md",
    Buffer.from(
      "---\nlicense: mit\nconfigs:\n- config_name: hi\n  data_files:\n  - split: train\n    path: [a/*.parquet, b/x-*]\n  - split: test\n    path: c/**\n- config_name: bn\n  data_files: d.jsonl\n---\n# Texts\n",
    ),
  );
  stub.files.set("a/0.parquet", await rowsOf(0, 2));
  stub.files.set("a/deep/0.parquet", await rowsOf(50, 2));
  stub.files.set("b/x-1.parquet", await rowsOf(10, 1));
  stub.files.set("b/y-1.parquet", await rowsOf(60, 1));
  stub.files.set("c/deep/z.parquet", await rowsOf(20, 1));
  stub.files.set("d.jsonl", Buffer.from('{"text":"line"}\n'));
  assert.equal(await read(`${name}?languages=hi`), ["text 0", "text 1", "text 10"]);
  assert.equal(await read(`${name}?languages=hi&split=test`), ["text 20"]);
  assert.equal(await read(`${name}?languages=hi:bn`), ["line"]);
  assert.match(
    (await failure(() => read(`${name}?languages=hi:ta`))).message,
    "there is no config ta; name one with config=: hi, bn",
  );
  assert.match(
    (await failure(() => read(`${name}?languages=hi&split=x`))).message,
    "config hi has no split x; name one with split=: train, test",
  );
  assert.equal(await read(`${name}?languages=hi&path=a/**`), ["text 0", "text 1", "text 50", "text 51"]);
  assert.match(
    (await failure(() => read(`${name}?languages=hi&path=z/*`))).message,
    "has no folder z; name another config, split or path",
  );
  process.env["HF_HUB_OFFLINE"] = "1";
  assert.equal(await read(`${name}?languages=hi`), ["text 0", "text 1", "text 10"]);
});

hub("a manifest mixes files and datasets, with a field of their own", async ({ stub, name, home }) => {
  stub.files.set("train.parquet", await parquetBytes("SELECT 'long' AS article, 'short' AS summary"));
  const folder = `${home}-manifest`;
  await writeFile(`${folder}.txt`, "own text");
  const manifest = { languages: { hi: [`${folder}.txt`, `${name}?field=article`], bn: `${name}?field=summary` } };
  await writeFile(`${folder}.yaml`, JSON.stringify(manifest));
  const corpus = await openCorpus(`${folder}.yaml`);
  const address = name.slice("hf:".length);
  assert.equal(corpus.revisions, { [`${address}@main`]: stubCommit });
  assert.equal(await textsOf(corpus, "hi"), ["own text", "long"]);
  assert.equal(await textsOf(corpus, "bn"), ["short"]);
  const pair = await openCorpus(`${name}?languages=hi&field=article&path=*.parquet`, { targetField: "summary" });
  for await (const document of pair.documents("hi")) assert.equal(document, { text: "long", target: "short", source: "" });
  const error = await failure(async () => textsOf(await openCorpus(`${name}?languages=hi&path=*.parquet`), "hi"));
  assert.match(
    error.message,
    /train\.parquet has no column "text" or "messages"; it has: article, summary; name one by field= in the dataset's name/,
  );
});

/** The first question alone. */
const questionOf = async () => ({
  render: async ({ messages }: Conversation) => ({ text: messages[0]?.content ?? "" }),
  close: async () => {},
});

hub(
  "a column of conversations is fetched where there is no text, and its parts have nothing in common",
  async ({ stub, name }) => {
    const message = "{'role': 'user', 'content': 'question ' || i}";
    const select = `SELECT [${message}] AS messages, '' AS tools, repeat(md5(i::VARCHAR), 99) AS noise FROM range(400) t(i)`;
    stub.files.set("train.parquet", await parquetBytes(select));
    const read = async (part: string): Promise<string[]> => {
      const texts: string[] = [];
      const corpus = await openCorpus(`${name}?languages=hi&path=*.parquet&part=${part}`);
      for await (const { text } of corpus.documents("hi", questionOf)) texts.push(text);
      return texts;
    };
    const [calibration, heldOut] = [await read("calibration"), await read("held-out")];
    assert.ok(heldOut.length > 10 && calibration.length > 300);
    assert.is(new Set([...calibration, ...heldOut]).size, 400);
  },
);

hub("a pinned revision is read at its commit, though its branch moved on", async ({ stub, name }) => {
  stub.files.set("hi/train.parquet", await rowsOf(0, 1));
  const address = name.slice("hf:".length);
  assert.equal(await read(`${name}?languages=hi`), ["text 0"]);
  const nextCommit = "f".repeat(40);
  stub.moveBranches(nextCommit);
  stub.files.set("hi/train.parquet", await rowsOf(1, 1));
  try {
    pinRevisions({ [`${address}@v1`]: stubCommit });
    assert.equal(await read(`${name}@v1?languages=hi`), ["text 0"]);
    assert.equal(await read(`${name}@v2?languages=hi`), ["text 1"]);
    pinRevisions({ [`${address}@v1`]: nextCommit });
    const corpus = await openCorpus(`${name}@v1?languages=hi`);
    assert.equal(await textsOf(corpus, "hi"), ["text 1"]);
    assert.equal(corpus.revisions, { [`${address}@v1`]: nextCommit });
    assert.is(corpus.pinnedName, `${name}@${nextCommit}?languages=hi`);
  } finally {
    pinRevisions({});
  }
});

hub("held-out and calibration texts of one split have no text in common", async ({ stub, name }) => {
  stub.files.set("hi/train.parquet", await rowsOf(0, 2000));
  const all = await read(`${name}?languages=hi`);
  const [calibration, heldOut] = [
    await read(`${name}?languages=hi&part=calibration`),
    await read(`${name}?languages=hi&part=held-out`),
  ];
  assert.is(calibration.length + heldOut.length, all.length);
  assert.equal(new Set([...calibration, ...heldOut]), new Set(all));
  assert.ok(heldOut.length > 150 && heldOut.length < 250, `${heldOut.length} of ${all.length}`);
});

hub(
  "the address is that of the files' hashes and of the rows taken, and a branch that moves on with the same files keeps it",
  async ({ stub, name }) => {
    stub.files.set("hi/train.parquet", await rowsOf(0, 10));
    stub.files.set("bn/train.parquet", await rowsOf(0, 11));
    const addressOf = async (query: string): Promise<string> => (await openCorpus(`${name}${query}`)).address;
    const address = await addressOf("?languages=hi");
    assert.is(await addressOf("@v1?languages=hi"), address);
    const others = [
      "?languages=hi:bn",
      "?languages=hi,bn",
      "?languages=hi&rows=5",
      "?languages=hi&part=held-out",
      "?languages=hi&field=x",
    ];
    const addresses = new Set(await Promise.all(others.map(addressOf)));
    assert.is(addresses.size, others.length);
    assert.not(addresses.has(address));
  },
);

hub("denied, missing, busy and unreachable each give one line", async ({ stub, name }) => {
  stub.files.set("hi/train.parquet", await rowsOf(0, 10));
  stub.token = "hf_secret";
  const denied = await failure(() => read(`${name}?languages=hi`));
  assert.instance(denied, BadDataError);
  assert.match(
    denied.message,
    `${name}: ${stub.url} answers 401; check name and revision, and set HF_TOKEN where the dataset is private or gated`,
  );
  process.env["HF_TOKEN"] = "hf_wrong";
  assert.match((await failure(() => read(`${name}?languages=hi`))).message, "answers 403;");
  stub.token = undefined;
  assert.match((await failure(() => read(`${name}@absent?languages=hi`))).message, "answers 404;");
  assert.match((await failure(() => read("hf:datasets/org/nothing?languages=hi"))).message, "hf:datasets/org/nothing: ");
  // of a gated dataset the lists are open, and the files are not
  stub.statuses.set("/resolve/", [403]);
  assert.match(
    (await failure(() => read(`${name}?languages=hi`))).message,
    "where it is private or gated HF_TOKEN and that its terms",
  );
  stub.statuses.set("/revision/", [429, 503]);
  stub.statuses.set("/resolve/", [500, 429]);
  assert.is((await read(`${name}?languages=hi`)).length, 10);
  stub.statuses.set("/tree/", Array<number>(5).fill(503));
  const busy = await failure(() => read(`${name}?languages=hi&path=bn/*`));
  assert.instance(busy, InputOutputError);
  assert.match(busy.message, "(503)");
  process.env["HF_HUB_OFFLINE"] = "1";
  const offline = await failure(() => read(`${name}@v2?languages=hi`));
  assert.instance(offline, InputOutputError);
  assert.match(offline.message, /revision v2 is not in .*, and the program is offline; run once with a network/);
  assert.instance(await failure(() => read("hf:org/model")), UsageError);
});

hub("listings of many pages are read to their end, and files elsewhere are refused", async ({ stub, name }) => {
  stub.pageSize = 2;
  for (let shard = 0; shard < 7; shard++) stub.files.set(`hi/train/${shard}.parquet`, await rowsOf(shard, 1));
  assert.equal(
    await read(`${name}?languages=hi`),
    [0, 1, 2, 3, 4, 5, 6].map((row) => `text ${row}`),
  );
  stub.files.set("bn/../../../x.parquet", await rowsOf(0, 1));
  const error = await failure(() => read(`${name}?languages=hi:bn`));
  assert.instance(error, BadDataError);
});

for (const [repository, query, files] of [
  ["HuggingFaceFW/fineweb-2", "", ["data/hin_Deva/train/000_00000.parquet", "data/hin_Deva/test/000_00000.parquet"]],
  ["HuggingFaceFW/fineweb-2", "&split=test", ["data/hin_Deva/test/000_00000.parquet", "data/hin_Deva/train/000_00000.parquet"]],
  ["allenai/MADLAD-400", "", ["data/hi/hi_clean_0000.jsonl.gz", "data/hi/hi_noisy_0000.jsonl.gz"]],
  ["uonlp/CulturaX", "", ["hi/hi_part_00000.parquet", "bn/bn_part_00000.parquet"]],
  ["csebuetnlp/xlsum", "&split=validation", ["hindi/validation/0000.parquet", "hindi/train/0000.parquet"]],
] as const) {
  hub(`${repository}${query} is known by its layout`, async (context) => {
    await context.stub.close();
    // by commit: a process asks for the commit of a branch once
    await start(context, repository);
    const { stub, name } = context;
    for (const [index, path] of files.entries()) {
      stub.files.set(path, path.endsWith(".gz") ? gzipSync(`{"text":"text ${index}"}\n`) : await rowsOf(index, 1));
    }
    assert.equal(await read(`${name}@${stubCommit}?languages=hi${query}`), ["text 0"]);
  });
}

hub("a cache where no folder can be made is an error, not a wait without end, also at a commit", async ({ stub, name }) => {
  if (process.platform !== "linux") return;
  stub.files.set("hi/train.jsonl", Buffer.from('{"text":"text 0"}\n'));
  process.env["HF_HOME"] = "/proc/mbs";
  for (const revision of ["main", stubCommit]) {
    const error = await failure(() => read(`${name}@${revision}?languages=hi`));
    assert.match(error.message, /^cannot make the cache \/proc\/mbs: /, revision);
  }
});

hub.run();
