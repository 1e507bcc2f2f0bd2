import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { InterruptedError } from "@mbs/contracts";
import { Queue } from "bullmq";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { processorClass } from "../src/run/processor-class.ts";
import { jobData } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";
import type { QueueChoice } from "../src/run/queue/queue-executor.ts";
import { bullPrefix, channels, circleOf, keys, queueNames } from "../src/run/queue/queue-names.ts";
import { QueueSeal } from "../src/run/queue/queue-seal.ts";
import type { Cluster } from "./fixtures/queue-cluster.ts";
import {
  childCommand,
  clusterSuite,
  expectedOf,
  noSeal,
  results,
  version,
  withCluster,
  workers,
} from "./fixtures/queue-cluster.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import type { Workspace } from "./fixtures/workspace.ts";

const { test, run } = clusterSuite("signed queue");
const secret = "5ec2e7".repeat(8);

async function keyFile(root: string, name: string, key: string): Promise<string> {
  const file = join(root, name);
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return file;
}

/** Waits until all workers of a cluster, together, have said something. */
const said = (cluster: Cluster, line: RegExp): Promise<void> =>
  until(() => line.test(cluster.log.join("")), `a worker says ${line}`);

test("run and workers with one key give the bytes of one process, and the key is nowhere", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  const file = await keyFile(root, "key", secret);
  await withCluster(root, async (cluster) => {
    cluster.add({ keyFile: file });
    const lines: string[] = [];
    const note = (line: string): void => void lines.push(line);
    const sent: string[] = [];
    await cluster.redis.use(async (client) => {
      const listener = client.duplicate();
      await listener.subscribe(channels.news, channels.orders);
      listener.on("message", (_, text) => sent.push(text));
      await go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ keyFile: file }), warn: note, note });
      listener.disconnect();
      for (const key of await client.keys("*")) {
        const type = await client.type(key);
        if (type === "string") sent.push((await client.get(key)) ?? "");
        if (type === "hash") sent.push(...Object.values(await client.hgetall(key)));
        sent.push(key);
      }
    });
    assert.equal(await results(join(root, "out")), expected);
    assert.ok(sent.length > 50);
    assert.ok(sent.filter((text) => text.includes("signature")).length > 20);
    const leaks = [...sent, ...lines, ...cluster.log].filter((text) => text.includes(secret.slice(0, 10)));
    assert.equal(leaks, []);
    const names = await readdir(join(root, "out"), { recursive: true, withFileTypes: true });
    for (const entry of names.filter((each) => each.isFile())) {
      assert.not.ok((await readFile(join(entry.parentPath, entry.name))).includes(secret.slice(0, 10)), entry.name);
    }
  });
});

test("forged jobs and answers change nothing: they are refused, and nodes are asked for again", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  const file = await keyFile(root, "key", secret);
  const seal = await QueueSeal.open(file, () => undefined);
  const queueName = queueNames.ofClass(processorClass(), circleOf(version, seal.keyName));
  await withCluster(root, async (cluster) => {
    const stop = new AbortController();
    /** Someone who may write to the server: forges the results and failures of all jobs, and puts unsigned jobs in. */
    const forge = async (): Promise<{ results: number; jobs: number }> => {
      const counts = { results: 0, jobs: 0 };
      await cluster.redis.use(async (client) => {
        const queue = new Queue(queueName, { connection: client, prefix: bullPrefix });
        queue.on("error", () => undefined);
        while (!stop.signal.aborted) {
          // one that is there: a run that took it would go on with it
          const found = (await readdir(cluster.store).catch(() => [])).find((name) => name.endsWith(".arrow"));
          const address = found?.slice(0, 64) ?? "0".repeat(64);
          for (const job of await queue.getJobs(["prioritized", "waiting", "active"])) {
            if (job?.id === undefined || job.data === null) continue;
            const { signed } = job.data as { signed?: string };
            if (signed === undefined) continue;
            const work = JSON.parse(signed) as JobWork;
            const forged = { address, by: "evil", worker: "evil", warnings: ["forged"], traffic: { fetched: 0, put: 0 } };
            const text = JSON.stringify(forged);
            await client.set(keys.result(job.id.slice("node-".length)), text, "NX");
            await client.publish(channels.news, JSON.stringify({ kind: "again", id: job.id, message: "forged" }));
            counts.results += 1;
            // every third one that waits is replaced by one without a signature
            if (counts.results % 3 === 0 && (await job.getState()) !== "active") {
              await client.hset(`${bullPrefix}:${queueName}:${job.id}`, "data", JSON.stringify(jobData(work, "run-1", noSeal)));
              counts.jobs += 1;
            }
          }
          await wait(5);
        }
        await queue.close();
      });
      return counts;
    };
    const forging = forge();
    cluster.add({ keyFile: file });
    const warnings: string[] = [];
    const { nodes } = await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice({ keyFile: file }),
      warn: (line) => warnings.push(line),
    });
    stop.abort();
    const counts = await forging;
    assert.ok(counts.results > 5 && counts.jobs > 0, JSON.stringify(counts));
    assert.equal(await results(join(root, "out")), expected);
    assert.not.match(warnings.join("\n"), /forged/);
    assert.ok(nodes.every(({ worker }) => worker !== "evil"));
  });
});

test("a failure that someone else has written is none, and one of a worker ends the run", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  const file = await keyFile(root, "key", secret);
  const seal = await QueueSeal.open(file, () => undefined);
  const prefix = `${bullPrefix}:${queueNames.ofClass(processorClass(), circleOf(version, seal.keyName))}`;
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const pauses = childCommand({ what: "pauses", stage: "propagate", at: 1, folder: starts });
    const worker = cluster.add({ keyFile: file, command: pauses });
    const begun = cluster.waitFor(worker, /propagate \S+: begun/);
    const done = go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ keyFile: file }) });
    await begun;
    const forged = JSON.stringify({ tag: "bad-data", message: "forged", worker: "evil", lost: [] });
    await cluster.redis.use(async (client) => {
      const waiting = (): Promise<string[]> => client.zrange(`${prefix}:prioritized`, 0, -1);
      await until(async () => (await waiting()).length > 0, "a job waits");
      for (const id of await waiting()) {
        await client.hset(`${prefix}:${id}`, "failedReason", forged, "finishedOn", String(Date.now()));
        await client.multi().zrem(`${prefix}:prioritized`, id).zadd(`${prefix}:failed`, Date.now(), id).exec();
      }
    });
    await writeFile(join(starts, "go"), "");
    await done;
    assert.equal(await results(join(root, "out")), expected);
    await rm(join(root, "out"), { recursive: true });
    worker.kill("SIGTERM");
    await once(worker, "exit");
    await cluster.redis.empty();
    await rm(cluster.store, { recursive: true });
    cluster.add({ keyFile: file, modelRoot: join(root, "corpus") });
    const error = await failure(go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ keyFile: file }) }));
    assert.match(String(error), /no model with address [0-9a-f]{64} under .* \(on .* \(process \d+\)\)$/);
  });
});

/** What a run that finds no worker of its own says until a line of a worker and one of its own have come. */
async function waitInVain(
  { root, recipe }: Workspace,
  cluster: Cluster,
  choice: Partial<QueueChoice>,
  lines: { readonly run: RegExp; readonly worker: RegExp },
): Promise<void> {
  const stopping = new AbortController();
  const warnings: string[] = [];
  const waiting = failure(
    go(recipe(), { workers, queue: cluster.choice(choice), signal: stopping.signal, warn: (line) => warnings.push(line) }),
  );
  await until(() => lines.run.test(warnings.join("\n")), `the run says ${lines.run}: ${warnings.join()}`);
  await said(cluster, lines.worker);
  assert.is(warnings.filter((line) => lines.run.test(line)).length, 1, "once");
  stopping.abort();
  assert.instance(await waiting, InterruptedError);
  assert.is(
    cluster.log
      .join("")
      .split("\n")
      .filter((line) => lines.worker.test(line)).length,
    1,
    "once",
  );
  await rm(join(root, "out"), { recursive: true, force: true });
}

test("workers of another version are refused by name on both sides, and others do the work", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const old = cluster.add({ version: "1.2.2" });
    const { pid } = old;
    const run = new RegExp(
      `^worker ".* \\(process ${pid}\\)" has mbs "1\\.2\\.2" and this run 1\\.2\\.3, so it gets none of its nodes; install the same version on both$`,
    );
    await waitInVain(
      workspace,
      cluster,
      {},
      {
        run,
        worker:
          /^a run at redis:\S+ has mbs "1\.2\.3" and this worker 1\.2\.2, so none of its nodes comes here; install the same version/m,
      },
    );
    cluster.add();
    const warnings: string[] = [];
    const { nodes } = await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice(),
      warn: (line) => warnings.push(line),
    });
    assert.equal(await results(join(root, "out")), expected);
    assert.ok(warnings.some((line) => run.test(line)));
    assert.ok(nodes.every(({ worker = "" }) => !worker.includes(`process ${pid})`)));
  });
});

test("workers with another key, or none, are refused by name on both sides", async (workspace) => {
  const { root } = workspace;
  const ours = await keyFile(root, "ours", secret);
  const other = await keyFile(root, "other", "0therk".repeat(8));
  const lines = {
    run: /^worker ".* \(process \d+\)" has another key than this run, or one of them has none, so it gets none .* --queue-key-file$/m,
    worker: /^a run at redis:\S+ has another key than this worker, or one of them has none, so none .* --queue-key-file$/m,
  };
  for (const [ofRun, ofWorker] of [
    [ours, other],
    [ours, undefined],
    [undefined, ours],
  ]) {
    await rm(join(root, "redis"), { recursive: true, force: true });
    await withCluster(root, async (cluster) => {
      cluster.add({ keyFile: ofWorker });
      await waitInVain(workspace, cluster, { keyFile: ofRun }, lines);
    });
  }
});

run();
