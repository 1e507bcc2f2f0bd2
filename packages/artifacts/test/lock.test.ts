import { readdir, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { InputOutputError, TryAgainError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withLock } from "@mbs/artifacts";
import { kill, startChild } from "./child.ts";
import { errorOf } from "./samples.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("lock");

test("one holds it, the other is told by whom; then it is free and nothing is left", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    await withLock(path, async () => {
      const error = await errorOf(() => withLock(path, async () => {}));
      assert.instance(error, TryAgainError);
      assert.match(error.message, new RegExp(`in use by process ${process.pid};`));
    });
    assert.is(await withLock(path, async () => 5), 5);
    const cause = new Error("work failed");
    assert.is(
      await errorOf(() =>
        withLock(path, async () => {
          throw cause;
        }),
      ),
      cause,
    );
    assert.equal(await readdir(folder), []);
  }));

test("a link has the lock of the place that it leads to, also before that is there", () =>
  inFolder(async (folder) => {
    const [place, link] = [join(folder, "run"), join(folder, "link")];
    await symlink("second", link);
    await symlink(place, join(folder, "second"));
    await withLock(place, async () => {
      assert.instance(await errorOf(() => withLock(link, async () => {})), TryAgainError);
    });
    await withLock(link, async () => {
      assert.instance(await errorOf(() => withLock(place, async () => {})), TryAgainError);
    });
    await symlink("round", join(folder, "round"));
    const error = await errorOf(() => withLock(join(folder, "round"), async () => {}));
    assert.instance(error, InputOutputError);
    assert.match(error.message, /cannot find .*round: its links lead in a circle; mend or remove them$/);
  }));

test("of many at once, one wins", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    let inside = 0;
    const work = async () => {
      inside++;
      await new Promise((done) => setTimeout(done, 300));
    };
    const tries = await Promise.allSettled(Array.from({ length: 4 }, () => withLock(path, work)));
    assert.is(tries.filter(({ status }) => status === "fulfilled").length, 1);
    assert.is(inside, 1);
  }));

test("another process holds it, even with a blocked event loop; once killed, its lock is taken over", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    const child = await startChild("lock-child.ts", path);
    try {
      const error = await errorOf(() => withLock(path, async () => {}));
      assert.instance(error, TryAgainError);
      assert.match(error.message, new RegExp(`process ${child.pid};`));
    } finally {
      await kill(child);
    }
    assert.is(await withLock(path, async () => "mine"), "mine");
  }));

test("a holder with our number before us is gone, one on another machine is not", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    const holder = (host: string) => writeFile(`${path}.lock`, JSON.stringify({ process: process.pid, host }));
    await holder(hostname());
    assert.is(await withLock(path, async () => 1), 1);
    await holder(`not-${hostname()}`);
    assert.match((await errorOf(() => withLock(path, async () => {}))).message, /on not-.*; if it is gone, remove .*run\.lock/);
    await writeFile(`${path}.lock`, "");
    assert.is(await withLock(path, async () => 2), 2);
  }));

test("where no lock can be made it fails at once", () =>
  inFolder(async (folder) => {
    const started = performance.now();
    const error = await errorOf(() => withLock(join(folder, "absent", "run"), async () => {}));
    assert.instance(error, InputOutputError);
    assert.match(error.message, /cannot lock .*absent.run: no such file or folder; check the path/);
    assert.ok(performance.now() - started < 2000, "it waited");
  }));

test.run();
