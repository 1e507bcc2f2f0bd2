import { cp, mkdtemp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, createObjectPool } from "@mbs/contracts";
import type { Matrix, ObjectPool } from "@mbs/contracts";
import { openModel } from "../src/index.ts";
import type { Forward, Model } from "../src/index.ts";
import { writeTinyModel } from "../src/testing.ts";

const root = await mkdtemp(join(tmpdir(), "pooled-model-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

async function tiny(options = {}): Promise<string> {
  const folder = join(root, String(count++));
  await writeTinyModel(folder, options);
  return folder;
}

const tokens = Int32Array.of(5, 1, 7);

/** What the first block makes of three tokens. */
async function firstBlock(forward: Forward): Promise<Matrix> {
  return forward.block(0, await forward.embed(tokens));
}

/** Uses a model as a stage does. */
async function withModel<Made>(pool: ObjectPool | undefined, path: string, use: (model: Model) => Promise<Made>): Promise<Made> {
  const model = await openModel(path, { ...(pool && { pool }) });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

const checkpointOf = (pool: ObjectPool, path: string) => withModel(pool, path, async ({ checkpoint }) => checkpoint);

const runOnce = (pool: ObjectPool | undefined, path: string): Promise<Matrix> =>
  withModel(pool, path, async (model) => {
    const forward = await model.forward({ threads: 1 });
    const states = await firstBlock(forward);
    await forward.close();
    return states;
  });

/** Bytes of weights that a forward pass has before it runs anything. */
const keptWeights = (pool: ObjectPool, path: string, threads = 1): Promise<number> =>
  withModel(pool, path, async (model) => {
    const forward = await model.forward({ threads });
    const bytes = forward.heldBytes();
    await forward.close();
    return bytes;
  });

test("a model stays open between its users, with the weights of its forward pass", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const opened = await checkpointOf(pool, folder);
  assert.is(await checkpointOf(pool, folder), opened);
  assert.is(await keptWeights(pool, folder), 0);
  const fresh = await runOnce(undefined, folder);
  assert.equal(await runOnce(pool, folder), fresh);
  assert.ok((await keptWeights(pool, folder)) > 0);
  assert.equal(await runOnce(pool, folder), fresh);
  assert.is(await keptWeights(pool, folder, 2), 0, "one of another number of threads is another one");
  await pool.close();
});

test("an ONNX graph stays open with its parts", async () => {
  const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
  const folder = join(root, String(count++));
  await cp(`${fixtures}onnx/gpt2-no-cache`, folder, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/gpt2-f32/${file}`, join(folder, file));
  const pool = createObjectPool();
  const fresh = await runOnce(undefined, folder);
  for (const _ of [1, 2]) assert.equal(await runOnce(pool, folder), fresh);
  assert.ok((await keptWeights(pool, folder)) > 0);
  await pool.close();
});

test("two users at once have a model each, and both stay", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const [first, second] = [await openModel(folder, { pool }), await openModel(folder, { pool })];
  assert.is.not(first.checkpoint, second.checkpoint);
  await first.close();
  assert.is(await checkpointOf(pool, folder), first.checkpoint);
  await second.close();
  assert.is(await checkpointOf(pool, folder), second.checkpoint);
  await pool.close();
});

test("two forward passes of one user do not share sessions; one of them stays", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const expected = await runOnce(undefined, folder);
  await withModel(pool, folder, async (model) => {
    const [first, second] = [await model.forward({ threads: 1 }), await model.forward({ threads: 1 })];
    assert.equal(await Promise.all([firstBlock(first), firstBlock(second)]), [expected, expected]);
    await first.close();
    await second.close();
  });
  assert.equal(await runOnce(pool, folder), expected);
  await pool.close();
});

test("closing twice gives a model back once", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const model = await openModel(folder, { pool });
  const forward = await model.forward({ threads: 1 });
  await firstBlock(forward);
  for (const _ of [1, 2]) await forward.close();
  for (const _ of [1, 2]) await model.close();
  const [again, other] = [await openModel(folder, { pool }), await openModel(folder, { pool })];
  assert.is(again.checkpoint, model.checkpoint);
  assert.is.not(other.checkpoint, model.checkpoint);
  for (const each of [again, other]) await each.close();
  assert.equal(await runOnce(pool, folder), await runOnce(undefined, folder), "and leaves its forward pass whole");
  await pool.close();
});

test("a model whose tensors change in place is opened again, also with the size and time that it had", async () => {
  const folder = await tiny({ seed: 1 });
  const path = join(folder, "model.safetensors");
  const pool = createObjectPool();
  const before = await withModel(pool, folder, async ({ address }) => address);
  await runOnce(pool, folder);
  const { atime, mtime, ino } = await stat(path);
  const bytes = await readFile(path);
  bytes[bytes.length - 2] = at(bytes, bytes.length - 2) ^ 1;
  await writeFile(path, bytes);
  await utimes(path, atime, mtime);
  assert.is((await stat(path)).ino, ino, "the test must leave the same file");
  assert.is.not(await withModel(pool, folder, async ({ address }) => address), before);
  assert.is(await keptWeights(pool, folder), 0);
  await pool.close();
});

test("a model that replaces another at its path is opened again", async () => {
  const folder = await tiny({ seed: 1 });
  const pool = createObjectPool();
  const [first, states] = [await checkpointOf(pool, folder), await runOnce(pool, folder)];
  await rm(folder, { recursive: true });
  await writeTinyModel(folder, { seed: 2 });
  assert.is.not(await checkpointOf(pool, folder), first);
  assert.is.not(at((await runOnce(pool, folder)).values, 0), at(states.values, 0));
  await pool.close();
});

test("another configuration, tokenizer or new file of a folder is noticed", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  let checkpoint = await checkpointOf(pool, folder);
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    const path = join(folder, name);
    const text = await readFile(path, "utf8").catch(() => "{}");
    await writeFile(path, `${text} `);
    const after = await checkpointOf(pool, folder);
    assert.is.not(after, checkpoint, name);
    checkpoint = after;
  }
  await pool.close();
});

test("what does not open leaves nothing behind", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const config = join(folder, "config.json");
  const text = await readFile(config, "utf8");
  await writeFile(config, "{");
  for (const _ of [1, 2]) {
    await openModel(folder, { pool }).then(
      () => assert.unreachable(),
      (error: Error) => assert.instance(error, BadDataError),
    );
  }
  assert.is(pool.take(`model ${folder}`), undefined);
  await writeFile(config, text);
  await runOnce(pool, folder);
  await pool.close();
});

test("a model that allows NaN and Inf is not shared: what it finds belongs to one user", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const opened = await checkpointOf(pool, folder);
  const lenient = await openModel(folder, { pool, allowNonfinite: true });
  assert.is.not(lenient.checkpoint, opened);
  await lenient.close();
  assert.is(await checkpointOf(pool, folder), opened);
  await pool.close();
});

test("weights beyond the limit are given up, the open model is not", async () => {
  const folder = await tiny();
  const pool = createObjectPool(1000);
  const opened = await checkpointOf(pool, folder);
  await runOnce(pool, folder);
  assert.is(await keptWeights(pool, folder), 0);
  assert.is(await checkpointOf(pool, folder), opened);
  await pool.close();
});

test("a pool that is closed while its model is in use closes it afterwards", async () => {
  const folder = await tiny();
  const pool = createObjectPool();
  const model = await openModel(folder, { pool });
  const forward = await model.forward({ threads: 1 });
  await pool.close();
  await firstBlock(forward);
  await forward.close();
  await model.close();
  const { name } = at(model.checkpoint.list(), 0);
  await model.checkpoint.readRaw(name).then(
    () => assert.unreachable(),
    (error: NodeJS.ErrnoException) => assert.is(error.code, "EBADF"),
  );
});

test("a tokenizer is read when it is asked for, and refused where it has changed since", async () => {
  const folder = await tiny();
  const path = join(folder, "tokenizer.json");
  const model = await openModel(folder);
  assert.is((await model.tokenizer()).encode("a").length, 1);
  await writeFile(path, `${await readFile(path, "utf8")} `);
  await model.tokenizer().then(
    () => assert.unreachable(),
    ({ message }: Error) => assert.match(message, /tokenizer\.json has changed/),
  );
  await model.close();
});

test.run();
