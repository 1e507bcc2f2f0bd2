import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ending, runProgram, saying, startProgram } from "./fixtures/run-program.ts";

const pipes = suite<{ folder: string; segments: Buffer }>("pipes and signals");

pipes.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-cli-"));
  context.segments = (await runProgram(["make", "--segments", "300", "--length", "20000"])).stdout;
});
pipes.after(({ folder }) => rm(folder, { recursive: true }));

pipes("faults 27: the reader goes away: quiet, 141", async () => {
  const child = startProgram(["make", "--segments", "2000", "--length", "20000"]);
  const ended = ending(child);
  child.stdout?.once("data", () => child.stdout?.destroy());
  const { code, stderr } = await ended;
  assert.is(code, 141);
  assert.is(stderr, "");
});

pipes("what third-party code warns of on the console is a warning of the command, said once", async () => {
  const { code, stderr } = await runProgram(["make", "--console"]);
  assert.is(code, 0);
  assert.is(stderr, "fake make: warning: IMPORTANT! here is full\nfake make: warning: IMPORTANT! there is full\n");
  assert.is((await runProgram(["make", "--console", "--quiet"])).stderr, "");
});

pipes("faults 28: the writer dies in the middle: 65, nothing at the final path", async ({ folder, segments }) => {
  const path = join(folder, "cut.arrow");
  const child = startProgram(["pass", "--output", path]);
  const ended = ending(child);
  child.stdin?.write(segments.subarray(0, segments.length - 1000));
  child.stdin?.end();
  const { code, stderr } = await ended;
  assert.is(code, 65);
  assert.is(stderr.split("\n").length, 2, stderr);
  assert.equal(await readdir(folder), []);
});

pipes("faults 19: empty standard input: 65", async () => {
  const { code, stderr } = await runProgram(["pass"]);
  assert.is(code, 65);
  assert.match(stderr, /^fake pass: standard input: empty/);
});

pipes("faults 29: SIGINT once cleans up, 130", async ({ folder }) => {
  const path = join(folder, "stopped.arrow");
  const child = startProgram(["make", "--segments", "100000", "--pause", "20", "--warn", "--output", path]);
  const ended = ending(child);
  await saying(child, "something to know");
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  assert.is(code, 130);
  assert.match(stderr, /\nfake make: stopped by SIGINT\n$/);
  assert.equal(await readdir(folder), []);
});

pipes("faults 29: SIGINT while waiting for standard input, 130", async ({ segments }) => {
  const child = startProgram(["pass"]);
  const ended = ending(child);
  child.stdin?.write(segments.subarray(0, segments.length - 1000));
  await new Promise<void>((resolve) => child.stdout?.once("data", () => resolve()));
  child.kill("SIGINT");
  assert.is((await ended).code, 130);
});

pipes("faults 29: SIGINT twice ends at once, 130", async () => {
  // One pause of a minute: the stage itself does not look at its signal.
  const child = startProgram(["make", "--segments", "1", "--pause", "60000", "--warn"]);
  const ended = ending(child);
  await saying(child, "something to know");
  const told = saying(child, "told to stop");
  child.kill("SIGINT");
  await told;
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  assert.is(code, 130);
  assert.match(stderr, /\nfake make: interrupted again, stopping at once; [^\n]*run the command again\n$/);
});

pipes(
  "SIGTERM to a process and its group, as timeout sends it, is one: what was begun is cleaned up, 143",
  async ({ folder }) => {
    const path = join(folder, "ended.arrow");
    // two signals that a process has not seen yet are one, so that both are handed on in the process
    const both = `process.on("SIGUSR2", () => { for (let time = 0; time < 2; time += 1) process.emit("SIGTERM", "SIGTERM"); });`;
    const child = startProgram(["make", "--segments", "100000", "--pause", "20", "--warn", "--output", path], undefined, [
      `--import=data:text/javascript,${encodeURIComponent(both)}`,
    ]);
    const ended = ending(child);
    await saying(child, "something to know");
    child.kill("SIGUSR2");
    const { code, stderr } = await ended;
    assert.is(code, 143);
    assert.match(stderr, /\nfake make: stopped by SIGTERM\n$/);
    assert.equal(await readdir(folder), []);
  },
);

pipes("SIGTERM again, later, ends at once, 143", async () => {
  const child = startProgram(["make", "--segments", "1", "--pause", "60000", "--warn"]);
  const ended = ending(child);
  await saying(child, "something to know");
  child.kill("SIGTERM");
  await delay(500);
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  assert.is(code, 143);
  assert.match(stderr, /\nfake make: interrupted again, stopping at once; [^\n]*run the command again\n$/);
});

pipes("faults 29: SIGINT twice ends what never returns to the event loop, by the signal and with a line", async () => {
  const child = startProgram(["make", "--warn", "--hang"]);
  const ended = ending(child);
  const gone = new Promise<unknown>((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  await saying(child, "something to know");
  child.kill("SIGINT");
  assert.is(await Promise.race([gone, delay(1000, "still there")]), "still there");
  child.kill("SIGINT");
  // after half a second on an idle machine
  const how = await Promise.race([gone, delay(20_000, "still there", { ref: false })]);
  child.kill("SIGKILL");
  assert.is(how, "SIGINT");
  assert.match((await ended).stderr, /\nfake make: interrupted again, stopping at once; [^\n]*run the command again\n$/);
});

pipes("faults 29: SIGINT ends a command that waits for the writer of a named pipe, and leaves nothing", async ({ folder }) => {
  const path = join(folder, "silent");
  execFileSync("mkfifo", [path]);
  const output = join(folder, "waiting");
  await mkdir(output);
  // says so when a stream opens the pipe: a thread waits for its writer then
  const probe = `import fs from "node:fs";
    const { open } = fs;
    fs.open = (path, ...rest) => {
      open(path, ...rest);
      if (path === ${JSON.stringify(path)}) fs.writeSync(2, "opens it\\n");
    };`;
  const child = startProgram(["pass", "--segments", path, "--output", join(output, "never.arrow")], undefined, [
    `--import=data:text/javascript,${encodeURIComponent(probe)}`,
  ]);
  const ended = ending(child);
  const gone = new Promise<unknown>((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  await saying(child, "opens it\n");
  child.kill("SIGINT");
  const how = await Promise.race([gone, delay(20_000, "still there", { ref: false })]);
  child.kill("SIGKILL");
  // by the signal itself
  assert.is(how, "SIGINT");
  assert.is((await ended).stderr, "opens it\nfake pass: stopped by SIGINT\n");
  assert.equal(await readdir(output), []);
  await rm(output, { recursive: true });
  await rm(path);
});

pipes("faults 31: a second run with one output gets 75", async ({ folder }) => {
  const path = join(folder, "shared.arrow");
  const first = startProgram(["make", "--segments", "100000", "--pause", "20", "--warn", "--output", path]);
  const ended = ending(first);
  await saying(first, "something to know");
  const second = await runProgram(["make", "--output", path]);
  assert.is(second.code, 75, second.stderr);
  assert.match(second.stderr, new RegExp(String(first.pid)));
  first.kill("SIGINT");
  assert.is((await ended).code, 130);
});

pipes("faults 26: a full disk is 74", async () => {
  const full = await open("/dev/full", "w");
  const { code, stderr } = await ending(startProgram(["make"], ["ignore", full.fd, "pipe"]));
  await full.close();
  assert.is(code, 74);
  assert.match(stderr, /^fake make: disk full/);
});

pipes("faults 26: help on a full disk is 74, and quiet where its reader has gone", async () => {
  const full = await open("/dev/full", "w");
  const { code, stderr } = await ending(startProgram(["make", "--help"], ["ignore", full.fd, "pipe"]));
  await full.close();
  assert.is(code, 74);
  assert.match(stderr, /^fake make: disk full: [^\n]*free some space and run again\n$/);
  const child = startProgram(["make", "--help"]);
  const ended = ending(child);
  child.stdout?.destroy();
  const gone = await ended;
  assert.is(gone.code, 141);
  assert.is(gone.stderr, "");
});

pipes("output begins before the input ends", async ({ segments }) => {
  const child = startProgram(["pass"]);
  const ended = ending(child);
  let begun = 0;
  const firstOutput = new Promise<void>((resolve) => child.stdout?.once("data", () => resolve(void (begun = performance.now()))));
  // Several batches, but not the last ones.
  child.stdin?.write(segments.subarray(0, segments.length - 1000));
  await firstOutput;
  const closed = performance.now();
  child.stdin?.end(segments.subarray(segments.length - 1000));
  const { code, stdout } = await ended;
  assert.ok(begun <= closed);
  assert.is(code, 0);
  assert.equal(stdout, segments);
});

pipes.run();
