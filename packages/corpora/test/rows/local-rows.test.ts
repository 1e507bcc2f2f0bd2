import { InputOutputError, InterruptedError } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import type { RowsDataset } from "@mbs/corpora";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectRows } from "../../src/rows/collect-rows.ts";
import { parquetBytes } from "../datasets/parquet-file.ts";
import { failure, withFiles } from "./row-folder.ts";
import type { Files } from "./row-folder.ts";

const line = (text: string): string => `{"text": "${text}"}\n`;
const belebele: RowsDataset = { path: "facebook/belebele", name: "hin_Deva", split: "test" };

/** Texts of the rows of a split in a folder. */
async function textsIn(files: Files, dataset: RowsDataset): Promise<unknown> {
  let texts: unknown;
  await withFiles(files, async (folder) => {
    texts = (await readDatasetRows(dataset, { folder })).map(({ text }) => text);
  });
  return texts;
}

test("a split is a file of its name below the dataset's and the configuration's", async () => {
  const base = "facebook/belebele";
  assert.equal(await textsIn({ [`${base}/hin_Deva/test.jsonl`]: line("a") }, belebele), ["a"]);
  assert.equal(await textsIn({ [`${base}/test.json`]: line("a") }, { path: base, split: "test" }), ["a"]);
  assert.equal(await textsIn({ "xnli/test.jsonl": line("a"), "xnli/train.jsonl": line("b") }, { path: "xnli", split: "train" }), [
    "b",
  ]);
  const parquet = await parquetBytes("SELECT 'p' AS text");
  assert.equal(await textsIn({ [`${base}/hin_Deva/test.parquet`]: parquet }, belebele), ["p"]);
});

const name = (number: number): string => `facebook/belebele/hin_Deva/test-0000${number}-of-00003.jsonl`;

test("numbered files are read in their order, and all of them must be there", async () => {
  const files = { [name(2)]: line("c"), [name(0)]: line("a"), [name(1)]: line("b") };
  assert.equal(await textsIn(files, belebele), ["a", "b", "c"]);
  const { [name(1)]: _, ...rest } = files;
  assert.is(
    await failure(() => textsIn(rest, belebele)),
    "facebook/belebele/hin_Deva has 2 of the 3 files test-…-of-…, and lacks number 1; copy all of them",
  );
});

test("two copies of a split are refused", async () => {
  const folder = "facebook/belebele/hin_Deva";
  assert.is(
    await failure(() => textsIn({ [`${folder}/test.jsonl`]: line("a"), [`${folder}/test.json`]: line("a") }, belebele)),
    `${folder} has both test.jsonl and test.json; keep one of them`,
  );
});

test("a copy of a dataset's repository is read by its card", async () => {
  const card = `---
configs:
- config_name: hin_Deva
  data_files:
  - {split: test, path: data/hin_Deva.jsonl}
- config_name: ben_Beng
  data_files:
  - {split: test, path: data/ben_*.jsonl}
---
`;
  const base = "facebook/belebele";
  const files = {
    [`${base}/README.md`]: card,
    [`${base}/data/hin_Deva.jsonl`]: line("h"),
    [`${base}/data/ben_Beng.jsonl`]: line("b"),
  };
  assert.equal(await textsIn(files, belebele), ["h"]);
  assert.equal(await textsIn(files, { ...belebele, name: "ben_Beng" }), ["b"]);
  assert.match(
    await failure(() => textsIn(files, { ...belebele, name: "tam_Taml" })),
    /^facebook\/belebele: there is no config tam_Taml; name one with dataset_name: hin_Deva, ben_Beng$/,
  );
  assert.match(
    await failure(() => textsIn(files, { ...belebele, split: "train" })),
    /config hin_Deva has no split train; name one with the name of the split: test$/,
  );
});

test("a copy of a dataset's repository without a card is read by the names of its folders and files", async () => {
  const parquet = await parquetBytes("SELECT 'p' AS text");
  for (const path of ["data/validation-00000-of-00001.parquet", "data/dev.parquet", "default/validation/0000.parquet"]) {
    const files = { [`org/set/${path}`]: parquet, "org/set/data/train.jsonl": line("t") };
    assert.equal(await textsIn(files, { path: "org/set", split: "validation" }), ["p"], path);
  }
  const files = { "org/set/ar/test/0000.parquet": parquet, "org/set/fr/test/0000.jsonl": line("f") };
  assert.equal(await textsIn(files, { path: "org/set", name: "fr", split: "test" }), ["f"]);
});

test("where there is nothing, the error says what was looked for and where to get it", async () => {
  const message = await failure(() => textsIn({ "other/x.jsonl": line("a") }, belebele));
  assert.match(message, /^no rows of facebook\/belebele, hin_Deva, test: looked for facebook\/belebele\/hin_Deva\/test\.jsonl, /);
  assert.match(
    message,
    /test-00000-of-NNNNN\.parquet, a folder facebook\/belebele; copy the dataset https:\/\/huggingface\.co\/datasets\//,
  );
  assert.match(message, /or read it from the Hub, without a folder of rows$/);
  assert.match(
    await failure(() => textsIn({ "facebook/belebele/x.txt": "" }, belebele)),
    /in facebook\/belebele for config hin_Deva and split test; copy/,
  );
});

test("names that leave the folder are refused", async () => {
  for (const dataset of [
    { path: "../x", split: "test" },
    { path: "x", name: "../y", split: "test" },
    { path: "x", split: "../test" },
    { path: "x", split: "" },
    { path: "a/b/c", split: "test" },
    { path: "x@main", split: "test" },
  ]) {
    assert.match(await failure(() => textsIn({}, dataset)), /is no dataset, name and split; write dataset_path as org\/name/);
  }
});

test("files that a task names must exist and be files", async () => {
  await withFiles({ "x.jsonl": line("a") }, async (folder) => {
    const read = (...names: string[]) =>
      readDatasetRows({ path: "json", split: "test", files: names.map((name) => join(folder, name)) });
    assert.equal(await read("x.jsonl", "x.jsonl"), [{ text: "a" }, { text: "a" }]);
    assert.match(
      await failure(() => read("y.jsonl"), InputOutputError),
      /^cannot read y\.jsonl \(ENOENT\); check that it exists/,
    );
    assert.match(await failure(() => read(".")), /is no regular file; copy the rows into one/);
    assert.match(await failure(() => read()), /^a dataset of the kind json has no files; name them with data_files$/);
  });
});

test("reading stops by a signal, and at more text than a split may have", async () => {
  await withFiles({ "x.jsonl": line("a").repeat(10) }, async (folder) => {
    const files = [join(folder, "x.jsonl")];
    const signal = AbortSignal.abort();
    await failure(() => readDatasetRows({ path: "json", split: "test", files }, { signal }), InterruptedError);
    const file = { path: files[0] ?? "", format: "json", gzip: false } as const;
    assert.is((await collectRows([file], {}, 150)).length, 10);
    assert.is(
      await failure(() => collectRows([file, file], {}, 199)),
      "x.jsonl, row 6: with it the split has more text than fits into memory; name a smaller split",
    );
  });
});

test.run();
