import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { ArtifactStore, contentAddress, isStoreName, openArtifact } from "@mbs/artifacts";
import { openSharedStore, pruneStore, verifyArtifact } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { largeFile, smallFile } from "./artifact-files.ts";
import { startS3 } from "./s3-place.ts";

const test = suite("workers that are killed");

const command = await buildProgram(new URL("worker-child.ts", import.meta.url));

/** How much each of two workers has done when they are killed, in the middle of what comes next. */
const kills = [1, 2, 3, 4, 7, 10];

/** Starts a worker, and waits until it has put, got or removed so many times. @returns what kills it */
async function startWorker(args: readonly string[], doings: number): Promise<() => Promise<void>> {
  const [program, ...words] = command;
  const child = spawn(program, [...words, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    let done = 0;
    child.stdout.on("data", (dots: Buffer) => {
      done += dots.length;
      if (done >= doings) resolve();
    });
    void ended.then(([code]) => reject(new Error(`a worker ended with ${String(code)}`)));
  });
  return async () => {
    child.kill("SIGKILL");
    const [, signal] = (await ended) as [number | null, string | null];
    assert.is(signal, "SIGKILL", "a worker ended by itself");
  };
}

/** Kills workers on one store at many times; what is at a name in the store, or at a path that one gets, is always whole. */
async function killWorkers(store: SharedStore, folder: string): Promise<void> {
  const [files, got] = [join(folder, "files"), join(folder, "got")];
  for (const path of [files, got]) await mkdir(path);
  for (const { address, path } of [await smallFile(folder), await largeFile(folder, 9)]) {
    await rename(path, join(files, `${address}.arrow`));
  }
  let found = 0;
  for (const doings of kills) {
    const killers = await Promise.all([1, 2].map(() => startWorker([store.place, files, got], doings)));
    for (const kill of killers) await kill();
    for await (const { address } of store.list()) {
      await verifyArtifact(store, address);
      found += 1;
    }
    const names = await readdir(got);
    for (const name of names) assert.ok(isStoreName(name), `${name} is left in the folder of an ArtifactStore`);
    for (const name of names.filter((file) => !file.startsWith("."))) {
      assert.is(`${(await contentAddress(await openArtifact(join(got, name)))).address}.arrow`, name);
      found += 1;
    }
  }
  assert.ok(found > kills.length, `${found} artifacts were seen`);
  await wait(1100); // the times of some stores are whole seconds
  await pruneStore(store, { olderThan: 0 });
  await new ArtifactStore(got).removeLeftovers();
  for (const name of await readdir(files)) {
    await store.put(name.slice(0, 64), join(files, name));
    await store.get(name.slice(0, 64), join(got, name));
  }
  assert.equal((await readdir(got)).toSorted(), (await readdir(files)).toSorted());
}

async function inFolder(parent: string, fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(parent, "killed-workers-"));
  try {
    await fn(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("leave only whole artifacts in a folder on another file system", () =>
  inFolder(tmpdir(), (folder) =>
    inFolder(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), async (place) => {
      const store = await openSharedStore(join(place, "store"), { create: true });
      await killWorkers(store, folder);
      assert.equal(await readdir(join(store.place, "unfinished")), []);
    }),
  ));

test("leave only whole artifacts in S3", () =>
  inFolder(tmpdir(), async (folder) => {
    const s3 = await startS3();
    const store = await s3.open();
    try {
      await killWorkers(store, folder);
      assert.is(await store.removeUnfinished(new Date(Date.now() + 60_000)), 0);
    } finally {
      await store.close();
      await s3.end();
    }
  }));

test.run();
