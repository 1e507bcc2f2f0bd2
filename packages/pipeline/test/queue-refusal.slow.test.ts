import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { at, TryAgainError } from "@mbs/contracts";
import type { Redis } from "ioredis";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { bullPrefix } from "../src/run/queue/queue-names.ts";
import type { QueueChoice } from "../src/run/queue/queue-executor.ts";
import { childCommand, clusterSuite, expectedOf, results, timings, withCluster, workers } from "./fixtures/queue-cluster.ts";
import type { Cluster } from "./fixtures/queue-cluster.ts";
import { failure, go } from "./fixtures/run-fakes.ts";

const { test, run } = clusterSuite("queue refusal");

const user = ["on", ">horse", "~*", "&*", "+@all"];

/** What a server begins to refuse, and how that is ended. */
const refusals: Readonly<
  Record<string, readonly [begin: (admin: Redis) => Promise<unknown>, end: (admin: Redis) => Promise<unknown>]>
> = {
  OOM: [(admin) => admin.config("SET", "maxmemory", "1mb"), (admin) => admin.config("SET", "maxmemory", "0")],
  NOPERM: [(admin) => admin.call("acl", "setuser", "user", "-set"), (admin) => admin.call("acl", "setuser", "user", "+set")],
  READONLY: [(admin) => admin.call("replicaof", "127.0.0.1", "1"), (admin) => admin.call("replicaof", "no", "one")],
  NOREPLICAS: [
    (admin) => admin.config("SET", "min-replicas-to-write", "1"),
    (admin) => admin.config("SET", "min-replicas-to-write", "0"),
  ],
  WRONGPASS: [(admin) => admin.call("acl", "deluser", "user"), (admin) => admin.call("acl", "setuser", "user", ...user)],
};

/** A worker with a user of its own at a node, which ends when the file `go` is written. */
async function withNodeAtWork(
  root: string,
  play: (scene: {
    cluster: Cluster;
    worker: ChildProcess;
    place: Partial<QueueChoice>;
    begun: Promise<void>;
    go: string;
  }) => Promise<void>,
): Promise<void> {
  await withCluster(root, async (cluster) => {
    await cluster.redis.use((admin) => admin.call("acl", "setuser", "user", ...user));
    const passwordFile = join(root, "password");
    await writeFile(passwordFile, "horse\n", { mode: 0o600 });
    const place = { url: cluster.redis.url.replace("//", "//user@"), passwordFile };
    const folder = join(root, "starts");
    await mkdir(folder);
    const worker = cluster.add({ ...place, command: childCommand({ what: "pauses", stage: "propagate", at: 1, folder }) });
    const begun = cluster.waitFor(worker, /propagate \S+: begun/);
    await play({ cluster, worker, place, begun, go: join(folder, "go") });
  });
}

for (const [code, [begin, end]] of Object.entries(refusals)) {
  test(`a server that begins to refuse (${code}) ends the run with its reason, and keeps the worker`, async (workspace) => {
    const { root, recipe } = workspace;
    const expected = await expectedOf(workspace, {});
    await withNodeAtWork(root, async ({ cluster, worker, place, begun, go: ready }) => {
      const start = (): Promise<unknown> => failure(go(recipe(), { workers, queue: cluster.choice(place) }));
      const ended = start();
      await begun;
      await cluster.redis.use(begin);
      await writeFile(ready, "");
      const error = await ended;
      assert.instance(error, TryAgainError);
      assert.match(
        String(error),
        new RegExp(`refuses a command of the queue: ${code} .*[^.]; look at the server, then run again`),
      );
      const line = new RegExp(
        `redis:\\S+ refuses a command of the queue: ${code} .*; look at the server; this worker waits for it`,
        "g",
      );
      const said = (): number => cluster.log.join("").match(line)?.length ?? 0;
      await until(() => said() > 0, "the worker says why it waits");
      // it has said twice more that it is there
      await wait(timings.presence);
      assert.is(said(), 1);
      await cluster.redis.use(end);
      assert.is(await start(), undefined);
      assert.equal(await results(join(root, "out")), expected);
      assert.is(worker.exitCode, null);
    });
  });
}

test("a node whose result the server refuses is tried again", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace, {});
  const [begin, end] = at(Object.values(refusals), 1);
  await withNodeAtWork(root, async ({ cluster, begun, go: ready }) => {
    const warnings: string[] = [];
    // as another user than the worker
    const ended = failure(go(recipe(), { workers, queue: cluster.choice(), warn: (line) => void warnings.push(line) }));
    await begun;
    await cluster.redis.use(begin);
    await writeFile(ready, "");
    const reason =
      /propagate\S+: redis:\S+ refuses a command of the queue: NOPERM .* \(on .* \(process \d+\)\); it is tried again/;
    await until(() => reason.test(warnings.join("\n")), "the run says why the node is tried again");
    await cluster.redis.use(end);
    assert.is(await ended, undefined);
    assert.equal(await results(join(root, "out")), expected);
  });
});

test("a job that someone locks for another is not its worker's any more, which is no bug; the run has its result", async ({
  root,
  recipe,
}) => {
  await withNodeAtWork(root, async ({ cluster, begun, go: ready }) => {
    const ended = failure(go(recipe(), { workers, queue: cluster.choice() }));
    await begun;
    await cluster.redis.use(async (admin) => {
      for (const key of await admin.keys(`${bullPrefix}:*:lock`)) await admin.set(key, "another");
    });
    await writeFile(ready, "");
    assert.is(await ended, undefined);
    assert.match(cluster.log.join(""), /a job is not this worker's any more: Lock mismatch/);
    assert.not.match(cluster.log.join(""), /a bug/);
  });
});

test("a number of the queue that is none ends the run with the remedy", async ({ root, recipe }) => {
  await withNodeAtWork(root, async ({ cluster, begun, go: ready }) => {
    const start = (): Promise<unknown> => failure(go(recipe(), { workers, queue: cluster.choice() }));
    const ended = start();
    await begun;
    await cluster.redis.use(async (admin) => {
      for (const key of await admin.keys(`${bullPrefix}:*:meta`)) await admin.hset(key, "opts.maxLenEvents", "x");
    });
    await writeFile(ready, "");
    assert.match(String(await ended), /has values of another program under the keys of the queue; remove all keys mbs:\* there/);
    await cluster.redis.use((admin) => admin.flushall());
    assert.is(await start(), undefined);
  });
});

run();
