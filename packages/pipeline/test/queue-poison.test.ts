import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Queue } from "bullmq";
import * as assert from "uvu/assert";
import { jobData, jobId, jobKey } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";
import { processorClass } from "../src/run/processor-class.ts";
import { parseFailure } from "../src/run/queue/messages.ts";
import { bullPrefix, keys, queueNames } from "../src/run/queue/queue-names.ts";
import { childCommand, clusterSuite, withCluster, workers } from "./fixtures/queue-cluster.ts";
import { go } from "./fixtures/run-fakes.ts";

const { test, run } = clusterSuite("poison in a queue");

test("what no run would have sent runs nothing, and its worker goes on", async ({ root, recipe }) => {
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const worker = cluster.add({ command: childCommand({ what: "killed", stage: "*", at: 1, folder: starts }) });
    await cluster.waitFor(worker, /takes jobs for/);
    const processors = processorClass();
    const address = "0".repeat(64);
    const good: JobWork = { stage: "add", options: {}, inputs: { statistics: [address] }, threads: 1, processors };
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
      [{ ...good, version: 7 }, /of version 7 and this worker knows 1; take one version of mbs everywhere/],
    ];
    await cluster.redis.use(async (client) => {
      const queue = new Queue(queueNames.ofClass(processors), { connection: client, prefix: bullPrefix });
      for (const [index, [work, reason]] of poison.entries()) {
        const id = typeof work === "string" ? `poison-${index}` : jobId(jobKey(work as JobWork));
        const job = await queue.add("any", typeof work === "string" ? work : { version: 1, ...(work as JobWork) }, { jobId: id });
        while (!(await job.isFailed())) await wait(20);
        const { failedReason, attemptsMade } = (await queue.getJob(id)) ?? {};
        assert.match(parseFailure(failedReason)?.message ?? "", reason);
        assert.is(attemptsMade, 1);
      }
      const renamed = await queue.add("any", jobData(good), { jobId: jobId(address) });
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
    assert.is(warnings.length, 1, "that its first step is killed, as was asked for");
  });
});

run();
