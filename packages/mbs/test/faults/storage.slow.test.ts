import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, cp, lstat, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "@mbs/artifacts";
import * as assert from "uvu/assert";
import { done, faultSuite, mbs, refused, sampling } from "../fixtures/fault-suite.ts";
import { program } from "../fixtures/program.ts";

const test = faultSuite("faults 25, 26 and 30: kills, full disks, occupied and read-only paths");

const recipe = (model: string, corpus: string, output: string): string =>
  [
    `model: ${model}`,
    `corpus: ${corpus}`,
    `output: ${output}`,
    "sample: { mix: equal, segments: 4, length: 32 }",
    "compress: { solver: gptq, bits: 4 }",
    `evaluate: { corpus: ${corpus}, length: 32, windows: 2 }`,
    "similarity: true",
  ].join("\n");

/** Layers of a model, made stage by stage. */
async function layersOf(model: string, segments: string, path: (name: string) => string): Promise<string> {
  const [statistics, factors, layers] = [path("own-statistics.arrow"), path("own-factors.arrow"), path("own-layers.arrow")];
  await done(["capture", "--model", model, "--source", segments, "--output", statistics]);
  await done(["factor", "--statistics", statistics, "--output", factors]);
  await done(["compress", "--model", model, "--solver", "rtn", "--factors", factors, "--output", layers]);
  return layers;
}

/** Runs a recipe, which kills itself a moment after it has printed so many lines: on a loaded machine another process is late. */
async function killAfter(path: string, lines: number): Promise<void> {
  const killer = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { write } = fs;
    let seen = 0;
    const counting = (descriptor, bytes, ...rest) => {
      if (descriptor === 1 && ++seen === ${lines}) setImmediate(() => process.kill(process.pid, "SIGKILL"));
      return write(descriptor, bytes, ...rest);
    };
    // util.promisify reads how it answers
    fs.write = Object.defineProperties(counting, Object.getOwnPropertyDescriptors(write));
    syncBuiltinESMExports();`;
  const command = [`--import=data:text/javascript,${encodeURIComponent(killer)}`, program, "run", path, "--json"];
  const child = spawn(process.execPath, command, { stdio: "ignore" });
  assert.equal(await once(child, "exit"), [null, "SIGKILL"], `it ended before line ${lines}`);
}

/** All files of a run's results, by name. */
async function results(output: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of ["scores.arrow", "similarity.arrow"]) files[name] = await readFile(join(output, name), "hex");
  for (const name of await readdir(join(output, "model"))) files[name] = await readFile(join(output, "model", name), "hex");
  return files;
}

test("25: a run killed again and again resumes, and its results are the same bytes", async ({ model, corpus, path }) => {
  await writeFile(path("whole.yaml"), recipe(model, corpus, path("whole")));
  await done(["run", path("whole.yaml"), "--quiet"]);
  await writeFile(path("killed.yaml"), recipe(model, corpus, path("killed")));
  // The lines of what earlier runs have done are printed first: each run comes a little further.
  for (const lines of [1, 3, 5, 8, 10]) await killAfter(path("killed.yaml"), lines);
  await done(["run", path("killed.yaml"), "--quiet"]);
  assert.equal(await results(path("killed")), await results(path("whole")));
  assert.equal((await readdir(path("killed"))).toSorted(), (await readdir(path("whole"))).toSorted());
});

const limited = (blocks: number): readonly string[] => ["bash", "-c", `ulimit -f ${blocks}; exec "$@"`, "bash"];

test("26: where no more can be written it is 74, nothing stays, and what was there stays whole", async ({
  model,
  corpus,
  path,
}) => {
  const sample = sampling(model, corpus);
  await mkdir(path("full"));
  const output = join(path("full"), "segments.arrow");
  await refused(sample, 74, /segments\.arrow: .*limit on file sizes; raise it/, { before: limited(1), output });
  assert.equal(await readdir(path("full")), []);

  await done([...sample, "--output", output]);
  const before = await readFile(output);
  const again = await mbs([...sample, "--seed", "1", "--force", "--output", output], { before: limited(1) });
  assert.is(again.code, 74, again.stderr);
  assert.equal(await readFile(output), before);
  assert.equal(await readdir(path("full")), ["segments.arrow"]);
});

test("26: a full standard output is 74", async ({ model, corpus, path }) => {
  for (const args of [sampling(model, corpus), ["inspect", join(path("full"), "segments.arrow")]]) {
    const { code, stderr } = await mbs(args, { before: ["bash", "-c", 'exec "$@" > /dev/full', "bash"] });
    assert.is(code, 74, stderr);
    assert.match(stderr, /^mbs[^\n]*disk full[^\n]*\n$/);
  }
});

/** Mounts a file system of 64 KiB, or says why that is not possible. */
function mountSmall(folder: string): string | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

test("26: a really full disk is 74, and a run estimates before it starts", async ({ model, corpus, path }) => {
  const disk = path("disk");
  await mkdir(disk);
  const reason = mountSmall(disk);
  if (reason !== undefined) {
    console.log(`    a small file system needs the right to mount, the limit above stands in for it (${reason})`);
    return;
  }
  try {
    const long = sampling(model, corpus, "--segments", "300", "--length", "120", "--reuse");
    await refused(long, 74, /disk is full; free some space/, { output: join(disk, "segments.arrow") });
    assert.equal(await readdir(disk), []);
    await writeFile(path("disk.yaml"), recipe(model, corpus, join(disk, "run")));
    await refused(["run", path("disk.yaml"), "--quiet"], 74, /the run needs .* of disk and .* are free/);
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("30: what is there is never overwritten without --force", async ({ model, corpus, path }) => {
  const occupied = path("occupied.arrow");
  await writeFile(occupied, "mine");
  const { code, stderr } = await mbs([...sampling(model, corpus), "--output", occupied]);
  assert.is(code, 77);
  assert.match(stderr, /^mbs sample: [^\n]*exists; [^\n]*--force\n$/);
  assert.is(await readFile(occupied, "utf8"), "mine");

  await mkdir(path("home"));
  await writeFile(join(path("home"), "thesis"), "mine");
  await writeFile(path("home.yaml"), recipe(model, corpus, path("home")));
  await refused(["run", path("home.yaml")], 77, /not empty/);
  assert.equal(await readdir(path("home")), ["thesis"]);
});

test("30: --force replaces no device and no FIFO, and the redirection that the message names works", async ({
  model,
  corpus,
  path,
}) => {
  const fifo = path("fifo");
  execFileSync("mkfifo", [fifo]);
  const targets = [fifo];
  if (spawnSync("mknod", [path("null"), "c", "1", "3"]).status === 0) targets.push(path("null"));
  await done([...sampling(model, corpus), "--output", path("for-report.arrow"), "--force"]);
  for (const target of targets) {
    for (const args of [sampling(model, corpus), ["report", path("for-report.arrow")]]) {
      const { code, stderr } = await mbs([...args, "--force", "--output", target]);
      assert.is(code, 77, stderr);
      assert.match(stderr, /^mbs \w+: \S+ is a (FIFO|device), which is never replaced; name a file, or [^\n]*: > \S+\n$/);
      assert.ok(stderr.endsWith(`> ${target}\n`), stderr);
      assert.not((await lstat(target)).isFile());
    }
  }
  const reader = spawn("cat", [fifo], { stdio: ["ignore", "pipe", "inherit"] });
  const read = createHash("sha256");
  reader.stdout.on("data", (part: Buffer) => read.update(part));
  const written = mbs(sampling(model, corpus), { before: ["bash", "-c", `exec "$@" > ${fifo}`, "bash"] });
  await new Promise((resolve) => reader.on("close", resolve));
  assert.is((await written).code, 0);
  assert.is(
    read.digest("hex"),
    createHash("sha256")
      .update(await readFile(path("for-report.arrow")))
      .digest("hex"),
  );
});

test("30: --force deletes a model, but no folder that holds other things", async ({ model, corpus, path }) => {
  const sources = ["--model", model];
  await done([...sampling(model, corpus), "--output", path("segments.arrow")]);
  await done(["capture", ...sources, "--source", path("segments.arrow"), "--output", path("statistics.arrow")]);
  await done(["factor", "--statistics", path("statistics.arrow"), "--output", path("factors.arrow")]);
  await done(["compress", ...sources, "--factors", path("factors.arrow"), "--output", path("layers.arrow")]);
  const assemble = ["assemble", ...sources, "--layers", path("layers.arrow"), "--force"];
  const { code, stderr } = await mbs([...assemble, "--output", path("home")]);
  assert.is(code, 77, stderr);
  assert.match(stderr, /^mbs assemble: [^\n]*also holds thesis[^\n]*\n$/);
  assert.equal(await readdir(path("home")), ["thesis"]);
  for (const _ of [1, 2]) await done([...assemble, "--output", path("made")]);
});

const solverModule = (solve: string): string =>
  `export default { name: "mine", source: "here", summary: "mine", needs: [], options: {}, solve: ${solve} };\n`;

test("30: what is read is never replaced, --force or not, by whatever path it is named", async ({ model, corpus, path }) => {
  const own = path("own");
  await cp(model, own, { recursive: true });
  await mkdir(path("around"));
  await cp(model, path("around/model"), { recursive: true });
  await symlink(own, path("link"));
  const weights = await readFile(join(own, "model.safetensors"));
  const segments = path("own-segments.arrow");
  await done([...sampling(own, corpus), "--output", segments]);
  const layers = await layersOf(own, segments, path);
  for (const [read, output] of [
    [own, own],
    [own, join(path("around"), "..", "own")],
    [own, path("link")],
    [path("link"), own],
    [path("around/model"), path("around")],
  ] as const) {
    const { code, stderr } = await mbs(["assemble", "--model", read, "--layers", layers, "--output", output, "--force"]);
    assert.is(code, 2, stderr);
    assert.match(stderr, /would replace .*, which is read; choose another output\n$/);
  }
  assert.equal(await readFile(join(own, "model.safetensors")), weights);
  const again = await mbs(["capture", "--model", own, "--source", segments, "--output", segments, "--force"]);
  assert.is(again.code, 2, again.stderr);
});

test("a third-party solver whose promise never settles, or that returns nothing, is named in the error", async ({
  model,
  path,
}) => {
  const sources = ["--model", model];
  await writeFile(path("stuck.mjs"), "await new Promise(() => {});\nexport default 1;\n");
  const stuck = ["compress", ...sources, "--factors", path("factors.arrow"), "--solver", path("stuck.mjs")];
  await refused(stuck, 2, /stuck\.mjs" does not load: a promise that its module awaits never settled/, {
    output: path("no.arrow"),
    isProcess: true,
  });
  await writeFile(path("empty.mjs"), solverModule("() => undefined"));
  const empty = ["compress", ...sources, "--factors", path("factors.arrow"), "--solver", path("empty.mjs")];
  await refused(empty, 70, /solver mine at .* handed back undefined, not a solution; it breaks the contract/, {
    output: path("no.arrow"),
    isProcess: true,
  });
  await writeFile(path("leaving.mjs"), solverModule("() => process.exit(0)"));
  const leaving = ["compress", ...sources, "--factors", path("factors.arrow"), "--solver", path("leaving.mjs")];
  await refused(leaving, 70, /ended by code that it ran, without a result/, { output: path("no.arrow"), isProcess: true });
  await writeFile(
    path("piping.mjs"),
    solverModule(`() => { throw Object.assign(new Error("gone"), { code: "EPIPE", tag: "broken-pipe" }); }`),
  );
  const piping = [...empty.slice(0, -1), path("piping.mjs")];
  await refused(piping, 70, /solver mine failed at h\.0 \S+: gone; fix it/, { output: path("no.arrow"), isProcess: true });
  await writeFile(path("endless.mjs"), solverModule("() => new Promise(() => {})"));
  const endless = [...empty.slice(0, -1), path("endless.mjs")];
  await refused(endless, 70, /solver mine never settles its promise at/, { output: path("no.arrow"), isProcess: true });
});

test("30 and 31: a read-only folder is 77, a lock of another user 75", async ({ folder, model, corpus, path }) => {
  const nobody = 65534;
  const isRoot = process.getuid?.() === 0;
  const readOnly = path("read-only");
  await mkdir(readOnly);
  await chmod(readOnly, 0o555);
  await chmod(folder, 0o755);
  const probe = await mbs(["--version"], isRoot ? { uid: nobody } : {}).catch(() => undefined);
  if (probe?.code !== 0) return console.log("    root may write everywhere, and nobody may not read this folder");
  await refused(sampling(model, corpus), 77, /read-only[^\n]*; choose another path/, {
    output: join(readOnly, "segments.arrow"),
    ...(isRoot ? { uid: nobody } : {}),
  });
  await rm(readOnly, { recursive: true });

  if (!isRoot) return;
  // in a folder that users share
  await mkdir(path("shared"));
  await chmod(path("shared"), 0o777);
  const output = join(path("shared"), "segments.arrow");
  await withLock(output, async () => {
    const message = new RegExp(
      `in use by process ${process.pid}; if it has ended, which cannot be seen from here, delete .*\\.lock and`,
    );
    await refused(sampling(model, corpus), 75, message, { output, uid: nobody });
  });
  await done([...sampling(model, corpus), "--output", output], { uid: nobody });
});

test.run();
