import { spawnSync } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeTemporaryFolder, removeTemporaryFolders } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inFolder } from "./temporary-folder.ts";

const test = suite("temporary folders");

test("one that a killed process left goes when the next is made; those in use stay", () =>
  inFolder(async (folder) => {
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    try {
      const used = await makeTemporaryFolder();
      const { pid: dead } = spawnSync(process.execPath, ["--version"]);
      const left = basename(used).replace(`.${process.pid}.`, `.${dead}.`);
      await mkdir(join(folder, left, "full"), { recursive: true });
      const next = await makeTemporaryFolder();
      assert.equal((await readdir(folder)).toSorted(), [basename(used), basename(next)].toSorted());
      await rm(next, { recursive: true });
      await mkdir(join(folder, left));
      await removeTemporaryFolders();
      assert.equal(await readdir(folder), [basename(used)]);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  }));

test("a temporary folder that is not there holds nothing, and none can be made in it", async () => {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = "/no/such/folder";
  try {
    await removeTemporaryFolders();
    const error = await makeTemporaryFolder().catch((cause: unknown) => cause);
    assert.match(String(error), /cannot make \/no\/such\/folder.*: no such file or folder; check the path/);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});

test.run();
