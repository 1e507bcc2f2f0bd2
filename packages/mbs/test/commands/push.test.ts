import type { IncomingMessage, ServerResponse } from "node:http";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hubVariables, startPushStub } from "@mbs/hub/testing";
import type { PushStub } from "@mbs/hub/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";

interface Context {
  root: string;
  /** A model folder with a card. */
  folder: string;
  stub: PushStub;
}
const test = suite<Context>("mbs push");
const variables = hubVariables();
const token = "hf_token";
const target = "hf:org/small";

test.before.each(async (context) => {
  variables.clear();
  context.root = await mkdtemp(join(tmpdir(), "mbs-push-"));
  context.folder = join(context.root, "model");
  await mkdir(join(context.folder, ".cache"), { recursive: true });
  await writeFile(join(context.folder, "README.md"), "# Small\n");
  await writeFile(join(context.folder, "config.json"), "{}\n");
  await writeFile(join(context.folder, "model.safetensors"), new Uint8Array(300_000).fill(7));
  await writeFile(join(context.folder, ".cache/own.json"), "{}\n");
  context.stub = await startPushStub("org/small", token);
  process.env["HF_ENDPOINT"] = context.stub.url;
  process.env["HF_TOKEN"] = token;
});
test.after.each(async ({ root, stub }) => {
  await stub.close();
  await rm(root, { recursive: true, force: true });
  variables.restore();
});

const filesOf = ({ files }: PushStub): string[] => [...files.keys()].toSorted();
const isWrite = (request: string): boolean => !request.startsWith("GET ");

test("a repository is made, and has the folder's files as one commit", async ({ folder, stub }) => {
  stub.exists = false;
  const { code, stdout, stderr } = await runMbs(["push", folder, target, "--create", "--private"]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /^new {6}README\.md +8 bytes\nnew {6}config\.json .*\nnew {6}model\.safetensors +300 kB\n/);
  assert.match(stdout.toString(), /\n3 of 3 files, 300 kB written to hf:org\/small\nhttp:.*\/org\/small\/commit\/0{39}3\n$/);
  assert.is(stub.visibility, "private");
  assert.equal(filesOf(stub), [".gitattributes", "README.md", "config.json", "model.safetensors"]);
  assert.equal(stub.files.get("model.safetensors"), Buffer.alloc(300_000, 7));
  assert.is(stub.files.get("README.md")?.toString(), "# Small\n");
  assert.equal(stub.titles, ["Upload with mbs"]);
});

test("the same again writes nothing, and one changed file is written alone once its commit is named", async ({
  folder,
  stub,
}) => {
  assert.is((await runMbs(["push", folder, target, "--message", "First"])).code, 0);
  const again = await runMbs(["push", folder, target]);
  assert.is(again.code, 0, again.stderr);
  assert.match(again.stdout.toString(), /\nhf:org\/small has all of it already\n$/);
  assert.equal(stub.titles, ["First"]);

  await writeFile(join(folder, "config.json"), "[]\n");
  const refused = await runMbs(["push", folder, target]);
  assert.is(refused.code, 65);
  assert.match(
    refused.stderr,
    `${target} has other content in config.json; look at it, then replace it with --replace ${stub.head}`,
  );
  assert.is(stub.files.get("config.json")?.toString(), "{}\n");

  const { code, stdout, stderr } = await runMbs(["push", folder, target, "--replace", stub.head, "--json"]);
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout.toString()) as { files: { path: string; state: string }[]; bytes: number; commit: string };
  assert.equal(
    result.files.map(({ path, state }) => `${path} ${state}`),
    ["README.md same", "config.json changed", "model.safetensors same"],
  );
  assert.is(result.bytes, 3);
  assert.is(result.commit, stub.head);
  assert.is(stub.files.get("config.json")?.toString(), "[]\n");
});

test("a commit in between, and one that is no longer the newest, stop it", async ({ folder, stub }) => {
  stub.beforeCommit = () => (stub.head = "f".repeat(40));
  const raced = await runMbs(["push", folder, target]);
  assert.is(raced.code, 65);
  assert.match(raced.stderr, /hf:org\/small has changed since it was looked at, and nothing was written; run again/);
  assert.equal(filesOf(stub), []);

  const old = await runMbs(["push", folder, target, "--replace", "e".repeat(40)]);
  assert.is(old.code, 65);
  assert.match(old.stderr, /has changed: its newest commit is 0{39}1, not e{40}; look at it/);
});

const refuse = async (args: readonly string[], code: number, message: RegExp): Promise<void> => {
  const ended = await runMbs(["push", ...args]);
  assert.match(ended.stderr, message);
  assert.is(ended.code, code);
};

const commitPath = "/commit/main";

/** Answers a request to a path in place of the Hub. */
function answerAt(stub: PushStub, part: string, answer: (response: ServerResponse, request: IncomingMessage) => void): void {
  const inner = stub.answer;
  stub.answer = (request, response, path) => {
    if (!path.includes(part)) return inner(request, response, path);
    request.resume();
    answer(response, request);
    return true;
  };
}

test("nothing counts as pushed that the Hub does not have, and what it has counts where its answer was lost", async ({
  folder,
  stub,
}) => {
  const inner = stub.answer;
  for (const [oid, message] of [
    [undefined, /names no commit, so it is not known what it has; push again/],
    ["a".repeat(40), /answers 404 \("Revision not found"\); mend/],
    [stub.head, /its commit 0{39}1 does not have README\.md, config\.json, model\.safetensors as the folder has/],
  ] as const) {
    answerAt(stub, commitPath, (response) => response.end(JSON.stringify({ success: true, commitOid: oid })));
    await refuse([folder, target], 65, message);
    stub.answer = inner;
  }
  // the commit is made, and asked for again
  stub.answer = (request, response, path) => {
    if (path.includes(commitPath) && stub.titles.length === 0) {
      response.writeHead = () => response;
      Object.assign(response, { end: () => response.destroy() });
    }
    return inner(request, response, path);
  };
  const { code, stdout, stderr } = await runMbs(["push", folder, target]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), new RegExp(`written to hf:org/small\nhttp:.*/commit/${stub.head}\n$`));
});

test("a Hub that answers too much, without end, or as none does, gives one line", async ({ folder, stub }) => {
  answerAt(stub, "/tree/", (response, { headers, url }) => {
    response.setHeader("link", `<http://${headers.host}${url}>; rel="next"`);
    response.end("[]");
  });
  await refuse([folder, target], 65, /lists files without end; name another Hub/);
  answerAt(stub, "/revision/", (response) => response.end(Buffer.alloc(65 * 2 ** 20, " ")));
  await refuse([folder, target], 65, /answers as no Hub does \(more than 64 MiB\)/);
  answerAt(stub, "/revision/", (response) => response.end("<html>"));
  await refuse([folder, target], 65, /answers as no Hub does \(Unexpected token.*; check HF_ENDPOINT/);
  answerAt(stub, "/revision/", (response) => response.writeHead(401).end());
  await refuse([folder, target], 77, /the token may not write there \(401\)/);
});

test("--dry-run lists files and bytes, and sends nothing", async ({ folder, stub }) => {
  stub.exists = false;
  const { code, stdout, stderr } = await runMbs(["push", folder, target, "--create", "--dry-run"]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), /\n3 of 3 files, 300 kB would be written to hf:org\/small\n$/);
  assert.equal(stub.requests.filter(isWrite), []);
});

test("the token of hf auth login is taken, and without any nothing is asked", async ({ root, folder, stub }) => {
  delete process.env["HF_TOKEN"];
  const { code, stderr } = await runMbs(["push", folder, target]);
  assert.is(code, 77);
  assert.match(stderr, /hf:org\/small: there is no token of the Hub; make one .* HF_TOKEN or log in with hf auth login/);
  assert.equal(stub.requests, []);

  process.env["HF_TOKEN_PATH"] = join(root, "token");
  await writeFile(join(root, "token"), `${token}\n`);
  assert.is((await runMbs(["push", folder, target])).code, 0);
});

test("what cannot be pushed is refused before anything is written", async ({ root, folder, stub }) => {
  await refuse([root, target], 65, /is no model; name .*\/model, which is in it/);
  await refuse([join(root, "none"), target], 65, /none has no README\.md, the model's card/);
  for (const name of ["org/small", "hf:small", "hf:org/small@dev", "hf:datasets/org/small"])
    await refuse([folder, name], 2, /is no model on the Hub; write hf:org\/name/);
  await refuse([folder, target, "--private"], 2, /--private goes with --create/);
  stub.exists = false;
  await refuse([folder, target], 65, /hf:org\/small is not there, or your token cannot see it; add --create/);
  await refuse([folder, "hf:other/small", "--create"], 77, /hf:other\/small: the token may not write there \(403\)/);
  stub.exists = true;
  process.env["HF_TOKEN"] = "hf_of_a_reader";
  await refuse([folder, target], 77, /the token may not write there \(403\)/);
  process.env["HF_HUB_OFFLINE"] = "1";
  await refuse([folder, target], 2, /HF_HUB_OFFLINE forbids the network/);
  assert.equal(filesOf(stub), []);
});

test.run();
