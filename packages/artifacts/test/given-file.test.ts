import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFirstLine, readGiven, warnIfOpen } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";

interface Context {
  folder: string;
  path: string;
}

const test = suite<Context>("given file");

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "given-file-"));
  context.path = join(context.folder, "mine");
  await writeFile(context.path, "first\r\nsecond\n", { mode: 0o600 });
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

/** The message of what the work throws. */
async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "nothing was thrown",
    (error: Error) => error.message,
  );
}

test("a file is read whole, or to its first line", async ({ path }) => {
  const warnings: string[] = [];
  assert.is((await readGiven(path, "--flag")).toString(), "first\r\nsecond\n");
  assert.is(await readFirstLine(path, "--flag", "the password", (line) => void warnings.push(line)), "first");
  assert.equal(warnings, []);
});

test("a missing file and an empty first line are named, with the flag or what belongs there", async ({ folder, path }) => {
  assert.match(await messageOf(readGiven(join(folder, "none"), "--flag")), /^cannot read \(--flag\) .*none: no such file/);
  await writeFile(path, "\nsecond");
  assert.is(
    await messageOf(readFirstLine(path, "--flag", "the password", () => undefined)),
    `${path} begins with an empty line; its first line is the password`,
  );
});

test("a file that all users can read is warned of, one for a group is not, nor one that is missing", async ({ folder, path }) => {
  const warnings: string[] = [];
  const warn = (line: string): void => void warnings.push(line);
  await chmod(path, 0o640);
  await warnIfOpen(path, warn);
  await warnIfOpen(join(folder, "none"), warn);
  assert.equal(warnings, []);
  await chmod(path, 0o644);
  await warnIfOpen(path, warn);
  assert.equal(warnings, [`${path} can be read by other users of this machine; take their right to read it: chmod 600 ${path}`]);
});

test.run();
