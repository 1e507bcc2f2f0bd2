import { appendFile, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Checkpoint } from "../src/checkpoint/checkpoint.ts";
import { modelAddress } from "../src/folder/model-address.ts";

const test = suite<{ root: string; cache: string | undefined }>("known addresses");

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-addresses-"));
  context.cache = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = join(context.root, "cache");
});
test.after.each(async ({ root, cache }) => {
  if (cache === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cache;
  await rm(root, { recursive: true, force: true });
});

/** One tensor whose bytes are read from memory; counts how often. */
function checkpointOf(bytes: Buffer): { checkpoint: Checkpoint; reads: () => number } {
  let reads = 0;
  const checkpoint = {
    list: () => [{ name: "a", storedDtype: "BF16", shape: [bytes.length / 2], bytes: bytes.length }],
    readRaw: (_name: string, offset: number, length: number) => {
      reads += 1;
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
  } as unknown as Checkpoint;
  return { checkpoint, reads: () => reads };
}

const kept = (root: string): Promise<string[]> => readdir(join(root, "cache/mbs/model-addresses")).catch(() => []);

test("a later process does not read a large model again, unless a file of it has changed", async ({ root }) => {
  const file = join(root, "model.safetensors");
  await writeFile(file, "weights");
  const { checkpoint, reads } = checkpointOf(Buffer.from("12345678"));
  // another path is another key in memory, as in another process
  const open = (path: string, keptFrom: number) => modelAddress(path, [file], checkpoint, new Map(), { keptFrom });
  await open("fresh", 1);
  assert.equal(await kept(root), [], "the file may be written again without a new time");
  await setTimeout(2100);
  const address = await open("small", 100);
  assert.equal(await kept(root), [], "a small model is read");
  await open("large", 1);
  const [name = ""] = await kept(root);
  assert.is(reads(), 3);

  // what a later process finds is taken
  const other = "f".repeat(64);
  assert.match(address, /^[0-9a-f]{64}$/);
  const cached = join(root, "cache/mbs/model-addresses", name);
  await writeFile(cached, other);
  const module = new URL("../src/folder/model-address.ts?later", import.meta.url).href;
  const later = (await import(module)) as { modelAddress: typeof modelAddress };
  assert.is(await later.modelAddress("large", [file], checkpoint, new Map(), { keptFrom: 1 }), other);
  assert.is(reads(), 3);

  // a changed file is another key, also where its size and time are set back
  await appendFile(file, "");
  await utimes(file, 1, 1);
  assert.is(await later.modelAddress("large", [file], checkpoint, new Map(), { keptFrom: 1 }), address);
  assert.is(reads(), 4);
});

test.run();
