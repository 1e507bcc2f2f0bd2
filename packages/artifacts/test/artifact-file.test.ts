import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, lstat, mkdir, open, readFile, readdir, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { collect, contentAddress, openArtifact, readSegments, writeArtifact, writeAtomically } from "@mbs/artifacts";
import { BadDataError, DeniedError, InputOutputError, InterruptedError, type ArtifactStream } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeArtifact as writeWith } from "../src/storage/artifact-file.ts";
import type { OpenNew } from "../src/storage/atomic-file.ts";
import { systemError } from "../src/storage/system-error.ts";
import { kill, startChild } from "./child.ts";
import { errorOf, samples, segments } from "./samples.ts";
import { inFolder } from "./temporary-folder.ts";

const test = suite("artifact file");

const sample = () => samples.segments.encode();

test("what was written is read, and nothing else is left", () =>
  inFolder(async (folder) => {
    const path = join(folder, "segments.arrow");
    const receipt = await writeArtifact(sample(), path);
    assert.is(receipt.address, (await contentAddress(sample())).address);
    assert.equal(await collect(readSegments(await openArtifact(path))), segments);
    assert.equal(await readdir(folder), ["segments.arrow"]);
  }));

test("an occupied path is denied before anything is read, and replaced with force", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    await writeFile(path, "mine");
    const unread: ArtifactStream = {
      schema: sample().schema,
      // oxlint-disable-next-line require-yield
      batches: (async function* () {
        throw new Error("read");
      })(),
    };
    assert.instance(await errorOf(() => writeArtifact(unread, path)), DeniedError);
    assert.is(await readFile(path, "utf8"), "mine");
    await writeArtifact(sample(), path, { force: true });
    assert.is((await collect(readSegments(await openArtifact(path)))).length, 2);
  }));

test("a path that is taken while it is written is denied and kept", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    const { schema, batches } = sample();
    async function* slow() {
      await writeFile(path, "theirs");
      yield* batches;
    }
    assert.instance(await errorOf(() => writeArtifact({ schema, batches: slow() }, path)), DeniedError);
    assert.is(await readFile(path, "utf8"), "theirs");
    assert.equal(await readdir(folder), ["a.arrow"]);
  }));

/** Files whose write number `turn`, sync or close fails as the system would. */
const failing =
  (turn: number, code: string): OpenNew =>
  async (path) => {
    const file = await open(path, "wx");
    let calls = 0;
    const counted = () => {
      if (calls++ === turn) throw Object.assign(new Error(code), { code, syscall: "write" });
    };
    return {
      async write(...parameters: [Uint8Array]) {
        counted();
        return file.write(...parameters);
      },
      async sync() {
        counted();
        await file.sync();
      },
      close: () => file.close(),
    } as Awaited<ReturnType<OpenNew>>;
  };

test("a full disk at any call is input-output, the temporary file goes and what was there stays", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    const { address } = await writeArtifact(sample(), path);
    for (let turn = 0; turn < 5; turn++) {
      const error = await errorOf(() => writeWith(samples.scores.encode(), path, { force: true }, failing(turn, "ENOSPC")));
      assert.instance(error, InputOutputError, `call ${turn}`);
      assert.match(error.message, /a\.arrow: the disk is full; free some space/);
      assert.equal(await readdir(folder), ["a.arrow"]);
      assert.is((await contentAddress(await openArtifact(path))).address, address);
    }
    await writeWith(samples.scores.encode(), path, { force: true }, failing(5, "ENOSPC"));
    assert.is((await openArtifact(path)).schema.kind, "scores");
  }));

test("an error or an abort of the source leaves nothing", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    const { schema, batches } = sample();
    const stop = new AbortController();
    async function* breaking(cause?: Error) {
      yield* batches;
      if (cause) throw cause;
      stop.abort();
      yield { rows: 0, columns: {} };
    }
    const broken = new BadDataError("broken");
    assert.is(await errorOf(() => writeArtifact({ schema, batches: breaking(broken) }, path)), broken);
    const aborted = await errorOf(() => writeArtifact({ schema, batches: breaking() }, path, { signal: stop.signal }));
    assert.instance(aborted, InterruptedError);
    const late = AbortSignal.timeout(0);
    // The timer of a signal does not keep the process alive, so waiting for its event alone could end the test program.
    while (!late.aborted) await wait(1);
    assert.instance(await errorOf(() => writeArtifact(sample(), path, { signal: late })), InterruptedError);
    assert.equal(await readdir(folder), []);
  }));

test("a device, a FIFO, a socket or a link to one is never replaced, with force or without", () =>
  inFolder(async (folder) => {
    const paths: [string, string][] = [["fifo", "a FIFO"]];
    execFileSync("mkfifo", [join(folder, "fifo")]);
    const server = createServer().listen(join(folder, "socket"));
    await once(server, "listening");
    paths.push(["socket", "a socket"]);
    await symlink("fifo", join(folder, "link"));
    paths.push(["link", "a FIFO"]);
    await symlink("/proc/self/fd/1", join(folder, "stdout"));
    paths.push(["stdout", "another name of an open file"]);
    if (spawnSync("mknod", [join(folder, "null"), "c", "1", "3"]).status === 0) paths.push(["null", "a device"]);
    else console.log("    a device node cannot be made here");
    const before = await readdir(folder);
    for (const [name, what] of paths) {
      const path = join(folder, name);
      const { ino } = await lstat(path);
      for (const force of [true, false]) {
        const writes = [
          () => writeArtifact(sample(), path, { force }),
          () => writeAtomically(path, [Buffer.from("new")], { force }),
        ];
        for (const write of writes) {
          const error = await errorOf(write);
          assert.instance(error, DeniedError, name);
          assert.is(
            error.message,
            `${path} is ${what}, which is never replaced; name a file, or let the shell write there: > ${path}`,
          );
        }
      }
      assert.is((await lstat(path)).ino, ino, name);
    }
    assert.equal(await readdir(folder), before);
    server.close();
  }));

test("a FIFO that comes to the path while it is written stays", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    const { schema, batches } = sample();
    async function* slow() {
      execFileSync("mkfifo", [path]);
      yield* batches;
    }
    assert.instance(await errorOf(() => writeArtifact({ schema, batches: slow() }, path, { force: true })), DeniedError);
    assert.ok((await lstat(path)).isFIFO());
    assert.equal(await readdir(folder), ["a.arrow"]);
  }));

test("a path that is too long is reported as such, read or written", () =>
  inFolder(async (folder) => {
    const long = join(folder, "x".repeat(300));
    for (const work of [() => writeArtifact(sample(), long), () => openArtifact(long)]) {
      const error = await errorOf(work);
      assert.instance(error, InputOutputError);
      assert.match(error.message, /^cannot \w+ .*: the path is too long; choose a shorter one$/);
    }
  }));

test("a missing folder, a missing file and a read-only folder have their errors", () =>
  inFolder(async (folder) => {
    const missing = join(folder, "no", "a.arrow");
    assert.instance(await errorOf(() => writeArtifact(sample(), missing)), InputOutputError);
    assert.match((await errorOf(() => openArtifact(missing))).message, /cannot read .*a\.arrow: no such file/);
    const locked = join(folder, "locked");
    await mkdir(locked);
    await chmod(locked, 0o555);
    // The superuser writes everywhere; for others the system says no.
    if (process.getuid?.() !== 0) assert.instance(await errorOf(() => writeArtifact(sample(), join(locked, "a"))), DeniedError);
    for (const code of ["EACCES", "EROFS", "EPERM"]) {
      assert.instance(systemError(Object.assign(new Error(code), { code }), "write", "a"), DeniedError);
    }
  }));

test("a damaged file is refused by name", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    await writeArtifact(sample(), path);
    await truncate(path, 1500);
    const error = await errorOf(async () => collect((await openArtifact(path)).batches));
    assert.instance(error, BadDataError);
    assert.match(error.message, /a\.arrow: the Arrow stream is cut short/);
  }));

test("a process killed at any moment leaves the old artifact or the new one, and the next clears up", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.arrow");
    await writeArtifact(sample(), path);
    for (const delay of [0, 3, 9, 20, 45]) {
      const child = await startChild("writer-child.ts", [path]);
      await wait(delay);
      await kill(child);
      await collect((await openArtifact(path)).batches);
    }
    await writeArtifact(sample(), path, { force: true });
    assert.equal(await readdir(folder), ["a.arrow"]);
  }));

test.run();
