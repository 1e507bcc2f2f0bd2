import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { InternalError } from "@mbs/contracts";
import { Queue } from "bullmq";
import * as assert from "uvu/assert";
import { jobData, jobId, jobKey } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";
import { processorClass } from "../src/run/processor-class.ts";
import { parseFailure } from "../src/run/queue/messages.ts";
import { bullPrefix, keys, queueNames } from "../src/run/queue/queue-names.ts";
import {
  childCommand,
  circle,
  clusterSuite,
  expectedOf,
  noSeal,
  results,
  version,
  withCluster,
  workers,
  withoutWaiting,
} from "./fixtures/queue-cluster.ts";
import { failure, go } from "./fixtures/run-fakes.ts";

const { test, run } = clusterSuite("poison in a queue");

test("what no run would have sent runs nothing, and its worker goes on", async ({ root, recipe }) => {
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const worker = cluster.add({ command: childCommand({ what: "killed", stage: "*", at: 1, folder: starts }) });
    await cluster.waitFor(worker, /takes jobs for/);
    const processors = processorClass();
    const address = "0".repeat(64);
    const good: JobWork = { stage: "add", options: {}, inputs: { statistics: [address] }, threads: 1, processors, mbs: version };
    const capture = { ...good, stage: "capture", inputs: { source: [address] } };
    const compress = { ...good, stage: "compress", inputs: {}, options: { model: address, solver: "./evil.js" } };
    const poison: readonly [work: unknown, reason: RegExp][] = [
      [{ ...capture, options: { model: "/etc" } }, /model is no address/],
      [{ ...good, inputs: { statistics: ["../".repeat(21) + "x"] } }, /an input of add is no address/],
      [{ ...good, inputs: { [`../${address}`]: [address] } }, /add has no input/],
      [{ ...good, stage: "rm" }, /this program has no stage "rm"/],
      [{ ...good, stage: "__proto__" }, /this program has no stage/],
      [compress, /compress with these options runs where the run was started/],
      [{ ...compress, options: { model: address, solver: "left-pad" } }, /compress with these options/],
      [{ ...capture, options: { model: address, statistics: "none" } }, /--statistics takes one of/],
      [{ ...capture, options: { model: address, path: "/etc" } }, /unknown option --path/],
      [{ ...good, threads: 1e9 }, /is no number of threads/],
      [{ ...good, stage: "sample", inputs: {}, options: { model: address, corpus: address } }, /sample with these options/],
      ["rm -rf /", /it is no job/],
      [{ ...good, mbs: "1.2.4" }, /run "run-1" has mbs "1.2.4" and this worker 1\.2\.3; install the same version on both/],
    ];
    await cluster.redis.use(async (client) => {
      const queue = new Queue(queueNames.ofClass(processors, circle), { connection: client, prefix: bullPrefix });
      for (const [index, [work, reason]] of poison.entries()) {
        const id = typeof work === "string" ? `poison-${index}` : jobId(jobKey(work as JobWork));
        const job = await queue.add("any", typeof work === "string" ? work : jobData(work as JobWork, "run-1", noSeal), {
          jobId: id,
        });
        while (!(await job.isFailed())) await wait(20);
        const { failedReason, attemptsMade } = (await queue.getJob(id)) ?? {};
        assert.match(parseFailure("", failedReason, noSeal)?.message ?? "", reason);
        assert.is(attemptsMade, 1);
      }
      const renamed = await queue.add("any", jobData(good, "run-1", noSeal), { jobId: jobId(address) });
      while (!(await renamed.isFailed())) await wait(20);
      // what is no job at all, and one without its data
      await client.lpush(`${bullPrefix}:${queue.name}:wait`, "../../etc/passwd");
      await client.set(keys.result(jobKey(good)), '{"address":"../../etc/passwd"}');
      await queue.close();
    });
    assert.equal(await readdir(starts), []);
    assert.is(worker.exitCode, null);
    const warnings: string[] = [];
    await go(recipe({ shards: 1 }), { workers, queue: cluster.choice(), warn: (message) => warnings.push(message) });
    assert.is(withoutWaiting(warnings).length, 1, "that its first node is killed, as was asked for");
  });
});

/** What someone may have written into a field of a job. */
const texts = [
  "{",
  "null",
  "5",
  '"x"',
  "[]",
  "{}",
  "",
  "NaN",
  "1e999",
  "\u0000",
  "[[[[[",
  '{"__proto__":{"a":1}}',
  "undefined",
  "-1",
  "9".repeat(400),
];
/** Those that BullMQ or its scripts on the server read. */
const fields =
  "data opts name id progress stacktrace returnvalue failedReason defa parent parentKey rjk deid atm ats stc priority delay timestamp finishedOn processedOn".split(
    " ",
  );
const options = [
  { attempts: "x" },
  { backoff: "x", attempts: 5 },
  { removeOnFail: { count: "x" } },
  { stackTraceLimit: -1 },
  { tm: 5 },
];

test("jobs that nobody can read fail with a reason, and keep no worker from others", async ({ root, recipe }) => {
  await withCluster(root, async (cluster) => {
    const name = queueNames.ofClass(processorClass(), circle);
    const key = (end: string): string => `${bullPrefix}:${name}:${end}`;
    const good: JobWork = { stage: "add", options: {}, inputs: {}, threads: 1, processors: processorClass(), mbs: version };
    const plain = {
      name: "any",
      data: JSON.stringify(jobData(good, "run-1", noSeal)),
      opts: "{}",
      timestamp: Date.now(),
      delay: 0,
      priority: 0,
    };
    await cluster.redis.use(async (client) => {
      const jobs = new Map<string, object>();
      for (const field of fields) for (const [index, text] of texts.entries()) jobs.set(`${field}-${index}`, { [field]: text });
      for (const [index, opts] of options.entries()) jobs.set(`options-${index}`, { opts: JSON.stringify(opts) });
      const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
      jobs.set("deep", { data: plain.data.replace('"options":{}', `"options":{"x":${deep}}`) });
      for (const [id, changes] of jobs) await client.hset(key(id), { ...plain, ...changes });
      await client.set(key("text"), "no job");
      await client.lpush(key("list"), "no job");
      const others = ["text", "list", "", ":", "__proto__", "x".repeat(5000), "../x"];
      await client.lpush(key("wait"), ...jobs.keys(), ...others);
      await client.zadd(key("prioritized"), 1, "of-no-job");
      cluster.add();
      const left = async (): Promise<number> =>
        (await client.llen(key("active"))) + (await client.llen(key("wait"))) + (await client.zcard(key("prioritized")));
      const until = performance.now() + 120_000;
      while ((await left()) > 0 && performance.now() < until) await wait(100);
      assert.equal(await client.lrange(key("active"), 0, -1), []);
      assert.is(await left(), 0);
      assert.match(
        (await client.hget(key("data-0"), "failedReason")) ?? "",
        /the job was refused: what the server has of it is no job \(/,
      );
      assert.ok((await client.zscore(key("failed"), "data-0")) !== null, "the board shows it");
      const queue = new Queue(name, { connection: client, prefix: bullPrefix });
      assert.ok((await queue.getFailed()).length > jobs.size / 2, "and can read it");
      await queue.close();
    });
    await go(recipe({ shards: 1 }), { workers, queue: cluster.choice() });
  });
});

test("a node whose job someone has written over is asked for again", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const worker = cluster.add({ command: childCommand({ what: "pauses", stage: "propagate", at: 1, folder: starts }) });
    const begun = cluster.waitFor(worker, /propagate \S+: begun/);
    const done = go(recipe({ shards: 2 }), { workers, queue: cluster.choice() });
    await begun;
    await cluster.redis.use(async (client) => {
      const prefix = `${bullPrefix}:${queueNames.ofClass(processorClass(), circle)}:`;
      const waiting = (): Promise<string[]> => client.zrange(`${prefix}prioritized`, 0, -1);
      while ((await waiting()).length === 0) await wait(20);
      for (const id of await waiting()) await client.hset(`${prefix}${id}`, "data", "{");
    });
    await writeFile(join(starts, "go"), "");
    await done;
    assert.equal(await results(join(root, "out")), expected);
  });
});

test("a node that three workers were killed with fails its run", async ({ root, recipe }) => {
  await withCluster(root, async (cluster) => {
    const done = failure(go(recipe(), { workers, queue: cluster.choice() }));
    for (const attempt of ["1", "2", "3"]) {
      const starts = join(root, attempt);
      await mkdir(starts);
      const worker = cluster.add({ command: childCommand({ what: "pauses", stage: "*", at: 1, folder: starts }) });
      await cluster.waitFor(worker, /propagate \S+: begun/);
      worker.kill("SIGKILL");
      await once(worker, "exit");
    }
    cluster.add();
    const error = await done;
    assert.instance(error, InternalError);
    assert.match(String(error), /its workers were lost 3 times; it is given up \(on /);
  });
});

run();
