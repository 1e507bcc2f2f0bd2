import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArtifactStore, encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { at, BadDataError, InputOutputError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { openSharedStore, pruneStore } from "@mbs/shared-store";
import type { RunNeeds, SharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { InputLostError } from "../src/run/node-worker.ts";
import type { TaskContext } from "../src/run/node-worker.ts";
import { FetchedArtifacts } from "../src/run/queue/fetched-artifacts.ts";
import { publishModel } from "../src/run/queue/publish-model.ts";
import { QueueSeal } from "../src/run/queue/queue-seal.ts";
import { SharedArtifacts } from "../src/run/queue/shared-artifacts.ts";
import { ArtifactCache } from "../src/run/queue/work/artifact-cache.ts";
import { DiskBudget } from "../src/run/queue/work/disk-budget.ts";
import { JobRunner } from "../src/run/queue/work/job-runner.ts";
import { PublishedModels } from "../src/run/queue/work/published-models.ts";
import { runFolder } from "../src/run/run-folder.ts";
import { flipBit } from "./fixtures/flip-bit.ts";
import { failure } from "./fixtures/run-fakes.ts";

interface Context {
  root: string;
  local: ArtifactStore;
  store: SharedStore;
}

const test = suite<Context>("queue cache");
const { signal } = new AbortController();
const ignore = (): void => undefined;
const task: TaskContext = { signal, progress: ignore, warn: ignore };

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-cache-"));
  context.local = new ArtifactStore(join(context.root, "local"));
  context.store = await openSharedStore(join(context.root, "store"), { create: true });
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

/** Puts files as an artifact into the store. */
async function putFiles({ local, store }: Context, files: Readonly<Record<string, string>>): Promise<string> {
  const pieces: FilePiece[] = Object.entries(files).map(([path, text]) => ({ path, offset: 0, data: Buffer.from(text) }));
  const { address } = await local.put(encodeFiles(pieces, { model: "1".repeat(64) }));
  await store.put(address, local.path(address));
  return address;
}

const openModels = (
  { root, store }: Context,
  artifactOf: (model: string) => Promise<string | undefined>,
  budget = new DiskBudget(Infinity),
): Promise<PublishedModels> =>
  PublishedModels.open(join(root, "models"), join(root, "fetched.json"), { store, budget, artifactOf });

test("a model that a run has published is fetched once, checked, and pruned when no run needs it", async (context) => {
  const { root, local, store } = context;
  const source = join(root, "tiny");
  await writeTinyModel(source);
  await writeFile(join(source, "pytorch_model.bin"), "not read from");
  await writeFile(join(source, ".hidden"), "not of the model");
  const model = await openModel(source);
  await model.close();
  const artifacts = new SharedArtifacts({ local, shared: store, run: "run-1", note: "test", warn: ignore });
  const artifact = await publishModel(source, undefined, { local, artifacts, signal });
  await local.flush();
  assert.equal(await readdir(local.root), [], "the copy for the store is removed");
  assert.is(await publishModel("not read again", artifact, { local, artifacts, signal }), artifact);

  const asked: string[] = [];
  const artifactOf = async (address: string): Promise<string | undefined> => {
    asked.push(address);
    return address === model.address ? artifact : undefined;
  };
  const models = await openModels(context, artifactOf);
  const found = await models.find(model.address, task);
  assert.is(found?.path, join(root, "models", model.address));
  const folder = join(root, "models", model.address);
  const expected = (await readdir(source)).filter((name) => !["pytorch_model.bin", ".hidden"].includes(name));
  assert.equal((await readdir(folder)).toSorted(), expected.toSorted());
  for (const name of expected) assert.equal(await readFile(join(folder, name)), await readFile(join(source, name)), name);
  assert.equal(await (await openModels(context, artifactOf)).find(model.address, task), found);
  assert.equal(asked, [model.address], "a worker that starts again has it");
  assert.is(await models.find("0".repeat(64), task), undefined);

  const prune = async (): Promise<number> => (await pruneStore(store, { olderThan: -60_000 })).removed.length;
  assert.is(await prune(), 0, "the run needs it");
  await artifacts.release();
  assert.is(await prune(), 1);
  await rm(join(root, "models"), { recursive: true });
  assert.is(await (await openModels(context, artifactOf)).find(model.address, task), undefined, "pruned, it is not there");
});

test("a run whose own record is damaged in the store writes it again; another run's ends it", async ({ root, local, store }) => {
  const artifacts = new SharedArtifacts({ local, shared: store, run: "run-1", note: "test", warn: ignore });
  const record = (run: string): string => join(root, "store", "runs", `${run}.json`);
  const put = async (letter: string): Promise<string> => {
    const pieces: FilePiece[] = [{ path: "file", offset: 0, data: Buffer.from(letter) }];
    const { address } = await local.put(encodeFiles(pieces, { model: "1".repeat(64) }));
    await artifacts.publish([address], signal);
    return address;
  };
  const [first, second] = [await put("a"), await put("b")];
  await writeFile(record("run-1"), "");
  artifacts.remove(first);
  await artifacts.flush();
  assert.equal([await store.has(first), await store.has(second)], [false, true]);
  assert.equal(
    (await store.readNeeds()).map(({ run, addresses }) => ({ run, addresses })),
    [{ run: "run-1", addresses: [second] }],
  );
  await writeFile(record("run-2"), "");
  artifacts.remove(second);
  const error = await failure(artifacts.flush());
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /run-2\.json: .*; if the run is over, remove the file/);
  assert.ok(await store.has(second), "run-2 may need it");
});

test("nobody relies on what is in the store before it is recorded that the run needs it", async ({ local }) => {
  const written: { readonly addresses: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  const shared = {
    has: async () => true,
    writeNeeds: ({ addresses }: RunNeeds) =>
      new Promise<void>((resolve, reject) => {
        written.push({ addresses, end: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
  } as unknown as SharedStore;
  const artifacts = new SharedArtifacts({ local, shared, run: "run-1", note: "test", warn: ignore });
  const address = "1".repeat(64);
  const relied: number[] = [];
  const rely = async (who: number): Promise<void> => {
    if (await artifacts.isShared(address)) relied.push(who);
  };
  const round = async (index: number): Promise<(typeof written)[number]> => {
    await until(() => written.length > index, "a record is being written");
    return at(written, index);
  };
  const first = [failure(rely(1)), failure(rely(2))];
  (await round(0)).end(new Error("away"));
  assert.equal((await Promise.all(first)).map(String), ["Error: away", "Error: away"]);
  const second = [rely(3), rely(4)];
  const { addresses, end } = await round(1);
  assert.equal(relied, []);
  assert.equal(addresses, [address]);
  end();
  await Promise.all(second);
  assert.equal(relied.toSorted(), [3, 4]);
  await rely(5);
  assert.is(written.length, 2, "it is written once");
});

test("files that leave the folder, another model and a damaged one are refused, and leave nothing", async (context) => {
  const { root, store } = context;
  const model = "1".repeat(64);
  const refused = async (artifact: string): Promise<string> => {
    const error = await failure((await openModels(context, async () => artifact)).find(model, task));
    assert.instance(error, BadDataError);
    assert.equal(await readdir(join(root, "models")), []);
    return String(error);
  };
  for (const path of ["../evil", "a/../../evil", "/evil", "a\\evil", ""]) {
    assert.match(await refused(await putFiles(context, { [path]: "x" })), /is no path inside a folder; refused/);
  }
  assert.not.ok((await readdir(root)).includes("evil"));
  assert.match(await refused(await putFiles(context, { "config.json": "{}" })), /holds another model than 1{64}, or one that is/);
  const damaged = await putFiles(context, { "config.json": "{}".repeat(5000) });
  const path = store.where(damaged);
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = 0xff;
  await rm(path);
  await writeFile(path, bytes);
  assert.match(await refused(damaged), /; it is removed from the store: start the run again/);
});

test("what was used the longest ago goes first, and the model at work stays", async (context) => {
  const { root, store } = context;
  const addresses: string[] = [];
  for (const text of ["a", "b", "c"]) addresses.push(await putFiles(context, { file: text.repeat(1000) }));
  const [a = "", b = "", c = ""] = addresses;
  const folder = join(root, "cache");
  const { size } = await stat(store.where(a));
  await mkdir(join(root, "model"));
  const budget = new DiskBudget(3 * size);
  const cache = await ArtifactCache.open(folder, { store, budget, warn: ignore });
  const read = (...wanted: string[]): Promise<void> => cache.reading(wanted, signal, async () => undefined);
  const kept = async (): Promise<string[]> => (await readdir(folder)).map((name) => name.slice(0, 64)).toSorted();
  budget.use(join(root, "model"), size);
  await read(a, b, c);
  await read(a);
  await budget.trim(new Set([join(root, "model")]));
  assert.equal(await kept(), [a, c].toSorted(), "b was used the longest ago, but for the model");
  await budget.trim(new Set());
  assert.ok((await readdir(root)).includes("model"), "all fits");
  await read(b);
  await budget.trim(new Set());
  assert.not.ok((await readdir(root)).includes("model"));
  assert.equal(await kept(), addresses.toSorted());
  // a worker that starts again counts what is there
  const next = new DiskBudget(size);
  await ArtifactCache.open(folder, { store, budget: next, warn: ignore });
  await next.trim(new Set());
  assert.is((await kept()).length, 1);
});

test("a cache is trimmed after a node that fails, also of the inputs that came before one that is lost", async (context) => {
  const { root, store } = context;
  const here = await putFiles(context, { file: "a" });
  const runner = await JobRunner.open({
    name: "worker",
    rules: { seal: await QueueSeal.open(undefined, ignore), version: "1.2.3", stages: new Map() },
    store,
    modelRoot: undefined,
    artifactOf: async () => undefined,
    folder: join(root, "worker"),
    cacheLimit: 0,
    command: ["never started"],
    warn: ignore,
  });
  const inputs = { statistics: [here, "0".repeat(64)] };
  const work = { stage: "add", options: {}, inputs, threads: 1, processors: "linux", mbs: "1.2.3" };
  const error = await failure(runner.run({ key: "1".repeat(64), work, table: {} }, task));
  assert.equal((error as InputLostError).addresses, ["0".repeat(64)]);
  assert.equal(await readdir(runFolder(join(root, "worker")).artifacts), []);
});

test("all inputs that are lost are named at once, and damaged ones are gone from the store", async (context) => {
  const { root, store } = context;
  const [whole = "", damaged = "", missing = ""] = await Promise.all(["a", "b", "c"].map((file) => putFiles(context, { file })));
  await rm(store.where(missing));
  await flipBit(store.where(damaged));
  const copies = new FetchedArtifacts({ local: new ArtifactStore(join(root, "copies")), shared: store, warn: ignore });
  const error = await failure(copies.bring([damaged, whole, missing]));
  assert.instance(error, InputLostError);
  assert.equal((error as InputLostError).addresses, [damaged, missing]);
  assert.is(
    String(error),
    `InputLostError: ${store.where(damaged)} was damaged and is removed, ${store.where(missing)} is not there`,
  );
  assert.equal([await store.has(damaged), await store.has(whole)], [false, true]);
});

test("an artifact that the disk of this machine damages stays in the store", async (context) => {
  const { root, store } = context;
  const address = await putFiles(context, { file: "a" });
  const onBadDisk: SharedStore["get"] = async (wanted, path) => {
    await writeFile(path, "other bytes");
    throw new BadDataError(`${store.where(wanted)} is damaged`);
  };
  const shared = new Proxy(store, {
    get(target, name) {
      const value: unknown = name === "get" ? onBadDisk : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const local = new ArtifactStore(join(root, "copies"));
  const error = await failure(new FetchedArtifacts({ local, shared, warn: ignore }).bring([address]));
  assert.instance(error, InputOutputError);
  assert.is(
    (error as Error).message,
    `${store.where(address)} is whole, and its copy at ${local.path(address)} was damaged; check the disk of this machine`,
  );
  assert.ok(await store.has(address));
});

test("a node is run again where an input was damaged, not where it fails by itself, nor for ever", async (context) => {
  const { root, store } = context;
  const address = await putFiles(context, { file: "a" });
  const local = new ArtifactStore(join(root, "copies"));
  const said: string[] = [];
  const copies = new FetchedArtifacts({ local, shared: store, warn: (line) => said.push(line) });
  /** Damages the copy alone at its first runs, and fails as a reader does. */
  const runs = async (damaging: number): Promise<number> => {
    let count = 0;
    const node = async (): Promise<void> => {
      count += 1;
      if (count > damaging + 1) return;
      if (count <= damaging) {
        await rm(local.path(address));
        await copyFile(store.where(address), local.path(address));
        await flipBit(local.path(address));
      }
      throw new BadDataError("what is read is wrong");
    };
    await copies.reading([address], signal, node).catch((error: unknown) => assert.instance(error, BadDataError));
    return count;
  };
  assert.is(await runs(0), 1);
  assert.equal(said, []);
  assert.is(await runs(1), 2, "its input is whole at the second failure");
  assert.match(said.join(), `${local.path(address)}, a copy of ${store.where(address)}, was damaged and is removed`);
  assert.is(await runs(100), 3);
});

test.run();
