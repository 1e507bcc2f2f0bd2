import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { MbsError } from "@mbs/contracts";
import { stageCommand, toMbsError } from "@mbs/host-cli";
import { runProgram } from "./fixtures/run-program.ts";
import { stages } from "./fixtures/stages.ts";

const command = suite<{ folder: string; segments: Buffer }>("stage command");

command.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-cli-"));
  context.segments = (await runProgram(["make"])).stdout;
});
command.after(({ folder }) => rm(folder, { recursive: true }));

/** One line on standard error, without a stack. */
function assertLine(stderr: string, pattern: RegExp): void {
  assert.match(stderr, pattern);
  assert.is(stderr.split("\n").length, 2, `more than one line: ${stderr}`);
}

command("a pipe and files carry the same bytes", async ({ folder, segments }) => {
  const piped = await runProgram(["pass"], segments);
  assert.is(piped.code, 0);
  assert.is(piped.stderr, "");
  assert.equal(piped.stdout, segments);
  const [from, to] = [join(folder, "from.arrow"), join(folder, "to.arrow")];
  await writeFile(from, segments);
  assert.is((await runProgram(["pass", "--segments", from, "--output", to])).code, 0);
  assert.equal(await readFile(to), segments);
  assert.equal((await runProgram(["pass", "-"], segments)).stdout, segments);
});

command("further inputs are named and may be repeated", async ({ folder, segments }) => {
  const path = join(folder, "more.arrow");
  await writeFile(path, segments);
  const { stdout, code } = await runProgram(["pass", "--more", path, "--more", path], segments);
  assert.is(code, 0);
  assert.ok(stdout.length > segments.length);
});

command("files are unpacked into a folder, whole or not at all", async ({ folder, segments }) => {
  const out = join(folder, "out");
  assert.is((await runProgram(["pack", "--output", out], segments)).code, 0);
  assert.equal((await readdir(join(out, "segments"))).sort(), ["0.txt", "1.txt", "2.txt", "3.txt"]);
  const occupied = await runProgram(["pack", "--output", out], segments);
  assert.is(occupied.code, 77);
  assertLine(occupied.stderr, /^fake pack: .*--force/);
  assert.is((await runProgram(["pack", "--output", out, "--force"], segments)).code, 0);
  // before the input, which is empty here, is read
  await writeFile(join(out, "thesis.md"), "mine");
  const foreign = await runProgram(["pack", "--output", out, "--force"], Buffer.alloc(0));
  assert.is(foreign.code, 77);
  assertLine(foreign.stderr, /^fake pack: .*out also holds thesis\.md, which is none of the files to be written; remove it/);
  const cut = await runProgram(["pack", "--output", join(folder, "cut")], segments.subarray(0, segments.length - 40));
  assert.is(cut.code, 65);
  assert.not(await stat(join(folder, "cut")).catch(() => false));
});

command("a stage with results prints JSON, beside its file too", async ({ folder }) => {
  const expected = { results: [{ language: "en", nll: 2 }] };
  assert.equal(JSON.parse((await runProgram(["score", "--json"])).stdout.toString()), expected);
  const path = join(folder, "scores.arrow");
  const both = await runProgram(["score", "--json", "--output", path]);
  assert.equal(JSON.parse(both.stdout.toString()), expected);
  assert.equal(await readFile(path), (await runProgram(["score"])).stdout);
});

command("a stage with results prints its table beside its file, unless --quiet is given", async ({ folder }) => {
  const path = join(folder, "shown.arrow");
  assert.is((await runProgram(["score", "--output", path])).stdout.toString(), "a table\n");
  assert.equal(await readFile(path), (await runProgram(["score"])).stdout);
  assert.is((await runProgram(["score", "--output", path, "--force", "--quiet"])).stdout.toString(), "");
});

/** What a command line throws before anything runs. */
async function refusal(args: readonly string[]): Promise<MbsError> {
  const [name, ...argv] = args;
  const stage = stages.find((each) => each.name === name);
  assert.ok(stage);
  try {
    const built = await stageCommand(stage, { program: "fake", presenters: {} }, argv, new AbortController().signal);
    await built.parseAsync(argv, { from: "user" });
  } catch (error) {
    return toMbsError(error);
  }
  throw new Error(`nothing was refused: ${args.join(" ")}`);
}

command("usage errors are reported before anything runs", async () => {
  const cases: [string[], RegExp][] = [
    [["pass", "--json"], /unknown option '--json'/],
    [["make", "--segmnts", "3"], /unknown option '--segmnts'\s+\(Did you mean --segments/],
    [["make", "--segments", "none"], /--segments takes a whole number, not "none"/],
    [["make", "--segments", "0"], /--segments must be at least 1/],
    [["make", "--style", "odd"], /--style takes one of plain, loud, clashing/],
    [["make", "--volume", "3"], /unknown option '--volume'; more options depend on --style: fake make --style STYLE --help$/],
    [
      ["make", "--style", "clashing"],
      /^--style "clashing" declares an option --output, which is the command's own; rename it there$/,
    ],
    [["make", "--threads", "0"], /--threads must be at least 1/],
    [["make", "surplus"], /too many arguments/],
    [["pack"], /--output FOLDER is required/],
    [["pass", "some.arrow"], /unexpected argument some.arrow; name a file with --segments some.arrow/],
    [["make", "--output", ""], /^--output takes a path, not ""$/],
    [["pass", "--segments", ""], /^--segments takes a path, not ""$/],
    [["pass", "--more", "-"], /standard input can be read once/],
  ];
  for (const [args, pattern] of cases) {
    const { tag, message } = await refusal(args);
    assert.is(tag, "usage", args.join(" "));
    assert.match(message, pattern);
  }
});

command("a usage error exits with 2 and one line", async () => {
  const { code, stderr, stdout } = await runProgram(["make", "--segments", "none"]);
  assert.is(code, 2);
  assertLine(stderr, /^fake make: --segments takes a whole number/);
  assert.is(stdout.length, 0);
});

command("options may depend on options, in help too", async () => {
  assert.is((await runProgram(["make", "--style", "loud", "--volume", "3"])).code, 0);
  const { stdout } = await runProgram(["make", "--style", "loud", "--help"]);
  const help = stdout.toString().replaceAll(/\s+/g, " ");
  assert.match(help, "--volume <NUMBER> how loud (above 0, at most 10; default 1)");
  assert.match(help, "--segments <NUMBER> how many (1 to 1000000000; default 4)");
  assert.match(help, "--no-quietly do not keep quiet");
  assert.not.match(help, "--quietly keep quiet", "the one that changes nothing");
  assert.match(help, "--shrill in high notes; absent: above 5 --no-shrill the opposite of --shrill");
  assert.match(help, "Examples: fake make > segments.arrow");
});

command("a missing file, an existing file and a read-only folder", async ({ folder, segments }) => {
  const missing = await runProgram(["pass", "--segments", join(folder, "none.arrow")]);
  assert.is(missing.code, 74);
  assertLine(missing.stderr, /none\.arrow/);
  const path = join(folder, "taken.arrow");
  await writeFile(path, "mine");
  const taken = await runProgram(["make", "--output", path]);
  assert.is(taken.code, 77);
  assertLine(taken.stderr, /exists.*--force/);
  assert.is(await readFile(path, "utf8"), "mine");
  assert.is((await runProgram(["make", "--output", path, "--force"])).code, 0);
  assert.equal(await readFile(path), segments);
  // The kernel's own folder refuses files of anybody, the superuser too.
  const readOnly = await runProgram(["make", "--output", "/proc/segments.arrow"]);
  assert.ok(readOnly.code === 77 || readOnly.code === 74, readOnly.stderr);
});

command("the wrong kind of artifact is named", async () => {
  const scores = await runProgram(["score"]);
  const { code, stderr } = await runProgram(["pass"], scores.stdout);
  assert.is(code, 65);
  assertLine(stderr, /segments takes segments, but standard input holds scores/);
});

command("an unexpected error is one line and 70; --debug shows the stack", async ({ segments }) => {
  const { code, stderr } = await runProgram(["pass", "--fail-after", "1"], segments);
  assert.is(code, 70);
  assertLine(stderr, /^fake pass: unexpected: secret detail/);
  const debug = await runProgram(["pass", "--fail-after", "1", "--debug"], segments);
  assert.is(debug.code, 70);
  assert.match(debug.stderr, /TypeError: secret detail.*\n\s+at /);
});

command("warnings are shown unless --quiet", async () => {
  assert.is((await runProgram(["make", "--warn"])).stderr, "fake make: warning: something to know\n");
  assert.is((await runProgram(["make", "--warn", "--quiet"])).stderr, "");
});

command.run();
