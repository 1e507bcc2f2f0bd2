import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { InputOutputError, UsageError } from "@mbs/contracts";
import { openSharedStore, pruneStore, readOverview, verifyArtifact } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, largeFile, smallFile } from "./artifact-files.ts";
import { storeCases } from "./store-cases.ts";
import type { TestPlace } from "./store-cases.ts";

/** Stores in folders below `parent`. */
const foldersIn = (parent: string) => async (): Promise<TestPlace> => {
  const root = await mkdtemp(join(parent, "shared-stores-"));
  let count = 0;
  return {
    open: () => openSharedStore(join(root, String(count++)), { create: true }),
    async plant(store, name, bytes) {
      const path = join(store.place, name);
      await mkdir(dirname(path), { recursive: true });
      // a link to an artifact that a test has put must stay whole
      await rm(path, { force: true });
      await writeFile(path, bytes);
    },
    end: () => rm(root, { recursive: true, force: true }),
  };
};

storeCases("a store in a folder", foldersIn(tmpdir())).run();

const otherDisk = "/dev/shm";
if (existsSync(otherDisk) && (await stat(otherDisk)).dev !== (await stat(tmpdir())).dev) {
  storeCases("a store on another file system, where no links can be made", foldersIn(otherDisk)).run();
} else console.log("    no other file system here: stores without links are not tested");

const test = suite("a folder as a shared store");

async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "folder-keeper-"));
  try {
    await fn(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("a store is made only where that is asked for, and only itself", () =>
  inFolder(async (folder) => {
    const place = join(folder, "store");
    const error = await errorOf(() => openSharedStore(place));
    assert.instance(error, UsageError);
    assert.match(error.message, `the store ${place} is not there`);
    await openSharedStore(place, { create: true });
    await openSharedStore(place);
    assert.equal((await readdir(place)).toSorted(), ["runs", "unfinished"]);
    assert.instance(await errorOf(() => openSharedStore(join(folder, "no", "store"), { create: true })), InputOutputError);
    await writeFile(join(folder, "file"), "mine");
    assert.match((await errorOf(() => openSharedStore(join(folder, "file")))).message, /is a file/);
    for (const other of ["", "ftp://host/path", "file:///x", "S4://x"]) {
      assert.instance(await errorOf(() => openSharedStore(other)), UsageError, other);
    }
  }));

test("on one file system nothing is copied, and removing one name keeps the other", () =>
  inFolder(async (folder) => {
    const store = await openSharedStore(join(folder, "store"), { create: true });
    const { address, path, bytes } = await smallFile(folder);
    await store.put(address, path);
    await store.get(address, join(folder, "got"));
    const { ino } = await stat(path);
    assert.equal([(await stat(store.where(address))).ino, (await stat(join(folder, "got"))).ino], [ino, ino]);
    await store.remove(address);
    await rm(path);
    assert.equal(await readFile(join(folder, "got")), bytes);
    // a link could be turned to another file
    await symlink("got", join(folder, "symbolic"));
    await store.put(address, join(folder, "symbolic"));
    assert.is.not((await stat(store.where(address))).ino, ino);
    assert.equal(await readdir(join(store.place, "unfinished")), []);
  }));

test("the folder that a run works in is read, verified and not pruned", () =>
  inFolder(async (folder) => {
    const { address, path } = await smallFile(folder);
    await mkdir(join(folder, "artifacts"));
    await writeFile(join(folder, "artifacts", `${address}.arrow`), await readFile(path));
    const store = await openSharedStore(join(folder, "artifacts"));
    await verifyArtifact(store, address);
    await store.now();
    assert.equal(await store.readNeeds(), []);
    assert.match((await errorOf(() => pruneStore(store, { olderThan: 0 }))).message, /no shared store; a run removes by itself/);
    assert.equal(await readdir(store.place), [`${address}.arrow`]);
  }));

test("other files in the folder are not looked at, even where they cannot be", () =>
  inFolder(async (folder) => {
    const store = await openSharedStore(join(folder, "store"), { create: true });
    const { address, path } = await smallFile(folder);
    await store.put(address, path);
    await store.writeNeeds({ run: "demo", addresses: [address] });
    for (const name of ["loop", join("runs", "loop")]) await symlink("loop", join(store.place, name));
    const { artifacts, needs } = await readOverview(store);
    assert.equal([artifacts.map((kept) => kept.address), needs.map(({ run }) => run)], [[address], ["demo"]]);
  }));

test("what killed processes of any machine left of putting goes with prune, by its own age", () =>
  inFolder(async (folder) => {
    const store = await openSharedStore(join(folder, "store"), { create: true });
    const left = join(store.place, "unfinished", ".artifact.other.host.12.00aa11bb.tmp");
    await writeFile(left, "half");
    await utimes(left, 1, 1);
    await writeFile(join(store.place, "unfinished", "mine"), "mine");
    assert.is((await pruneStore(store, { olderThan: 60_000 })).unfinished, 0);
    await wait(20);
    assert.is((await pruneStore(store, { olderThan: 0, dryRun: true })).unfinished, 1);
    assert.is((await pruneStore(store, { olderThan: 0 })).unfinished, 1);
    assert.equal(await readdir(join(store.place, "unfinished")), ["mine"]);
  }));

test("a full disk is input-output when putting and when getting, and nothing is left", () =>
  inFolder(async (folder) => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], { stdio: "pipe" });
    } catch {
      return console.log("    a small file system needs the right to mount");
    }
    try {
      const [full, whole] = [
        await openSharedStore(join(disk, "store"), { create: true }),
        await openSharedStore(join(folder, "store"), { create: true }),
      ];
      const { address, path } = await largeFile(folder, 2);
      await whole.put(address, path);
      for (const work of [() => full.put(address, path), () => whole.get(address, join(disk, "got"))]) {
        const error = await errorOf(work);
        assert.instance(error, InputOutputError);
        assert.match(error.message, /the disk is full; free some space/);
      }
      assert.not(await full.has(address));
      assert.equal([await readdir(disk), await readdir(join(disk, "store", "unfinished"))], [["store"], []]);
    } finally {
      execFileSync("umount", [disk]);
    }
  }));

test("where nothing may be written, the store is read by the clock of this machine", () =>
  inFolder(async (folder) => {
    const store = await openSharedStore(join(folder, "store"), { create: true });
    await rm(join(store.place, "unfinished"), { recursive: true });
    await chmod(store.place, 0o555);
    assert.ok(Math.abs((await store.now()).getTime() - Date.now()) < 5000);
    await chmod(store.place, 0o755);
  }));

test.run();
