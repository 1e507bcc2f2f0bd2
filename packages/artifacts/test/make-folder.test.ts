import { mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MbsError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../src/index.ts";

const test = suite<{ folder: string }>("folders that are made");

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "make-folder-"));
  await writeFile(join(context.folder, "file"), "");
  await symlink(join(context.folder, "nothing"), join(context.folder, "link"));
});
test.after(({ folder }) => rm(folder, { recursive: true }));

const fault = (path: string): Promise<MbsError | undefined> =>
  makeFolder(path, "make --store").then(
    () => undefined,
    (error: unknown) => error as MbsError,
  );

test("a folder and those above it are made, also by several at the same time", async ({ folder }) => {
  const path = join(folder, "a", "b", "c");
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(folder, "a", "d"))]);
  await makeFolder(path);
  for (const made of [path, join(folder, "a", "d")]) assert.ok((await stat(made)).isDirectory());
});

test("a file or a link to nothing in its place or above it is named", async ({ folder }) => {
  for (const [path, inTheWay] of [
    ["file", "file"],
    ["link", "link"],
    ["file/store", "file"],
  ] as const) {
    const error = await fault(join(folder, path));
    assert.is(error?.tag, "denied", path);
    assert.is(error?.message, `cannot make --store ${join(folder, inTheWay)}: a file is there; choose another path`);
  }
});

test("a file system without a place for folders is an error, not a wait without end", async () => {
  if (process.platform !== "linux") return;
  const error = await fault("/proc/mbs/store");
  assert.match(error?.message ?? "", /^cannot make --store \/proc\/mbs: /);
});

test.run();
