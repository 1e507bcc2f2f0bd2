import { execFileSync } from "node:child_process";
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

test("more than a small file holds is refused, and a pipe where it is read again later, which is not waited for", async (context) => {
  const { folder, path } = context;
  if (process.platform !== "win32") {
    assert.match(await messageOf(readGiven("/dev/zero", "--flag")), /^\/dev\/zero \(--flag\) has more than 4 MiB; /);
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    assert.is(
      await messageOf(readGiven(pipe, "--flag", true)),
      `${pipe} (--flag) is no file, and it is read again later; give a file`,
    );
    // written to, it is read once
    const [read] = await Promise.all([readGiven(pipe, "--flag"), writeFile(pipe, "first")]);
    assert.is(read.toString(), "first");
  }
  assert.match(await messageOf(readGiven(folder, "--flag", true)), /is no file, and it is read again later/);
  assert.is((await readGiven(path, "--flag", true)).toString(), "first\r\nsecond\n");
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
  await chmod(path, 0o622);
  await warnIfOpen(path, warn);
  await chmod(path, 0o606);
  await warnIfOpen(path, warn);
  assert.equal(
    warnings,
    [
      ["read", "read"],
      ["changed", "change"],
      ["read and changed", "read and change"],
    ].map(
      ([can, right]) =>
        `${path} can be ${can} by other users of this machine; take their right to ${right} it: chmod 600 ${path}`,
    ),
  );
});

test.run();
