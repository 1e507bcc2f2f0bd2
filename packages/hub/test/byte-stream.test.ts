import { BadDataError, InputOutputError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { askForCommit, fileUrl, listFiles, streamBytes } from "../src/index.ts";
import type { HubAddress, HubFile } from "../src/index.ts";
import { hubVariables, startHubStub, stubCommit } from "../src/testing.ts";
import type { HubStub } from "../src/testing.ts";

const variables = hubVariables();
const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
const address: HubAddress = { repository: { type: "dataset", name: "org/x" }, revision: "main", text: "hf:datasets/org/x" };

interface Context {
  stub: HubStub;
  file: HubFile;
  url: string;
}
const bytes = suite<Context>("bytes of the Hub");

bytes.before.each(async (context) => {
  variables.clear();
  context.stub = await startHubStub("org/x", "dataset");
  context.stub.files.set("a/b c.parquet", content);
  process.env["HF_ENDPOINT"] = context.stub.url;
  const [file] = await listFiles(address, stubCommit, "");
  if (file === undefined) throw new Error("no file");
  Object.assign(context, { file, url: fileUrl(address.repository, stubCommit, file.path) });
});
bytes.after.each(async ({ stub }) => {
  await stub.close();
  variables.restore();
});

async function collected({ url, file }: Context, start?: number, end?: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of streamBytes(url, file, start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  return assert.unreachable() as never;
}

for (const redirects of [false, true]) {
  bytes(
    `a part comes as asked for, broken off and busy in between${redirects ? ", from another server" : ""}`,
    async (context) => {
      const { stub } = context;
      stub.redirects = redirects;
      stub.token = "hf_x";
      process.env["HF_TOKEN"] = "hf_x";
      assert.equal(await collected(context), content);
      stub.cuts.set("a/b c.parquet", 700);
      stub.statuses.set("/resolve/", [503, 429, 502]);
      assert.equal(await collected(context, 1000, 50_000), content.subarray(1000, 50_000));
      assert.equal(await collected(context, 99_999), content.subarray(99_999));
      assert.ok(stub.requests.some((request) => request.endsWith(" bytes=1700-49999")));
    },
  );
}

bytes("other content than was listed is refused", async (context) => {
  const { stub } = context;
  stub.redirects = true;
  stub.files.set("a/b c.parquet", content.subarray(1));
  assert.match((await failure(collected(context))).message, "has other content than the Hub listed");
  stub.files.set("a/b c.parquet", content);
  stub.forged.set("a/b c.parquet", Buffer.concat([content, content]));
  assert.match(
    (await failure(collected(context, 5, 10))).message,
    "sends bytes 5-9/200000 where bytes 5-9 of 100000 were asked for",
  );
});

bytes("a server that stays busy is an error of input, one that denies access of data", async (context) => {
  context.stub.statuses.set("/resolve/", Array<number>(5).fill(503));
  const busy = await failure(collected(context));
  assert.instance(busy, InputOutputError);
  assert.match(busy.message, "answers 503; try again later");
  context.stub.token = "hf_x";
  const denied = await failure(collected(context));
  assert.instance(denied, BadDataError);
  assert.match(
    denied.message,
    "answers 401; check the name, and where it is private or gated HF_TOKEN and that its terms are accepted",
  );
});

bytes("a connection that keeps breaking is given up", async (context) => {
  const { stub } = context;
  stub.redirects = true;
  stub.keepsCutting = true;
  stub.cuts.set("a/b c.parquet", 0);
  const error = await failure(collected(context));
  assert.instance(error, InputOutputError);
  assert.match(error.message, /cannot read .* \(.+\); check the network and run again/);
});

bytes("a listing goes over pages and folders, and a commit is asked for", async ({ stub }) => {
  stub.pageSize = 3;
  for (let index = 0; index < 10; index++) stub.files.set(`a/${index % 3}/${index}.txt`, Buffer.from(`${index}`));
  assert.is((await listFiles(address, stubCommit, "")).length, 11);
  assert.is((await listFiles(address, stubCommit, "a/1")).length, 3);
  assert.is((await listFiles(address, stubCommit)).length, 0);
  stub.statuses.set("/revision/", [500, 408]);
  assert.is(await askForCommit(address), stubCommit);
});

bytes.run();
