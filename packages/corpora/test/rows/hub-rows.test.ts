import { InputOutputError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import { hubVariables, startHubStub } from "@mbs/hub/testing";
import type { HubStub } from "@mbs/hub/testing";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parquetBytes } from "../datasets/parquet-file.ts";
import { failure } from "./row-folder.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-hub-rows-"));
const variables = hubVariables();

interface Context {
  stub: HubStub;
  path: string;
}

let count = 0;
const hub = suite<Context>("rows of the Hub");
hub.before.each(async (context) => {
  variables.clear();
  // each test has its own name, since a process asks for the commit of each once
  context.path = `org/rows-${count++}`;
  context.stub = await startHubStub(context.path, "dataset");
  context.stub.redirects = true;
  process.env["HF_HOME"] = join(root, String(count));
  process.env["HF_ENDPOINT"] = context.stub.url;
});
hub.after.each(async ({ stub }) => {
  await stub.close();
  variables.restore();
});
hub.after(() => rm(root, { recursive: true }));

const row = (text: string): Buffer => Buffer.from(`{"text": "${text}", "label": 1}\n`);
const card = `---
configs:
- config_name: hi
  data_files:
  - {split: test, path: hi/test-*}
---
`;

hub("a split is found by the card, fetched once, and read offline from the cache", async ({ stub, path }) => {
  stub.files.set("README.md", Buffer.from(card));
  stub.files.set("hi/test-00000-of-00002.parquet", await parquetBytes("SELECT 'a' AS text, {'choices': ['x', 'y']} AS q"));
  stub.files.set("hi/test-00001-of-00002.parquet", await parquetBytes("SELECT 'b' AS text, {'choices': ['z']} AS q"));
  stub.files.set("hi/train-00000-of-00001.parquet", await parquetBytes("SELECT 'no' AS text"));
  const shown: Progress[] = [];
  const dataset = { path, name: "hi", split: "test" };
  const expected = [
    { text: "a", q: { choices: ["x", "y"] } },
    { text: "b", q: { choices: ["z"] } },
  ];
  assert.equal(await readDatasetRows(dataset, { progress: (progress) => void shown.push(progress) }), expected);
  assert.ok(shown.some(({ activity }) => activity === "fetch hi/test-00000-of-00002.parquet"));
  assert.not(stub.requests.some((request) => request.includes("/hi/train")));
  const asked = stub.requests.length;
  process.env["HF_HUB_OFFLINE"] = "1";
  assert.equal(await readDatasetRows(dataset), expected);
  assert.is(stub.requests.length, asked);
  assert.match(
    await failure(() => readDatasetRows({ ...dataset, name: "bn" })),
    /there is no config bn; name one with dataset_name: hi$/,
  );
});

hub("an offline program that lacks a file says so", async ({ stub, path }) => {
  stub.files.set("hi/test.jsonl", row("a"));
  stub.files.set("hi/train.jsonl", row("b"));
  assert.is((await readDatasetRows({ path, name: "hi", split: "test" })).length, 1);
  process.env["HF_HUB_OFFLINE"] = "1";
  assert.match(
    await failure(() => readDatasetRows({ path, name: "hi", split: "train" }), InputOutputError),
    /hi\/train\.jsonl is not in .*, and the program is offline; run once with a network$/,
  );
});

hub("a dataset in another form is read as the Hub converted it", async ({ stub, path }) => {
  // the stub's branches name one commit
  stub.files.set("data/hi.tsv", Buffer.from("a\tb\n"));
  stub.files.set("hi/validation/0000.parquet", await parquetBytes("SELECT 'v' AS text"));
  stub.files.set("README.md", Buffer.from(card.replace("test-*", "*.tsv").replace("split: test", "split: validation")));
  assert.equal(await readDatasetRows({ path, name: "hi", split: "validation" }), [{ text: "v" }]);
  assert.ok(stub.requests.some((request) => request.includes("refs/convert/parquet")));
});

hub("what the Hub does not have, or has in part, is one line", async ({ stub, path }) => {
  stub.files.set("hi/test-00001-of-00002.parquet", await parquetBytes("SELECT 'b' AS text"));
  assert.match(
    await failure(() => readDatasetRows({ path, name: "hi", split: "train" })),
    /has no \.parquet, \.jsonl or \.jsonl\.gz file for config hi and split train, and the Hub none at refs\/convert\/parquet; check/,
  );
  assert.match(
    await failure(() => readDatasetRows({ path, name: "hi", split: "test" })),
    /has 1 of the 2 files .* lacks number 0/,
  );
  assert.match(
    await failure(() => readDatasetRows({ path: "org/absent", split: "test" })),
    /answers 404; check name and revision/,
  );
});

hub.run();
