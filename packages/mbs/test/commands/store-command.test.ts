import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { largeFile, smallFile } from "../../../shared-store/test/artifact-files.ts";
import type { ArtifactFile } from "../../../shared-store/test/artifact-files.ts";
import { startS3 } from "../../../shared-store/test/s3-place.ts";
import { installedProgram } from "../fixtures/program.ts";
import { runMbs } from "../fixtures/run-mbs.ts";

interface Context {
  /** Removed after the test. */
  folder: string;
  place: string;
  files: readonly ArtifactFile[];
}

const day = 86_400;

const test = suite<Context>("mbs store");
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-store-"));
  context.place = join(context.folder, "store");
  const store = await openSharedStore(context.place, { create: true });
  context.files = [await smallFile(context.folder, 1), await smallFile(context.folder, 2), await largeFile(context.folder, 1)];
  for (const { address, path } of context.files) {
    await store.put(address, path);
    const then = Date.now() / 1000 - 12 * day;
    await utimes(store.where(address), then, then);
  }
  await store.writeNeeds({ run: "demo-1", addresses: [context.files[0]?.address ?? ""], note: "demo.yaml on\u001b[31m build-3" });
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

const json = async (args: readonly string[]): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await runMbs(["store", ...args, "--json"]);
  assert.equal([code, stderr], [0, ""]);
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
};

test("list shows addresses, kinds, sizes, ages, runs and totals", async ({ place, files }) => {
  const { code, stdout, stderr } = await runMbs(["store", "list", "--store", place]);
  assert.equal([code, stderr], [0, ""]);
  const text = stdout.toString();
  for (const { address } of files) assert.match(text, new RegExp(`^${address}  (segments|states) +\\S+ (k|M)B  12 d`, "m"));
  assert.match(text, new RegExp(`^${files[0]?.address}.*12 d  demo-1$`, "m"));
  assert.match(text, /^3 artifacts of 1\.\d+ MB in \S+; 1 of \d\.\d+ kB needed by 1 run$/m);
  assert.match(text, /^ {2}demo-1 \(demo\.yaml on\\u001b\[31m build-3\): 1 artifact, recorded \d+ s ago$/m);
  const listed = await json(["list", "--store", place]);
  const first = (listed["artifacts"] as { address: string; kind: string }[]).find(({ address }) => address === files[2]?.address);
  assert.is(first?.kind, "states");
  const plain = await runMbs(["store", "list", "--store", place, "--no-kinds"]);
  assert.not.match(plain.stdout.toString(), "segments");
});

test("a store in a folder does not load the SDK of AWS", async ({ folder, place }) => {
  const record = join(folder, "scripts");
  // Node's own record of every script that ran; of the installed program, whose packages have files of their own
  const env = { ...process.env, NODE_V8_COVERAGE: record };
  execFileSync(process.execPath, [installedProgram, "store", "list", "--store", place], { env, stdio: "pipe" });
  const scripts = await Promise.all((await readdir(record)).map((name) => readFile(join(record, name), "utf8")));
  assert.match(scripts.join(""), "shared-store");
  assert.not.match(scripts.join(""), "@aws-sdk");
});

test("verify names what is damaged and ends with 65, and removes it where asked to", async ({ place, files }) => {
  const whole = await runMbs(["store", "verify", "--store", place]);
  assert.equal([whole.code, whole.stdout.toString(), whole.stderr], [0, "3 artifacts read, 0 damaged\n", ""]);
  const [first, second] = files;
  assert.ok(first !== undefined && second !== undefined);
  const path = join(place, `${first.address}.arrow`);
  await rm(path);
  await writeFile(path, first.bytes.subarray(0, 900));
  const damaged = await runMbs(["store", "verify", "--store", place, "--quiet"]);
  assert.is(damaged.code, 65);
  assert.is(damaged.stdout.toString(), `${path} is damaged at byte 900\n3 artifacts read, 1 damaged\n`);
  assert.match(damaged.stderr, /^mbs store: 1 of 3 artifacts in \S+ damaged; --remove-damaged removes them, [^\n]*\n$/);
  assert.is((await runMbs(["store", "verify", second.address, "--store", place])).code, 0);
  const listed = await runMbs(["store", "list", "--store", place]);
  assert.match(listed.stdout.toString(), new RegExp(`^${first.address}  segments`, "m"));
  const removed = await runMbs(["store", "verify", first.address, "--store", place, "--remove-damaged"]);
  assert.is(removed.code, 65);
  assert.match(removed.stdout.toString(), /is damaged at byte 900, removed\n/);
  const gone = await runMbs(["store", "verify", first.address, "--store", place]);
  assert.equal([gone.code, gone.stdout.toString()], [2, ""]);
  assert.match(gone.stderr, /is not there; make it, or put it there first\n$/);
});

test("prune removes what is old and not needed, and says what it frees", async ({ place, files }) => {
  const names = (await readdir(place)).toSorted();
  const young = await runMbs(["store", "prune", "--store", place, "--older-than", "30d"]);
  assert.match(
    young.stdout.toString(),
    /^removed 0 artifacts of 0 bytes\nkept 1 artifact of .* that runs need, and 2 artifacts of/,
  );
  const dry = await runMbs(["store", "prune", "--store", place, "--dry-run"]);
  assert.match(
    dry.stdout.toString(),
    /^would be removed .*\n[^]*\nwould remove 2 artifacts of 1\.\d+ MB\nwould keep 1 artifact of/,
  );
  assert.equal((await readdir(place)).toSorted(), names);
  const pruned = await json(["prune", "--store", place]);
  assert.is(pruned["artifacts"], 2);
  assert.equal(
    (await readdir(place)).filter((name) => name.endsWith(".arrow")),
    [`${files[0]?.address}.arrow`],
  );
  const released = await runMbs(["store", "prune", "--store", place, "--release", "demo-1"]);
  assert.match(released.stdout.toString(), /\nremoved 1 artifact of [^]*\nreleased demo-1\n$/);
  assert.match((await runMbs(["store", "list", "--store", place])).stdout.toString(), /^0 artifacts of 0 bytes in/);
});

test("the folder that a run works in is listed and verified, and not pruned", async ({ folder, files }) => {
  const work = join(folder, "artifacts");
  await mkdir(work);
  for (const { address, bytes } of files) await writeFile(join(work, `${address}.arrow`), bytes);
  assert.is((await runMbs(["store", "verify", "--store", work])).code, 0);
  assert.match((await runMbs(["store", "list", "--store", work])).stdout.toString(), /3 artifacts of/);
  const { code, stderr } = await runMbs(["store", "prune", "--store", work, "--older-than", "0s"]);
  assert.is(code, 2);
  assert.match(stderr, /^mbs store: \S+ has no folder runs, so it is no shared store; [^\n]*\n$/);
  assert.is((await readdir(work)).length, 3);
});

test("what is wrong on the command line is one line and 2", async ({ place }) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /which of list, verify and prune\?/],
    [["lits", "--store", place], /unknown command 'lits'/],
    [["list"], /--store is required/],
    [["list", "--store", join(place, "no")], /the store \S+ is not there/],
    [["list", "--store", "ftp://host"], /a store is a folder, or s3:\/\/BUCKET\/PREFIX/],
    [["prune", "--store", place, "--older-than", "soon"], /an age is a number with s, min, h, d or w/],
    [["prune", "--store", place, "--older-than", "99999999999999999d"], /an age is at most 36500d, not "99999999999999999d"/],
    [["prune", "--store", place, "--release", "unknown"], /knows no run unknown/],
    [["verify", "../x", "--store", place], /is no address/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await runMbs(["store", ...args]);
    assert.equal([code, stdout.toString()], [2, ""], args.join(" "));
    assert.match(stderr, message);
    assert.match(stderr, /^mbs store[^\n]*\n$/);
  }
  const help = await runMbs(["store", "prune", "--help"]);
  assert.match(help.stdout.toString(), /^Usage: mbs store prune \[options\]\n[^]*Examples:\n {2}mbs store prune /);
});

test("a store in S3 is listed, verified and pruned by the same commands", async ({ folder, files }) => {
  const s3 = await startS3();
  try {
    const store = await s3.open();
    for (const { address, path } of files) await store.put(address, path);
    await store.writeNeeds({ run: "demo-1", addresses: [files[0]?.address ?? ""] });
    const place = ["--store", store.place];
    assert.match((await runMbs(["store", "list", ...place])).stdout.toString(), /^\S{64} {2}states .*\n[^]*3 artifacts of 1/m);
    assert.is((await runMbs(["store", "verify", ...place])).code, 0);
    await s3.plant(store, `${files[1]?.address}.arrow`, Buffer.from("torn"));
    assert.is((await runMbs(["store", "verify", ...place, "--remove-damaged"])).code, 65);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // its times are whole seconds
    assert.is((await json(["prune", ...place, "--older-than", "0s"]))["artifacts"], 1);
    await store.get(files[0]?.address ?? "", join(folder, "got"));
    assert.equal(await readFile(join(folder, "got")), files[0]?.bytes);
    await store.close();

    s3.proxy.fault = () => ({ status: 403, code: "AccessDenied" });
    const { code, stderr } = await runMbs(["store", "list", ...place]);
    assert.is(code, 77);
    assert.match(stderr, /^mbs store: cannot open s3:\/\/artifacts: the store refuses this user, [^\n]*\n$/);
  } finally {
    await s3.end();
  }
});

test.run();
