import { mkdir, readFile, readdir, rename, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  collect,
  ArtifactStore,
  contentAddress,
  addressOfName,
  artifactName,
  isStoreName,
  readScores,
  type ArtifactKind,
} from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, Batch } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, rebatch, samples, scores } from "./samples.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("artifact store");

/** Batches of 0, 1 and 2 in the same memory. */
async function* countingBatches(): AsyncGenerator<Batch> {
  const value = new Float64Array(1);
  for (value[0] = 0; value[0] < 3; value[0] += 1) yield { rows: 1, columns: { value } };
}

const countsOf = async ({ batches: found }: ArtifactStream) =>
  (await collect(found)).map(({ columns }) => Number(columns["value"]?.[0]));

/** Bytes that an artifact takes in memory. */
async function bytesOf(kind: ArtifactKind): Promise<number> {
  const batches = await collect(samples[kind].encode().batches);
  const values = batches
    .flatMap(({ columns }) => Object.values(columns))
    .flatMap((column): readonly (string | ArrayBufferView)[] => (ArrayBuffer.isView(column) ? [column] : column));
  return values.reduce((sum, value) => sum + (typeof value === "string" ? value.length : value.byteLength), 0);
}

test("artifacts go in, are listed and described, and come out by address", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(join(folder, "store"));
    assert.equal(await store.addresses(), []);
    const kinds: readonly ArtifactKind[] = ["segments", "statistics", "scores", "files"];
    for (const kind of kinds) {
      const { address, rows } = await store.put(samples[kind].encode());
      assert.is(address, (await contentAddress(samples[kind].encode())).address);
      assert.ok((await store.addresses()).includes(address));
      const { size } = await stat(join(store.root, `${address}.arrow`));
      assert.equal(await store.describe(address), { address, kind, rows, bytes: size });
      assert.ok(await store.has(address));
    }
    assert.is((await store.addresses()).length, 4);
    const { address } = await contentAddress(samples.scores.encode());
    assert.equal(await collect(readScores(await store.open(address))), scores);
  }));

const failing = (): Promise<never> => Promise.reject(new BadDataError("unreadable"));

test("what others have removed since is gone; what cannot be read is not", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    const { address } = await store.put(samples.scores.encode());
    // listed by name, and nothing is behind it any more
    await symlink("gone", store.path("0".repeat(64)));
    const gone = "0".repeat(64);
    assert.equal(await store.addresses(), [gone, address]);
    assert.is(await store.unlessGone(gone, () => store.describe(gone)), undefined);
    assert.is((await errorOf(() => store.unlessGone(address, failing))).message, "unreadable");
    const removed = await store.unlessGone(address, async () => {
      await rm(store.path(address));
      return failing();
    });
    assert.is(removed, undefined);
  }));

test("the bytes of a put are counted as they are written, and who counts them may end it: then nothing is left", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(join(folder, "store"));
    let counted = 0;
    const { address } = await store.put(samples.scores.encode(), { counted: (bytes) => (counted += bytes) });
    assert.is(counted, (await stat(store.path(address))).size);
    store.remove(address);
    await store.flush();
    const full = new UsageError("too much");
    const refuse = (): void => {
      throw full;
    };
    assert.is(await errorOf(() => store.put(samples.scores.encode(), { counted: refuse })), full);
    assert.equal(await readdir(store.root), []);
  }));

test("the same content again, split otherwise, is one file", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    const { address } = await store.put(samples.segments.encode());
    const [late, later] = await Promise.all([
      store.put(await rebatch(samples.segments.encode(), [1])),
      store.put(samples.segments.encode()),
    ]);
    assert.is(late.address, address);
    assert.is(later.address, address);
    assert.equal(await readdir(folder), [`${address}.arrow`]);
  }));

test("a store tells what is whole, and what is written again takes the place of a damaged file", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    const { address } = await store.put(samples.segments.encode());
    const path = store.path(address);
    const whole = await readFile(path);
    assert.ok(await store.isWhole(address));
    assert.not(await store.isWhole("0".repeat(64)));
    await rename(path, store.path("0".repeat(64)));
    assert.not(await store.isWhole("0".repeat(64)), "another artifact");
    for (const damaged of [
      whole.subarray(0, -1),
      whole.map((byte, index) => (index === 1000 ? byte ^ 1 : byte)),
      Buffer.alloc(0),
    ]) {
      for (const when of ["now", "behind"] as const) {
        await writeFile(path, damaged);
        assert.not(await store.isWhole(address));
        const writing = new ArtifactStore(folder, { memory: 1 << 20 });
        await writing.put(samples.segments.encode(), { when });
        await writing.flush();
        assert.ok(await store.isWhole(address));
        assert.equal(await readFile(path), whole);
      }
    }
  }));

test("a store knows the names that it gives", () => {
  const address = "a".repeat(64);
  const own = [`${address}.arrow`, ".artifact.some.host.12.00aa11bb.tmp"];
  const foreign = ["mine.arrow", `${address}.txt`, `old/${address}.arrow`, `${address}.arrow.bak`, ".artifact.tmp", "artifact"];
  assert.is(artifactName(address), `${address}.arrow`);
  assert.is(addressOfName(artifactName(address)), address);
  assert.throws(() => artifactName(`../${address}`), /is no address/);
  for (const name of own) assert.ok(isStoreName(name), name);
  assert.is(addressOfName(".artifact.some.host.12.00aa11bb.tmp"), undefined);
  for (const name of foreign) assert.not(isStoreName(name), name);
});

test("what is no address is refused before the disk is touched", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    for (const id of ["", "../x", "a".repeat(63), "A".repeat(64), `${"a".repeat(64)}/..`, `${"a".repeat(64)}\n`]) {
      assert.instance(await errorOf(() => store.open(id)), UsageError, id);
      assert.instance(await errorOf(() => store.has(id)), UsageError, id);
    }
    assert.instance(await errorOf(() => store.open("a".repeat(64))), UsageError);
    assert.not(await store.has("a".repeat(64)));
  }));

test("a file with another content than its name, or cut short, is refused", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    const { address } = await store.put(samples.segments.encode());
    const other = "0".repeat(64);
    await rename(join(folder, `${address}.arrow`), join(folder, `${other}.arrow`));
    const error = await errorOf(async () => collect((await store.open(other)).batches));
    assert.instance(error, BadDataError);
    assert.match(error.message, new RegExp(`has the address ${address}`));
    await truncate(join(folder, `${other}.arrow`), 1500);
    assert.instance(await errorOf(() => store.describe(other)), BadDataError);
    await rm(join(folder, `${other}.arrow`));
    await writeFile(join(folder, "notes.txt"), "mine");
    assert.equal(await store.addresses(), []);
  }));

test("a damaged file is reported with a remedy, at its start or at the fault, and can be removed among whole ones", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder);
    const { address: other } = await store.put(samples.scores.encode());
    const { address } = await store.put(samples.segments.encode());
    const path = store.path(address);
    const whole = await readFile(path);
    for (const offset of [0, whole.length >> 1, whole.length - 1]) {
      await writeFile(
        path,
        whole.map((byte, index) => (index === offset ? byte ^ 1 : byte)),
      );
      const error = await errorOf(async () => collect((await store.open(address)).batches));
      assert.instance(error, BadDataError);
      assert.match(error.message, /^\S+\.arrow is damaged at byte \d+; delete the file and make it again$/);
    }
    assert.equal(await store.removeDamaged([other, address, "0".repeat(64), address]), [address]);
    assert.equal(await store.addresses(), [other]);
  }));

test("what was written last is read from memory, with the same rows and receipt, until it is removed", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const receipt = await store.put(samples.scores.encode(), { when: "behind" });
    await store.flush();
    const path = store.path(receipt.address);
    // damage that only who reads the file can see
    await writeFile(path, "damaged");
    for (let reading = 0; reading < 2; reading++) {
      const stream = await store.open(receipt.address);
      const read = collect(readScores(stream));
      assert.equal(await read, scores);
      assert.equal(await stream.receipt, receipt);
      assert.is(stream.address, receipt.address, "a stage may go on from where another stopped");
    }
    assert.instance(await errorOf(() => new ArtifactStore(folder).open(receipt.address)), BadDataError);
    store.remove(receipt.address);
    await store.flush();
    assert.instance(await errorOf(() => store.open(receipt.address)), UsageError);
  }));

test("values that a reader changes do not reach the next one", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const { address } = await store.put(samples.segments.encode(), { when: "behind" });
    const first = await collect((await store.open(address)).batches);
    for (const { columns } of first)
      for (const column of Object.values(columns)) {
        if (ArrayBuffer.isView(column)) new Uint8Array(column.buffer).fill(0);
        else for (const value of column) if (typeof value !== "string") new Uint8Array(value.buffer).fill(0);
      }
    assert.is((await contentAddress(await store.open(address))).address, address);
  }));

test("only as much stays in memory as the limit allows, a quarter with a file, that of the longest ago goes first", () =>
  inFolder(async (folder) => {
    const memory = 4 * Math.max(await bytesOf("segments"), await bytesOf("scores"));
    const store = new ArtifactStore(join(folder, "both"), { memory });
    const first = await store.put(samples.segments.encode(), { when: "behind" });
    const second = await store.put(samples.scores.encode(), { when: "behind" });
    await store.flush();
    for (const { address } of [first, second]) await writeFile(store.path(address), "damaged");
    assert.instance(await errorOf(() => store.open(first.address)), BadDataError);
    assert.equal(await collect(readScores(await store.open(second.address))), scores);
  }));

test("what is written late gets a file where its memory is needed or at the end, and none where it is removed before", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const receipt = await store.put(samples.scores.encode(), { when: "late" });
    assert.equal(await readdir(folder).catch(() => []), []);
    assert.ok(await store.has(receipt.address));
    assert.equal(await collect(readScores(await store.open(receipt.address))), scores);
    store.remove(receipt.address);
    assert.not(await store.has(receipt.address));
    await store.flush();
    assert.equal(await readdir(folder).catch(() => []), []);
    await store.put(samples.scores.encode(), { when: "late" });
    await store.flush();
    const other = new ArtifactStore(folder);
    assert.equal(await collect(readScores(await other.open(receipt.address))), scores);

    const small = new ArtifactStore(join(folder, "small"), {
      memory: Math.max(await bytesOf("segments"), await bytesOf("scores")),
    });
    const first = await small.put(samples.segments.encode(), { when: "late" });
    await small.put(samples.scores.encode(), { when: "late" });
    assert.equal(await readdir(join(folder, "small")), [`${first.address}.arrow`]);
  }));

test("what is written behind is there at the end, and its failure is thrown", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(join(folder, "store"), { memory: 1 << 20 });
    const { address } = await store.put(samples.scores.encode(), { when: "behind" });
    await store.flush();
    assert.equal(await readdir(store.root), [`${address}.arrow`]);
    const inTheWay = store.path((await contentAddress(samples.segments.encode())).address);
    await mkdir(inTheWay);
    await store.put(samples.segments.encode(), { when: "behind" });
    for (let call = 0; call < 2; call++) assert.match((await errorOf(() => store.flush())).message, inTheWay);
    assert.match((await errorOf(() => store.put(samples.scores.encode()))).message, inTheWay);
  }));

test("a file goes after all that was put before is on the disk, and stays where that failed", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const first = await store.put(samples.segments.encode());
    const second = await store.put(samples.scores.encode(), { when: "behind" });
    let record: (() => void) | undefined;
    const recorded = new Promise<void>((resolve) => (record = resolve));
    store.remove(first.address, recorded);
    const flushed = store.flush();
    while (!(await readdir(folder)).includes(`${second.address}.arrow`)) await setTimeout(1);
    assert.equal((await readdir(folder)).length, 2);
    record?.();
    await flushed;
    assert.equal(await readdir(folder), [`${second.address}.arrow`]);

    await mkdir(store.path(first.address));
    await store.put(samples.segments.encode(), { when: "behind" });
    store.remove(second.address);
    await errorOf(() => store.flush());
    assert.ok((await readdir(folder)).includes(`${second.address}.arrow`));
  }));

test("what is written now may come batch by batch in the same memory; what is held until later may not", () =>
  inFolder(async (folder) => {
    const stream = { schema: { kind: "own", version: 1, metadata: {}, fields: [{ name: "value", type: "float64" as const }] } };
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const { address } = await store.put({ ...stream, batches: countingBatches() });
    assert.equal(await countsOf(await store.open(address)), [0, 1, 2]);

    const value = Float64Array.of(1);
    const changed = {
      ...stream,
      batches: (async function* () {
        yield { rows: 1, columns: { value } };
      })(),
    };
    await store.put(changed, { when: "late" });
    value[0] = 2;
    assert.match(
      (await errorOf(() => store.flush())).message,
      /values of own [0-9a-f]{64} were changed after they were handed over/,
    );
  }));

test("a store makes its own folder, but not again the one around it, which someone has deleted", () =>
  inFolder(async (folder) => {
    const around = join(folder, "around");
    await mkdir(around);
    const store = new ArtifactStore(join(around, "store"), { memory: 1 << 20 });
    await store.put(samples.segments.encode());
    await rm(around, { recursive: true });
    await store.put(samples.scores.encode(), { when: "late" });
    assert.match((await errorOf(() => store.flush())).message, /cannot make .*store: no such file or folder/);
    assert.equal(await readdir(folder), []);
  }));

test("readers that say so share the values in memory", () =>
  inFolder(async (folder) => {
    const store = new ArtifactStore(folder, { memory: 1 << 20 });
    const { address } = await store.put(samples.segments.encode(), { when: "late" });
    const read = async (shared: boolean) => (await collect((await store.open(address, { shared })).batches))[0]?.columns;
    const [a, b, c] = [await read(true), await read(true), await read(false)];
    for (const name of Object.keys(a ?? {})) {
      assert.is(a?.[name], b?.[name]);
      assert.equal(a?.[name], c?.[name]);
      assert.is.not(a?.[name], c?.[name]);
    }
  }));

test.run();
