import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFolder } from "../src/run/run-folder.ts";
import { readRevisions, recordRevisions } from "../src/run/run-revisions.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-revisions-"));
const folder = runFolder(root);
await mkdir(folder.work);
test.after(() => rm(root, { recursive: true }));

test("what is recorded is read again, and nothing where nothing is", async () => {
  await recordRevisions(folder, {});
  assert.equal(await readRevisions(folder), {});
  const revisions = { "datasets/org/texts@main": "0123456789abcdef0123456789abcdef01234567" };
  await recordRevisions(folder, revisions);
  assert.equal(await readRevisions(folder), revisions);
});

for (const content of ["", "{", "[]", '{"datasets/org/texts@main": "main"}', '{"datasets/org/texts@main": 1}']) {
  test(`a record ${JSON.stringify(content)} is refused with its remedy`, async () => {
    await writeFile(folder.revisions, content);
    try {
      await readRevisions(folder);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match((error as Error).message, "revisions.json is damaged, or was not written by a run; move it away");
    }
  });
}

test.run();
