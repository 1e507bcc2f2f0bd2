import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import type { Progress } from "@mbs/contracts";
import { fetchHubModel, parseHubAddress, pinModel } from "../src/folder/hub-model.ts";
import { openModel } from "../src/folder/open-model.ts";
import { writeTinyModel } from "../src/testing.ts";
import { hubVariables, startHubStub, stubCommit } from "@mbs/hub/testing";
import type { HubStub } from "@mbs/hub/testing";

const root = await mkdtemp(join(tmpdir(), "hub-test-"));
const variables = hubVariables();

interface Context {
  stub: HubStub;
  home: string;
  source: string;
}

let count = 0;
const hub = suite<Context>("hub");

hub.before.each(async (context) => {
  variables.clear();
  // each test has its own name, since a process looks each up once
  const name = `org/tiny-${count++}`;
  context.home = join(root, name);
  context.source = join(root, `${name}-source`);
  context.stub = await startHubStub(name);
  await writeTinyModel(context.source, { shards: 2 });
  for (const file of await readdir(context.source)) context.stub.files.set(file, await readFile(join(context.source, file)));
  context.stub.files.set("pytorch_model.bin", Buffer.from("a pickle"));
  process.env["HF_HOME"] = context.home;
  process.env["HF_ENDPOINT"] = context.stub.url;
});

hub.after.each(async ({ stub }) => {
  await stub.close();
  variables.restore();
});
hub.after(() => rm(root, { recursive: true }));

const nameNow = (): string => `hf:org/tiny-${count - 1}`;

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  return assert.unreachable() as never;
}

const shardsOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((file) => file.endsWith(".safetensors"));

hub("a model is fetched into the cache's layout, and opened as its source is", async ({ home, source, stub }) => {
  const shown: Progress[] = [];
  const model = await openModel(`${nameNow()}@main`, { progress: (progress) => void shown.push(progress) });
  const plain = await openModel(source);
  assert.is(model.address, plain.address);
  await model.close();
  await plain.close();
  const storage = join(home, "hub", nameNow().replace("hf:", "models--").replace("/", "--"));
  assert.is(model.path, join(storage, "snapshots", stubCommit));
  assert.is(await readFile(join(storage, "refs", "main"), "utf8"), stubCommit);
  const config = join(model.path, "config.json");
  assert.ok((await lstat(config)).isSymbolicLink());
  assert.match(await readlink(config), /^\.\.[/\\]\.\.[/\\]blobs[/\\][0-9a-f]{40}$/);
  assert.not(
    stub.requests.some((request) => request.includes("pytorch_model.bin")),
    "a pickle was asked for",
  );

  // each file shows how far it is, up to its end
  for (const file of await readdir(source)) {
    const last = shown.findLast(({ activity }) => activity === `fetch ${file}`);
    assert.ok(last !== undefined && last.done === last.total, file);
  }
  assert.equal(await pinModel(nameNow()), {
    pinnedName: `${nameNow()}@${stubCommit}`,
    revisions: { [`models/${nameNow().slice(3)}@main`]: stubCommit },
  });
  assert.is(await pinModel(source), undefined);

  // Once there, an offline program needs nothing else.
  process.env["HF_HUB_OFFLINE"] = "1";
  const asked = stub.requests.length;
  assert.is(await fetchHubModel(nameNow()), model.path);
  assert.is(await fetchHubModel(`${nameNow()}@${stubCommit}`), model.path);
  assert.is(stub.requests.length, asked);
});

hub("a tokenizer of other files is fetched after everything else, and enough offline", async ({ stub }) => {
  const fixture = new URL("fixtures/tokenizer-files/gpt2/", import.meta.url);
  stub.files.delete("tokenizer.json");
  for (const file of ["merges.txt", "vocab.json", "tokenizer_config.json"])
    stub.files.set(file, await readFile(new URL(file, fixture)));
  const model = await openModel(nameNow());
  assert.equal([...(await model.tokenizer()).encode("a")].length, 1);
  await model.close();
  const fetched = stub.requests.flatMap((request) => /\/resolve\/[^/]+\/(\S+)/.exec(request)?.[1] ?? []);
  assert.equal(fetched.slice(-2), ["merges.txt", "vocab.json"]);
  process.env["HF_HUB_OFFLINE"] = "1";
  const asked = stub.requests.length;
  assert.is(await fetchHubModel(`${nameNow()}@${stubCommit}`), model.path);
  assert.is(stub.requests.length, asked);
});

hub("a download that broke off continues where it stopped", async ({ stub, source }) => {
  const shard = at(await shardsOf(source), 0);
  stub.cuts.set(shard, 1000);
  const model = await openModel(nameNow());
  await model.close();
  const asked = stub.requests.filter((request) => request.includes(shard));
  assert.is(asked.length, 2);
  assert.match(at(asked, 1), / bytes=1000-$/);
});

hub("bytes that are not what the Hub announces are refused and not kept", async ({ stub, home, source }) => {
  const shard = at(await shardsOf(source), 0);
  stub.forged.set(shard, Buffer.from(stub.files.get(shard) ?? []).fill(1, 5000, 5001));
  const error = await failure(openModel(nameNow()));
  assert.instance(error, BadDataError);
  assert.match(error.message, "run again to download it again");
  const names = await readdir(join(home, "hub"), { recursive: true });
  assert.not(names.some((name) => name.includes("incomplete")));
  stub.forged.clear();
  await (await openModel(nameNow())).close();
});

hub("pickles alone are refused, with nothing fetched", async ({ stub }) => {
  for (const name of stub.files.keys()) if (name.includes("safetensors")) stub.files.delete(name);
  const error = await failure(openModel(nameNow()));
  assert.instance(error, BadDataError);
  assert.match(error.message, "has its weights only as pytorch_model.bin, which can run code when opened");
  assert.not(stub.requests.some((request) => request.includes("/resolve/")));
});

hub("no network, no such model and no copy offline each give one line", async ({ stub }) => {
  const missing = await failure(openModel("hf:org/nothing"));
  assert.instance(missing, BadDataError);
  assert.match(missing.message, `hf:org/nothing: ${stub.url} answers 404; check name and revision`);
  process.env["HF_HUB_OFFLINE"] = "1";
  const offline = await failure(openModel(nameNow()));
  assert.instance(offline, InputOutputError);
  assert.match(offline.message, "and the program is offline; run once with a network");
  delete process.env["HF_HUB_OFFLINE"];
  process.env["HF_ENDPOINT"] = "http://127.0.0.1:1";
  const unreachable = await failure(openModel(nameNow()));
  assert.instance(unreachable, InputOutputError);
  assert.match(unreachable.message, /cannot reach http:\/\/127\.0\.0\.1:1 \(.+\); check the network, or use --offline/);
  for (const { message } of [missing, offline, unreachable]) assert.not(message.includes("\n"));
});

hub("a file of another program's in the cache is used as it is", async ({ home, stub, source }) => {
  const storage = join(home, "hub", nameNow().replace("hf:", "models--").replace("/", "--"));
  const first = await openModel(nameNow());
  await first.close();
  // As another program leaves it: the branch moved on, the blobs are there.
  await rm(join(storage, "snapshots"), { recursive: true });
  const asked = stub.requests.length;
  await mkdir(join(storage, "snapshots"), { recursive: true });
  const folder = await fetchHubModel(`${nameNow()}@${stubCommit}`);
  assert.not(stub.requests.slice(asked).some((request) => request.includes("/resolve/")));
  assert.equal(await readFile(join(folder, "config.json")), await readFile(join(source, "config.json")));
});

hub("names that are none are refused", () => {
  assert.equal(parseHubAddress("hf:org/name@refs/pr/1"), {
    repository: { type: "model", name: "org/name" },
    revision: "refs/pr/1",
    text: "hf:org/name@refs/pr/1",
  });
  assert.equal(parseHubAddress("hf:gpt2"), { repository: { type: "model", name: "gpt2" }, revision: "main", text: "hf:gpt2" });
  for (const address of ["hf:", "hf:../x", "hf:a/b/c", "hf:a/b@../../x", "hf:a b", "hf:a/..", "hf:org/name@"]) {
    assert.throws(
      () => parseHubAddress(address),
      (error: unknown) => error instanceof UsageError,
      address,
    );
  }
});

hub.run();
