import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { boundedGlob } from "../src/files/bounded-glob.ts";
import { withFolder } from "./temporary-folder.ts";

/** Ten folders with two texts each, and a link that leads back to their parent. */
const withTree = (check: (folder: string) => Promise<void>): Promise<void> =>
  withFolder({}, async (folder) => {
    for (let index = 0; index < 10; index += 1) {
      await mkdir(join(folder, `${index}`));
      for (const name of ["a.txt", "b.txt"]) await writeFile(join(folder, `${index}`, name), "text");
    }
    await check(folder);
  });

async function refusal(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, BadDataError);
    return (error as Error).message;
  }
  return "accepted";
}

test("what is within the bounds is found, sorted", () =>
  withTree(async (folder) => {
    const found = await boundedGlob("**/a.txt", folder, "here", { folders: 11, entries: 30 });
    assert.equal(
      found,
      Array.from({ length: 10 }, (_, index) => join(folder, `${index}`, "a.txt")),
    );
  }));

test("a search over more folders or files is refused with the pattern and the remedy", () =>
  withTree(async (folder) => {
    for (const bounds of [
      { folders: 10, entries: 1000 },
      { folders: 1000, entries: 29 },
    ]) {
      const message = await refusal(() => boundedGlob("**/*.txt", folder, "m.yaml: language en", bounds));
      assert.match(message, /^m\.yaml: language en: "\*\*\/\*\.txt" searches more than .*; let it begin with the folder/);
    }
  }));

test("a link that leads back ends", () =>
  withTree(async (folder) => {
    await symlink(folder, join(folder, "0", "back"));
    const found = await boundedGlob("**/a.txt", folder, "here");
    assert.ok(found.includes(join(folder, "9", "a.txt")));
  }));

test.run();
