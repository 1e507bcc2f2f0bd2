import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hasRedis, startRedis } from "../fixtures/redis-server.ts";
import { endChildren, runMbs, startMbs } from "../fixtures/run-mbs.ts";
import { writeTexts } from "../fixtures/texts.ts";

interface Context {
  root: string;
  url: string;
  children: ChildProcess[];
}

const queue = suite<Context>("queue");
const test = (name: string, run: (context: Context) => Promise<void>): void =>
  hasRedis ? queue(name, run) : queue.skip(name, run);

queue.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-queue-"));
  await writeTinyModel(join(context.root, "models", "tiny"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
  context.children = [];
  if (!hasRedis) return;
  const { server, url } = await startRedis(context.root);
  context.children.push(server);
  context.url = url;
});
queue.after.each(async ({ root, children }) => {
  await endChildren(children);
  await rm(root, { recursive: true, force: true });
});

/** Path → hash of the files that do not say on which processors and when they were made. */
async function contents(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(folder, { recursive: true })).toSorted()) {
    if (/^recipe\.yaml$|^model\/README\.md$|^run\/\w+\.json$/.test(name) || !(await stat(join(folder, name))).isFile()) continue;
    files[name] = createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
  }
  return files;
}

test("a worker leaves though the server answers nothing", async ({ root, url, children }) => {
  const worker = startMbs(["work", "--queue", url, "--store", join(root, "shared"), "--model-root", join(root, "models")]);
  children.push(worker);
  let said = "";
  worker.stderr?.on("data", (data: Buffer) => (said += data.toString()));
  while (!said.includes("takes jobs")) await once(worker.stderr ?? worker, "data");
  children[0]?.kill("SIGSTOP");
  const left = once(worker, "exit");
  worker.kill("SIGTERM");
  // far longer than all its waits for the server; without an end the test would have none either
  const limit = setTimeout(() => worker.kill("SIGKILL"), 120_000);
  const [code, signal] = (await left) as [number | null, string | null];
  clearTimeout(limit);
  assert.equal([code, signal], [143, null]);
});

test("a model that the worker fetches gives the bytes of a local run, and a worker leaves by itself", async ({
  root,
  url,
  children,
}) => {
  const recipe = join(root, "recipe.yaml");
  const lines = [
    `model: ${join(root, "models", "tiny")}`,
    `corpus: ${join(root, "texts")}`,
    "sample: { mix: equal, segments: 6, length: 32 }",
    "shards: 2",
    "compress: { solver: gptq, bits: 3, group-size: 16 }",
    `evaluate: { corpus: ${join(root, "texts")}, length: 32 }`,
    "similarity: true",
    `output: ${join(root, "out")}`,
  ];
  await writeFile(recipe, `${lines.join("\n")}\n`);
  const local = await runMbs(["run", recipe, "--threads", "1", "--quiet"]);
  assert.is(local.code, 0, local.stderr);
  const expected = await contents(join(root, "out"));
  await rm(join(root, "out"), { recursive: true });

  const key = join(root, "key");
  await writeFile(key, `${"5ec2e7".repeat(8)}\n`, { mode: 0o600 });
  const place = ["--queue", url, "--queue-key-file", key, "--store", join(root, "store")];
  // without a time to leave after: on a loaded machine the run's first job may come later than that, and then waits without end
  const worker = startMbs(["work", ...place, "--quiet"]);
  children.push(worker);
  const queued = await runMbs(["run", recipe, "--threads", "1", "--engine", "queue", ...place, "--publish-model", "--json"]);
  assert.is(queued.code, 0, queued.stderr);
  assert.equal(await contents(join(root, "out")), expected);
  const workers = queued.stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { stage: string; worker: string });
  for (const { stage, worker: by } of workers) {
    assert.is(by === "this machine", ["sample", "assemble", "evaluate", "join-scores"].includes(stage), `${stage} on ${by}`);
  }
  const idle = startMbs(["work", ...place, "--idle-exit", "1", "--quiet"]);
  children.push(idle);
  assert.equal(await once(idle, "exit"), [0, null]);
});

test("a --cache of a worker that is a file, or lies in one, is refused by its name", async ({ root, url }) => {
  const file = join(root, "file");
  await writeFile(file, "");
  for (const cache of [file, join(file, "cache")]) {
    const { code, stderr } = await runMbs(["work", "--queue", url, "--store", join(root, "store"), "--cache", cache]);
    assert.is(code, 77, stderr);
    assert.is(stderr.trim(), `mbs work: cannot make --cache ${file}: a file is there; choose another path`);
  }
});

test("a label of a stage that no worker runs is refused, with those that workers run", async ({ root }) => {
  const recipe = join(root, "recipe.yaml");
  const lines = [
    `model: ${join(root, "models", "tiny")}`,
    `corpus: ${join(root, "texts")}`,
    "compress: { solver: wanda, sparsity: 0.5 }",
  ];
  await writeFile(recipe, `${[...lines, `output: ${join(root, "out")}`].join("\n")}\n`);
  // no server answers there: it is not asked
  const place = ["--engine", "queue", "--queue", "redis://127.0.0.1:1", "--store", join(root, "store")];
  for (const stage of ["assemble", "sample"]) {
    const { code, stderr } = await runMbs(["run", recipe, ...place, "--worker-labels", `capture=large,${stage}=large`]);
    assert.is(code, 2, stderr);
    assert.match(
      stderr,
      new RegExp(
        `--worker-labels: ${stage} runs where the run was started; of the stages of this run, workers run .*capture.*compress`,
      ),
    );
  }
  const absent = await runMbs(["run", recipe, ...place, "--worker-labels", "capture=large,factor=large"]);
  assert.is(absent.code, 75, absent.stderr);
});

test("options of a queue that do not go together are refused", async ({ root, url }) => {
  const recipe = join(root, "recipe.yaml");
  for (const [words, message] of [
    [["--engine", "queue"], /--engine queue needs --queue redis:\/\/HOST and --store PLACE/],
    [["--queue", url], /--queue is for --engine queue; give that too/],
    [["--queue-key-file", "key"], /--queue-key-file is for --engine queue; give that too/],
    [["--publish-model"], /--publish-model is for --engine queue; give that too/],
    [["--engine", "queue", "--queue", url, "--store", root, "--workers", "2"], /--workers is for --engine local/],
    [["--engine", "queue", "--queue", url, "--store", root, "--mixed", "--class", "a"], /--mixed takes any class/],
    [
      ["--engine", "queue", "--queue", url, "--store", root, "--worker-labels", "walk=x"],
      /--worker-labels takes STAGE=LABEL, with a stage of rotate/,
    ],
  ] as const) {
    const { code, stderr } = await runMbs(["run", recipe, ...words]);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
  }
});

queue.run();
