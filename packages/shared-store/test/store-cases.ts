import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { BadDataError, InterruptedError, UsageError } from "@mbs/contracts";
import { artifactKind, neededBy, pruneStore, readOverview, verifyArtifact } from "@mbs/shared-store";
import type { KeptArtifact, Pruned, SharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, flipped, largeFile, smallFile } from "./artifact-files.ts";

/** A place for stores, and how a test reaches what lies there without one. */
export interface TestPlace {
  /** A store at an empty place of its own. */
  readonly open: () => Promise<SharedStore>;
  /** Puts any bytes at a name of the store's place. */
  readonly plant: (store: SharedStore, name: string, bytes: Uint8Array) => Promise<void>;
  /** Called once, after the last test. */
  readonly end: () => Promise<void>;
}

interface Context {
  /** Removed after the test. */
  folder: string;
  store: SharedStore;
  plant: (name: string, bytes: Uint8Array) => Promise<void>;
}

const listed = async (store: SharedStore): Promise<KeptArtifact[]> => {
  const all: KeptArtifact[] = [];
  for await (const kept of store.list()) all.push(kept);
  return all.toSorted((one, other) => (one.address < other.address ? -1 : 1));
};

const counts = ({ removed, needed, young }: Pruned): number[] => [removed.length, needed.length, young.length];

const noAddresses = ["", "../x", "a".repeat(63), "A".repeat(64), `${"a".repeat(64)}/..`, `${"a".repeat(64)}\n`, "runs/x"];
const noRuns = ["", "../x", ".hidden", "a/b", "a".repeat(101), "a\n", "ü"];
const absent = "0".repeat(64);

/** What every keeper does in the same way. @param start makes the place, before the first test */
export function storeCases(name: string, start: () => Promise<TestPlace>): Test<Context> {
  const test = suite<Context>(name);
  let place: TestPlace;
  test.before(async () => void (place = await start()));
  test.after(() => place.end());
  test.before.each(async (context) => {
    context.folder = await mkdtemp(join(tmpdir(), "shared-store-"));
    context.store = await place.open();
    context.plant = (file, bytes) => place.plant(context.store, file, bytes);
  });
  test.after.each(async ({ folder, store }) => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("artifacts go in, are listed, come out as they were, and are removed", async ({ store, folder }) => {
    assert.equal(await listed(store), []);
    const files = [await smallFile(folder, 1), await smallFile(folder, 2), await largeFile(folder, 1)];
    const before = await store.now();
    for (const { address, path, bytes } of files) {
      assert.not(await store.has(address));
      await store.put(address, path);
      assert.ok(await store.has(address));
      const target = join(folder, "got.arrow");
      await store.get(address, target);
      assert.equal(await readFile(target), bytes);
      await verifyArtifact(store, address);
    }
    const kept = await listed(store);
    assert.equal(
      kept.map(({ address, bytes }) => [address, bytes]),
      files.map(({ address, bytes }) => [address, bytes.length]).toSorted(),
    );
    for (const { modified } of kept) assert.ok(Math.abs(modified.getTime() - before.getTime()) < 60_000);
    const kinds = await Promise.all(kept.map((artifact) => artifactKind(store, artifact)));
    assert.equal(kinds.toSorted(), ["segments", "segments", "states"]);
    for (const { address } of files) await store.remove(address);
    assert.equal(await listed(store), []);
    assert.equal(
      (await readdir(folder)).filter((file) => file.startsWith(".")),
      [],
    );
  });

  test("the same again changes nothing, and many at once are one", async ({ store, folder }) => {
    const { address, path, bytes } = await smallFile(folder);
    await Promise.all(Array.from({ length: 8 }, () => store.put(address, path)));
    const [kept] = await listed(store);
    await store.put(address, path);
    assert.equal(await listed(store), [kept]);
    const targets = Array.from({ length: 8 }, (_, index) => join(folder, `got-${index}`));
    await Promise.all([...targets, ...targets].map((target) => store.get(address, target)));
    for (const target of targets) assert.equal(await readFile(target), bytes);
    await store.get(address, path);
    assert.equal(
      (await readdir(folder)).filter((file) => file.startsWith(".")),
      [],
    );
  });

  test("a large artifact goes in and comes out", async ({ store, folder }) => {
    const { address, path, bytes } = await largeFile(folder, 21);
    await store.put(address, path);
    const target = join(folder, "got");
    await store.get(address, target);
    assert.ok(bytes.equals(await readFile(target)));
    const start: Uint8Array[] = [];
    for await (const part of store.read(address, { limit: 1000 })) start.push(part);
    assert.equal(Buffer.concat(start), bytes.subarray(0, 1000));
  });

  test("what is not there is missing, and removing it is no error", async ({ store, folder }) => {
    assert.not(await store.has(absent));
    await store.remove(absent);
    const target = join(folder, "got");
    await writeFile(target, "what was there");
    for (const work of [() => store.get(absent, target), () => verifyArtifact(store, absent)]) {
      const error = await errorOf(work);
      assert.instance(error, UsageError);
      assert.is((error as UsageError).facts["missing"], true);
      assert.ok(error.message.startsWith(store.where(absent)), error.message);
    }
    assert.is(await artifactKind(store, { address: absent, bytes: 9, modified: new Date() }), undefined);
    assert.is(await readFile(target, "utf8"), "what was there");
    assert.equal(await readdir(folder), ["got"]);
  });

  test("what is no address or no run is refused", async ({ store, folder }) => {
    const { path } = await smallFile(folder);
    for (const id of noAddresses) {
      const works = [
        () => store.has(id),
        () => store.put(id, path),
        () => store.get(id, join(folder, "got")),
        () => verifyArtifact(store, id),
        () => store.remove(id),
        () => store.writeNeeds({ run: "r", addresses: [id] }),
      ];
      for (const work of works) assert.instance(await errorOf(work), UsageError, JSON.stringify(id));
    }
    for (const run of noRuns) {
      for (const work of [() => store.writeNeeds({ run, addresses: [] }), () => store.removeNeeds(run)]) {
        assert.instance(await errorOf(work), UsageError, JSON.stringify(run));
      }
    }
    assert.equal(await listed(store), []);
    assert.equal(await store.readNeeds(), []);
  });

  test("a torn, a changed and an exchanged artifact are refused, and nothing comes to the path", async (context) => {
    const { store, folder, plant } = context;
    const { address, path, bytes } = await largeFile(folder, 1);
    const other = await smallFile(folder);
    const target = join(folder, "got");
    const damages = [
      bytes.subarray(0, bytes.length - 9),
      bytes.subarray(0, 9),
      Buffer.alloc(0),
      flipped(bytes, 70_000),
      other.bytes,
    ];
    for (const damaged of damages) {
      await plant(`${address}.arrow`, damaged);
      for (const work of [() => store.get(address, target), () => verifyArtifact(store, address)]) {
        const error = await errorOf(work);
        assert.instance(error, BadDataError);
        assert.ok(error.message.startsWith(store.where(address)), error.message);
        assert.match(error.message, `mbs store verify ${address} --store ${store.place} --remove-damaged`);
      }
      assert.equal((await readdir(folder)).toSorted(), ["large-1.arrow", "small-5.arrow"]);
      const [kept] = await listed(store);
      const expected = damaged === other.bytes ? "segments" : damaged.length < 2000 ? undefined : "states";
      assert.is(kept && (await artifactKind(store, kept)), expected);
      // who finds it damaged removes it and puts it again
      await store.remove(address);
      await store.put(address, path);
      await store.get(address, target);
      assert.ok(bytes.equals(await readFile(target)));
      await rm(target);
    }
  });

  test("a torn artifact is replaced by the next put", async ({ store, folder, plant }) => {
    const { address, path, bytes } = await smallFile(folder);
    await plant(`${address}.arrow`, bytes.subarray(0, 700));
    await store.put(address, path);
    await store.get(address, join(folder, "got"));
    assert.equal(await readFile(join(folder, "got")), bytes);
  });

  test("a file that is not the artifact is not put", async ({ store, folder }) => {
    const { address, bytes } = await smallFile(folder, 1);
    const other = await smallFile(folder, 2);
    const torn = join(folder, "torn");
    await writeFile(torn, bytes.subarray(0, bytes.length - 9));
    for (const path of [other.path, torn]) {
      const error = await errorOf(() => store.put(address, path));
      assert.instance(error, BadDataError);
      assert.ok(error.message.startsWith(path), error.message);
    }
    assert.not(await store.has(address));
    assert.match((await errorOf(() => store.put(address, join(folder, "no")))).message, /cannot read .*no such file/);
  });

  test("files of other names are neither listed nor changed", async ({ store, folder, plant }) => {
    const { address, path } = await smallFile(folder);
    for (const name of ["mine.arrow", `${absent}.txt`, `${absent}.arrow.bak`, "runs/mine.txt", "runs/.hidden.json"]) {
      await plant(name, Buffer.from("mine"));
    }
    await store.put(address, path);
    assert.equal(
      (await listed(store)).map((kept) => kept.address),
      [address],
    );
    assert.equal(await store.readNeeds(), []);
  });

  test("what runs need is written, replaced, read and removed", async ({ store }) => {
    const [first, second] = ["a".repeat(64), "b".repeat(64)];
    await store.writeNeeds({ run: "demo-1", addresses: [first], note: "demo.yaml on host" });
    await store.writeNeeds({ run: "demo-1", addresses: [first, second, second], note: "demo.yaml on host" });
    await store.writeNeeds({ run: "another.run_2", addresses: [] });
    const needs = await store.readNeeds();
    assert.equal(
      needs.map(({ run, addresses, note }) => ({ run, addresses, note })),
      [
        { run: "another.run_2", addresses: [], note: undefined },
        { run: "demo-1", addresses: [first, second], note: "demo.yaml on host" },
      ],
    );
    const now = await store.now();
    for (const { written } of needs) assert.ok(Math.abs(written.getTime() - now.getTime()) < 60_000);
    assert.equal(await listed(store), []);
    await store.removeNeeds("demo-1");
    await store.removeNeeds("demo-1");
    assert.equal(
      (await store.readNeeds()).map(({ run }) => run),
      ["another.run_2"],
    );
  });

  test("a record of needs that cannot be read is refused", async ({ store, plant }) => {
    const whole = { version: 1, run: "r", addresses: ["a".repeat(64)] };
    const damaged = [
      "",
      "{",
      "[]",
      JSON.stringify({ ...whole, version: 2 }),
      JSON.stringify({ ...whole, run: "other" }),
      JSON.stringify({ ...whole, addresses: ["../x"] }),
    ];
    for (const text of damaged) {
      await plant("runs/r.json", Buffer.from(text));
      const error = await errorOf(() => store.readNeeds());
      assert.instance(error, BadDataError, text);
      assert.match(error.message, /r\.json: .*; if the run is over, remove the file/);
      assert.equal(await store.readNeeds({ except: "r" }), [], "the run itself does not read it");
    }
    await plant("runs/r.json", Buffer.from(JSON.stringify(whole)));
    assert.is((await store.readNeeds()).length, 1);
  });

  test("a signal ends a put and a get, and nothing is left", async ({ store, folder }) => {
    const { address, path } = await largeFile(folder, 21);
    const signal = AbortSignal.abort();
    for (const work of [() => store.put(address, path, { signal }), () => store.get(address, join(folder, "got"), { signal })]) {
      assert.instance(await errorOf(work), InterruptedError);
    }
    assert.not(await store.has(address));
    assert.equal(await readdir(folder), ["large-21.arrow"]);
  });

  test("prune removes what is old and what no run needs, and says what stays", async ({ store, folder }) => {
    const files = await Promise.all(Array.from({ length: 20 }, (_, number) => smallFile(folder, number)));
    for (const { address, path } of files) await store.put(address, path);
    const [first, second, third] = files.map(({ address }) => address);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    await store.writeNeeds({ run: "going-on", addresses: [first, second] });
    await store.writeNeeds({ run: "over", addresses: [second, third, absent] });
    const { needs } = await readOverview(store);
    assert.equal(neededBy(needs).get(second), ["going-on", "over"]);
    assert.equal(counts(await pruneStore(store, { olderThan: 3_600_000 })), [0, 3, 17]);
    await wait(1100); // the times of some stores are whole seconds
    assert.equal(counts(await pruneStore(store, { olderThan: 0, dryRun: true, release: ["over"] })), [18, 2, 0]);
    assert.equal([(await listed(store)).length, (await store.readNeeds()).length], [20, 2]);
    assert.equal(counts(await pruneStore(store, { olderThan: 0 })), [17, 3, 0]);
    assert.equal(
      (await listed(store)).map(({ address }) => address),
      [first, second, third].toSorted(),
    );
    for (const release of [["unknown"], ["../x"]]) {
      assert.instance(await errorOf(() => pruneStore(store, { olderThan: 0, release })), UsageError);
    }
    assert.equal(counts(await pruneStore(store, { olderThan: 0, release: ["over"] })), [1, 2, 0]);
    assert.equal(
      (await store.readNeeds()).map(({ run }) => run),
      ["going-on"],
    );
  });

  test("prune removes nothing where a record cannot be read, and keeps what a run asks for meanwhile", async (context) => {
    const { store, folder, plant } = context;
    const files = await Promise.all(Array.from({ length: 20 }, (_, number) => smallFile(folder, number)));
    for (const { address, path } of files) await store.put(address, path);
    await wait(1100);
    await plant("runs/r.json", Buffer.from("{"));
    assert.instance(await errorOf(() => pruneStore(store, { olderThan: 0 })), BadDataError);
    assert.is((await listed(store)).length, 20);
    await store.removeNeeds("r");
    const last = (await listed(store)).at(-1)?.address ?? "";
    let recorded: Promise<void> | undefined;
    const reading = store.readNeeds.bind(store);
    store.readNeeds = async (call) => {
      await recorded;
      return reading(call);
    };
    const { removed } = await pruneStore(store, {
      olderThan: 0,
      onRemoved: () => (recorded ??= store.writeNeeds({ run: "new", addresses: [last] })),
    });
    assert.is(removed.length, 19);
    assert.ok(await store.has(last));
  });

  return test;
}
