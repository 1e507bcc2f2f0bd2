import { spawnSync } from "node:child_process";
import { readdir, readFile, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { DeniedError, InputOutputError, TryAgainError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withLock } from "../src/storage/lock/lock.ts";
import type { LockFile } from "../src/storage/lock/lock.ts";
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

test("a link has the lock of the path that it leads to, also before that exists", () =>
  inFolder(async (folder) => {
    const [target, link] = [join(folder, "run"), join(folder, "link")];
    await symlink("second", link);
    await symlink(target, join(folder, "second"));
    await withLock(target, async () => {
      assert.instance(await errorOf(() => withLock(link, async () => {})), TryAgainError);
    });
    await withLock(link, async () => {
      assert.instance(await errorOf(() => withLock(target, async () => {})), TryAgainError);
    });
    await symlink("round", join(folder, "round"));
    const error = await errorOf(() => withLock(join(folder, "round"), async () => {}));
    assert.instance(error, InputOutputError);
    assert.match(error.message, /cannot find .*round: its links form a loop; correct or remove them$/);
  }));

test("of many at once, one wins", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    let [inside, refused] = [0, 0];
    let end: (() => void) | undefined;
    const allHaveTried = new Promise<void>((resolve) => (end = resolve));
    const endWhenAllHaveTried = (): void => {
      if (inside + refused === 4) end?.();
    };
    const work = async (): Promise<void> => {
      inside++;
      endWhenAllHaveTried();
      await allHaveTried;
    };
    const tries = Array.from({ length: 4 }, () =>
      withLock(path, work).catch((error: unknown) => {
        assert.instance(error, TryAgainError);
        refused++;
        endWhenAllHaveTried();
      }),
    );
    await Promise.all(tries);
    assert.equal([inside, refused], [1, 3]);
  }));

test("another process holds it, even with a blocked event loop; once killed, its lock is taken over", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    const child = await startChild("lock-child.ts", [path]);
    try {
      const error = await errorOf(() => withLock(path, async () => {}));
      assert.instance(error, TryAgainError);
      assert.match(error.message, new RegExp(`process ${child.pid};`));
    } finally {
      await kill(child);
    }
    assert.is(await withLock(path, async () => "mine"), "mine");
  }));

/** A file system without locks. */
const without: LockFile = async () => "none";

const record = (path: string, holder: object): Promise<void> => writeFile(`${path}.lock`, JSON.stringify(holder));

const bootId = (): Promise<string> => readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim());

test("a lock whose holder has ended is free, whatever process has its number now, and after a restart", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    const other = await startChild("lock-child.ts", [join(folder, "other")]);
    const stale = { started: "2026-01-01T00:00:00.000Z", host: hostname(), namespace: "pid:[1]" };
    try {
      for (const holder of [
        { ...stale, process: other.pid, boot: await bootId().catch(() => "") },
        { ...stale, process: process.pid, boot: await bootId().catch(() => "") },
        { ...stale, process: other.pid, boot: "that of an earlier start" },
        { process: other.pid, host: hostname() },
      ]) {
        await record(path, holder);
        assert.is(await withLock(path, async () => 1), 1, JSON.stringify(holder));
      }
    } finally {
      await kill(other);
    }
    for (const text of ["", "\0".repeat(64)]) {
      await writeFile(`${path}.lock`, text);
      assert.is(await withLock(path, async () => 2), 2, "the machine ended while the record was written");
    }
    assert.equal(await readdir(folder), ["other.lock"]);
  }));

test("a holder on another machine is never taken for dead: only the user can say so, and the message says how", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    await record(path, { process: process.pid, started: "", host: `not-${hostname()}`, boot: "another", namespace: "" });
    const error = await errorOf(() => withLock(path, async () => {}));
    assert.instance(error, TryAgainError);
    const [, remedy] =
      /in use by process \d+ on not-.*; if it has ended, .* delete (.*run\.lock) and try again$/.exec(error.message) ?? [];
    assert.ok(remedy);
    assert.is(remedy, `${await realpath(folder)}/run.lock`);
    await rm(remedy);
    assert.is(await withLock(path, async () => 3), 3);
  }));

test("the record names process, start, machine and PID namespace", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    const text = await withLock(path, () => readFile(`${path}.lock`, "utf8"));
    const { started, boot, namespace, ...rest } = JSON.parse(text) as Record<string, string>;
    assert.equal(rest, { process: process.pid, host: hostname() });
    assert.ok(started !== undefined && namespace !== undefined);
    const seconds = (Date.now() - Date.parse(started)) / 1000;
    assert.ok(Math.abs(seconds - process.uptime()) < 30, `${started} is no start of this process`);
    if (process.platform !== "linux") return;
    assert.is(boot, await bootId());
    assert.match(namespace, /^pid:\[\d+\]$/);
  }));

test("processes of two PID namespaces under one host name exclude each other", async () => {
  const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child"];
  const may = spawnSync("unshare", [...namespace, "true"], { encoding: "utf8" });
  if (may.status !== 0)
    return console.log(`    a PID namespace cannot be made here (${may.error?.message ?? may.stderr.trim()})`);
  await inFolder(async (folder) => {
    const path = join(folder, "run");
    const child = await startChild("lock-child.ts", [path], { before: ["unshare", ...namespace] });
    try {
      const holder = JSON.parse(await readFile(`${path}.lock`, "utf8")) as Record<string, unknown>;
      assert.is(holder["host"], hostname());
      const error = await errorOf(() => withLock(path, async () => {}));
      assert.instance(error, TryAgainError);
      assert.match(error.message, new RegExp(`process ${String(holder["process"])} in another container; try again when`));
    } finally {
      await kill(child);
    }
    // unshare is gone a moment before what it has started
    const free = async (): Promise<unknown> => {
      const refused = await withLock(path, async () => {}).catch((error: unknown) => error);
      return refused instanceof TryAgainError ? wait(50).then(free) : refused;
    };
    assert.is(await free(), undefined);
    await withLock(path, async () => {
      const second = startChild("lock-child.ts", [path], { before: ["unshare", ...namespace], stderr: "ignore" });
      assert.match((await errorOf(() => second)).message, /lock-child\.ts ended with [1-9]/);
    });
    assert.equal(await readdir(folder), []);
  });
});

test("where the kernel has no locks, one process makes the file and all others are refused, with what to do", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    await withLock(
      path,
      async () => {
        const error = await errorOf(() => withLock(path, async () => {}, without));
        assert.instance(error, TryAgainError);
        assert.match(error.message, /if it has ended, which cannot be seen from here, delete .*run\.lock and try again$/);
      },
      without,
    );
    assert.equal(await readdir(folder), []);
    await writeFile(`${path}.lock`, "");
    assert.instance(await errorOf(() => withLock(path, async () => {}, without)), TryAgainError);
  }));

test("a file of somebody else with the lock's name is neither changed nor removed", () =>
  inFolder(async (folder) => {
    const path = join(folder, "yarn");
    const denied = async (): Promise<void> => {
      const error = await errorOf(() => withLock(path, async () => {}));
      assert.instance(error, DeniedError);
      assert.match(error.message, /yarn\.lock is not a lock file of a run; move it away, or choose another output$/);
    };
    for (const text of ["# yarn lockfile v1\n", "5", "[]", '{"version": 1}']) {
      await writeFile(`${path}.lock`, text);
      await denied();
      assert.is(await readFile(`${path}.lock`, "utf8"), text);
    }
    await rename(`${path}.lock`, join(folder, "mine"));
    await symlink("mine", `${path}.lock`);
    await denied();
    assert.is(await readFile(join(folder, "mine"), "utf8"), '{"version": 1}');
    await rm(`${path}.lock`);
    assert.is(await withLock(path, async () => 4), 4);
  }));

test("a lock file that was removed and made again by another is not removed with ours", () =>
  inFolder(async (folder) => {
    const path = join(folder, "run");
    await withLock(path, async () => {
      await rm(`${path}.lock`);
      await writeFile(`${path}.lock`, "theirs");
    });
    assert.is(await readFile(`${path}.lock`, "utf8"), "theirs");
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
