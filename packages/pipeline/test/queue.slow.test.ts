import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { BadDataError, DeniedError, InputOutputError, InterruptedError, TryAgainError, UsageError } from "@mbs/contracts";
import { Queue } from "bullmq";
import type { Job } from "bullmq";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { until } from "../../../tools/test/until.ts";
import type { QueueChoice } from "../src/run/queue/queue-executor.ts";
import { processorClass } from "../src/run/processor-class.ts";
import { parseResult } from "../src/run/queue/messages.ts";
import { bullPrefix, keys, queueNames } from "../src/run/queue/queue-names.ts";
import {
  childCommand,
  clusterSuite,
  expectedOf,
  noSeal,
  results,
  withCluster,
  withoutWaiting,
  workers,
} from "./fixtures/queue-cluster.ts";
import type { FakeWorkerOptions } from "./fixtures/fake-queue-worker.ts";
import { makeCertificates } from "./fixtures/redis-server.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import type { Workspace } from "./fixtures/workspace.ts";

const { test, testTls, run } = clusterSuite("queue");

test("workers at a queue, one or two, give the bytes of one process", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    for (const count of [1, 2]) {
      await rm(join(root, "out"), { recursive: true, force: true });
      await cluster.redis.empty();
      await rm(cluster.store, { recursive: true, force: true });
      cluster.add();
      const { nodes } = await go(recipe({ shards: 2 }), { workers, queue: cluster.choice() });
      assert.equal(await results(join(root, "out")), expected, `${count} workers`);
      const here = nodes.filter(({ worker }) => worker === "this machine").map(({ id }) => id);
      assert.equal(
        here,
        ["sample", "assemble", "evaluate.shard-1", "evaluate.shard-2", "join-scores"],
        "what reads texts or writes folders",
      );
      const others = new Set(nodes.flatMap(({ worker = "", id }) => (here.includes(id) ? [] : [worker])));
      assert.ok(others.size >= 1 && others.size <= count, [...others].join());
      // nothing is left that the run alone needed, but for what it keeps itself
      assert.equal(await readdir(join(cluster.store, "runs")), []);
      const left = (await readdir(cluster.store)).filter((name) => name.endsWith(".arrow"));
      const kept = await readdir(join(root, "out", "run", "artifacts"));
      assert.equal(
        left.filter((name) => !kept.includes(name)),
        [],
      );
    }
    const machine = JSON.parse(await readFile(join(root, "out", "run", "machine.json"), "utf8")) as Record<string, unknown>;
    assert.match(String(machine["processors"]), /-ort\d/);
    assert.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), /processors: \S+-ort\d/);
    // elsewhere nothing of it is made again
    const { nodes } = await go(recipe({ shards: 2 }));
    assert.ok(nodes.every(({ seconds }) => seconds === undefined));
  });
});

test("a worker fetches nothing that it has made, and a run counts what was moved", async ({ root, recipe }) => {
  await withCluster(root, async (cluster) => {
    cluster.add();
    const notes: string[] = [];
    const { nodes } = await go(recipe({ shards: 2, similarity: false, evaluate: undefined }), {
      workers,
      queue: cluster.choice(),
      note: (line) => notes.push(line),
    });
    const sizeOf = async (stage: string): Promise<number> => {
      const address = nodes.find((node) => node.stage === stage)?.address ?? "";
      return (await stat(join(root, "out", "run", "artifacts", `${address}.arrow`))).size;
    };
    const fetched = await cluster.redis.use(async (client) => {
      const names = await client.keys(keys.result("*"));
      const results = await client.mget(names);
      return results.reduce((sum, text, index) => {
        const key = names[index]?.slice(keys.result("").length) ?? "";
        return sum + (parseResult(key, text, noSeal)?.traffic.fetched ?? Number.NaN);
      }, 0);
    });
    assert.is(fetched, await sizeOf("sample"), "the segments alone, once");
    assert.match(notes.join("\n"), /[\d.]+ \w+ were put into the store and [\d.]+ \w+ fetched from it/);
  });
});

test("a worker that is killed, or whose process ends, is replaced by another", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const first = cluster.add();
    cluster.add({ command: childCommand({ what: "killed", stage: "add", at: 2, folder: starts }) });
    const warnings: string[] = [];
    await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice(),
      warn: (message) => warnings.push(message),
      onNode({ id }) {
        if (id === "compress.h.0.attention-output") first.kill("SIGKILL");
      },
    });
    assert.equal(await results(join(root, "out")), expected);
    assert.match(warnings.join("\n"), /add\.\S+: .*was ended by SIGKILL.*; it is tried again/);
  });
});

test("a server that is killed and comes back, or loses all it has, costs nothing but time", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    cluster.add();
    const warnings: string[] = [];
    let restarted: Promise<void> | undefined;
    await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice(),
      warn: (message) => warnings.push(message),
      onNode({ id }) {
        if (id === "compress.h.0.attention-qkv") restarted = cluster.redis.kill().then(() => cluster.redis.restart());
        if (id === "compress.h.0.mlp-up") void cluster.redis.empty();
        if (id === "compress.h.1.mlp-up") void cluster.redis.empty();
      },
    });
    await restarted;
    assert.equal(await results(join(root, "out")), expected);
    assert.match(warnings.join("\n"), /redis:\/\/127\.0\.0\.1:\d+ is away .*; waiting for it\n.* is back/);
  });
});

test("a job that two workers have, one of them late, is done once as far as anyone sees", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const first = cluster.add();
    const stopped = cluster.waitFor(first, /capture \S+: begun/).then(() => {
      first.kill("SIGSTOP");
      cluster.add();
    });
    const late: Promise<unknown>[] = [];
    await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice(),
      onNode({ id }) {
        if (id === "compress.h.1.mlp-up") late.push(stopped.then(() => first.kill("SIGCONT")));
      },
    });
    await Promise.all(late);
    assert.equal(await results(join(root, "out")), expected);
  });
});

test("a worker whose disk is full leaves its node to others, and ends the run where there is none", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const full = cluster.add({ command: childCommand({ what: "full", stage: "*", at: 2, folder: starts }) });
    const begun = cluster.waitFor(full, /the disk is full; takes no other node for 3 s/).then(() => cluster.add());
    const warnings: string[] = [];
    await go(recipe({ shards: 2 }), { workers, queue: cluster.choice(), warn: (message) => warnings.push(message) });
    assert.equal(await results(join(root, "out")), expected);
    assert.match(warnings.join("\n"), /the disk is full \(on .* \(process \d+\)\); it is tried again/);
    (await begun).kill("SIGKILL");
    await rm(join(root, "out"), { recursive: true });
    await cluster.redis.empty();
    await rm(cluster.store, { recursive: true });
    const error = await failure(go(recipe({ shards: 1 }), { workers, queue: cluster.choice() }));
    assert.instance(error, InputOutputError);
    assert.match(String(error), /the disk is full \(on .* \(process \d+\)\)$/);
  });
});

/**
 * A run while one worker is busy and the other one cannot do its nodes.
 *
 * @param said what that one says each time
 * @param labels of both, and of the stages that ask for one
 */
async function runBesideBusy(
  workspace: Workspace,
  other: Partial<FakeWorkerOptions>,
  said: RegExp,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const busy = join(root, "busy");
    await mkdir(busy);
    const both = { labels: Object.values(labels) };
    const well = cluster.add({ ...both, command: childCommand({ what: "pauses", stage: "propagate", at: 1, folder: busy }) });
    const begun = cluster.waitFor(well, /propagate \S+: begun/);
    const done = go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ labels }) });
    await begun;
    cluster.add({ ...both, ...other });
    // more often than a node is tried
    await until(() => (cluster.log.join("").match(said) ?? []).length > 3, "the other worker has tried four times");
    await writeFile(join(busy, "go"), "");
    await done;
    assert.equal(await results(join(root, "out")), expected);
  });
}

test("a worker whose disk is full gives its node back as often as others are busy", async (workspace) => {
  const starts = join(workspace.root, "starts");
  await mkdir(starts);
  const command = childCommand({ what: "full", stage: "*", at: 1, folder: starts });
  await runBesideBusy(workspace, { command }, /the disk is full; takes no other node/g);
});

test("a worker whose disk is full gives back a node with a label where another one has the label", async (workspace) => {
  const starts = join(workspace.root, "starts");
  await mkdir(starts);
  const command = childCommand({ what: "full", stage: "*", at: 1, folder: starts });
  await runBesideBusy(workspace, { command }, /the disk is full; takes no other node/g, { propagate: "large" });
});

test("a worker without the model leaves its nodes to one that has it, however busy that is", async (workspace) => {
  const modelRoot = join(workspace.root, "corpus");
  await runBesideBusy(workspace, { modelRoot }, /no model with address .*; takes no other node/g);
});

test("a worker that leaves gives its node back, and a stage with a label waits for workers that have it", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    cluster.add();
    const loops = childCommand({ what: "loops", stage: "factor", at: 1, folder: starts });
    const leaving = cluster.add({ labels: ["large"], leaveGrace: 100, command: loops });
    const left = cluster.waitFor(leaving, /factor \S+: begun/).then(async () => {
      leaving.kill("SIGTERM");
      await cluster.waitFor(leaving, /factor \S+: given back/);
      return cluster.add({ labels: ["large"] });
    });
    const { nodes } = await go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ labels: { factor: "large" } }) });
    const { pid } = await left;
    assert.equal(await results(join(root, "out")), expected);
    const by = new Set(nodes.flatMap(({ stage, worker = "" }) => (stage === "factor" ? [worker] : [])));
    assert.is(by.size, 1);
    assert.match([...by].join(), new RegExp(`process ${pid}\\)`));
    assert.is(leaving.exitCode, 0);
  });
});

test("a worker without the model says so, and fetches one that the run publishes", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const first = cluster.add({ modelRoot: join(root, "corpus") });
    const error = await failure(go(recipe({ shards: 2 }), { workers, queue: cluster.choice() }));
    assert.instance(error, BadDataError);
    assert.match(
      (error as Error).message,
      /no model with address [0-9a-f]{64} under \S+corpus or in the store; copy it there, give the worker another --model-root, or start the run with --publish-model \(on .* \(process \d+\)\)$/,
    );
    first.kill("SIGTERM");
    await once(first, "exit");
    cluster.add({ modelRoot: undefined });
    await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice({ publishModel: true }),
      onNode({ id }) {
        // what the server knew of the model is sent again
        if (id === "compress.h.0.mlp-up") void cluster.redis.empty();
      },
    });
    assert.equal(await results(join(root, "out")), expected);
    assert.equal(await readdir(join(cluster.store, "runs")), []);
  });
});

test("a worker at another store, which has a former result there, ends the run by name", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace, { shards: 1 });
  const out = join(root, "out");
  await withCluster(root, async (cluster) => {
    const other = join(root, "other");
    const worker = cluster.add({ store: other });
    await go(recipe({ shards: 1 }), { workers, queue: cluster.choice({ store: other }) });
    await rm(out, { recursive: true });
    const error = await failure(go(recipe({ shards: 1 }), { workers, queue: cluster.choice() }));
    assert.instance(error, InputOutputError);
    assert.match(
      String(error),
      /: .* \(process \d+\) has made \S+, and it is not in \S+store; check that the worker has the same --store \(the artifact is [0-9a-f]{64}\)$/,
    );
    worker.kill("SIGTERM");
    await once(worker, "exit");
    cluster.add();
    await go(recipe({ shards: 1 }), { workers, queue: cluster.choice() });
    assert.equal(await results(out), expected);
  });
});

test("a node that fails while its run looks at the job fails with its own reason", async ({ root, recipe }) => {
  const getJob = Reflect.get(Queue.prototype, "getJob") as (this: Queue, id: string) => Promise<Job | undefined>;
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    cluster.add({ command: childCommand({ what: "rejects", stage: "propagate", at: 1, folder: starts }) });
    try {
      // a look that takes as long as the node
      const lookLong: typeof getJob = async function lookLong(id) {
        const job = await getJob.call(this, id);
        while ((await this.getJobState(id)) === "active") await wait(10);
        return job;
      };
      Reflect.set(Queue.prototype, "getJob", lookLong);
      const error = await failure(go(recipe({ shards: 1 }), { workers, queue: cluster.choice() }));
      assert.match(String(error), /^InternalError: Error: nobody waits for this \(on /);
    } finally {
      Reflect.set(Queue.prototype, "getJob", getJob);
    }
  });
});

test("a run takes workers of one class, or of any with that option", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    cluster.add();
    const out = join(root, "out");
    await go(recipe({ shards: 2 }), { workers, queue: cluster.choice({ mixed: true }) });
    assert.equal(await results(out), expected);
    const machine = JSON.parse(await readFile(join(out, "run", "machine.json"), "utf8")) as Record<string, unknown>;
    assert.is(machine["processors"], "mixed");
    const other = cluster.choice({ processors: "other-class" });
    const refused = await failure(go(recipe({ shards: 2 }), { workers, queue: other }));
    assert.instance(refused, DeniedError);
    assert.match(String(refused), /holds a run that began on processors of class mixed/);
    await rm(out, { recursive: true });
    const given = cluster.choice({ processors: processorClass() });
    await go(recipe({ shards: 2 }), { workers, queue: given });
    assert.equal(await results(out), expected);
    await rm(out, { recursive: true });
    const stopping = new AbortController();
    let said = "";
    const waiting = go(recipe({ shards: 2 }), {
      workers,
      queue: other,
      signal: stopping.signal,
      warn(line) {
        said = line;
        stopping.abort();
      },
    });
    assert.instance(await failure(waiting), InterruptedError);
    assert.match(
      said,
      /^waiting: no worker of class other-class that this run takes is at redis:\S+; those that are there are \S+-ort\S+; start one/,
    );
  });
});

test("a node that two runs wait for goes on when one of them is stopped", async (workspace) => {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const worker = cluster.add({ command: childCommand({ what: "pauses", stage: "capture", at: 1, folder: starts }) });
    const begun = cluster.waitFor(worker, /capture \S+: begun/);
    const stopping = new AbortController();
    const { signal } = stopping;
    const start = (output: string, more: { signal?: AbortSignal } = {}): Promise<unknown> =>
      failure(go(recipe({ shards: 2, output: join(root, output) }), { workers, queue: cluster.choice(), ...more }));
    const first = start("first", { signal });
    const second = start("out");
    await begun;
    await cluster.redis.use(async (client) => {
      const areBoth = async (): Promise<boolean> => {
        const counts = await Promise.all((await client.keys(keys.askers("*"))).map((key) => client.scard(key)));
        return counts.length > 0 && counts.every((count) => count === 2);
      };
      while (!(await areBoth())) await wait(20);
    });
    stopping.abort();
    assert.instance(await first, InterruptedError);
    await writeFile(join(starts, "go"), "");
    assert.is(await second, undefined);
    assert.equal(await results(join(root, "out")), expected);
    assert.not.match(cluster.log.join(""), /taken back by its run/);
  });
});

test("a node that its only run has stopped is taken back, and queues of killed workers are removed", async (workspace) => {
  const { root, recipe } = workspace;
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const pauses = childCommand({ what: "pauses", stage: "propagate", at: 1, folder: starts });
    const worker = cluster.add({ command: pauses });
    const stopping = new AbortController();
    const { signal } = stopping;
    const begun = cluster.waitFor(worker, /propagate \S+: begun/);
    const takenBack = cluster.waitFor(worker, /propagate \S+: taken back by its run/);
    const stopped = failure(go(recipe(), { workers, queue: cluster.choice(), signal }));
    await begun;
    stopping.abort();
    assert.instance(await stopped, InterruptedError);
    await takenBack;
    worker.kill("SIGKILL");
    await once(worker, "exit");
    await cluster.redis.use(async (client) => {
      const [card = ""] = await client.keys(keys.anyWorker);
      const own = `${bullPrefix}:${queueNames.ofWorker(card.slice(keys.worker("").length))}:*`;
      assert.ok((await client.keys(own)).length > 0, "the run gave it nodes of its own");
      while ((await client.exists(card)) === 1) await wait(50);
      cluster.add();
      while ((await client.keys(own)).length > 0) await wait(50);
    });
  });
});

test("a run that is killed and started again finds all that was made", async (workspace) => {
  const { root, recipe } = workspace;
  // here no two nodes make the same, which is removed for one of them and made again for the other
  const changes = { shards: 2, similarity: false };
  const expected = await expectedOf(workspace, changes);
  await withCluster(root, async (cluster) => {
    const starts = join(root, "starts");
    await mkdir(starts);
    const counted = childCommand({ what: "loops", stage: "*", at: 1000, folder: starts });
    const worker = cluster.add({ command: counted });
    const { locate: _, stages: __, ...plain } = recipe(changes);
    const [command, ...words] = await buildProgram(new URL("fixtures/queue-run.ts", import.meta.url));
    words.push(JSON.stringify(plain), JSON.stringify(counted), JSON.stringify(cluster.choice()));
    const killed = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    killed.stdout.on("data", (data: Buffer) => {
      printed += data.toString();
      if (printed.includes("compress.h.0.mlp-up\n")) killed.kill("SIGKILL");
    });
    await once(killed, "exit");
    const { nodes } = await go(recipe(changes), { workers: { command: counted }, queue: cluster.choice() });
    assert.equal(await results(join(root, "out")), expected);
    const before = nodes.filter(({ seconds }) => seconds === undefined).map(({ id }) => id);
    assert.ok(before.includes("compress.h.0.attention-output"), before.join());
    // every node was begun once, by whichever of the two runs
    const begun = [...cluster.log.join("").matchAll(/\S+ [0-9a-f]{12}: begun/g)].map(([line]) => line);
    assert.equal(
      begun.filter((line, index) => begun.indexOf(line) !== index),
      [],
    );
    assert.is((await readdir(starts)).length, nodes.length);
    worker.kill("SIGTERM");
    assert.equal(await once(worker, "exit"), [0, null]);
  });
});

testTls("TLS takes the authority that is given, and refuses another", async ({ root, recipe }) => {
  const ours = makeCertificates(root, "ours");
  const other = makeCertificates(root, "other");
  const password = "correct-horse";
  const passwordFile = join(root, "password");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o644 });
  await withCluster(
    root,
    async (cluster) => {
      const place = { passwordFile, caFile: ours.ca };
      cluster.add(place);
      const warnings: string[] = [];
      const start = (more: Partial<QueueChoice>): Promise<unknown> =>
        failure(go(recipe(), { workers, queue: cluster.choice({ ...place, ...more }), warn: (line) => warnings.push(line) }));
      assert.is(await start({}), undefined);
      assert.equal(withoutWaiting(warnings), [
        `${passwordFile} can be read by other users of this machine; take their right to read it: chmod 600 ${passwordFile}`,
      ]);
      await chmod(passwordFile, 0o600);
      assert.is(await start({}), undefined);
      assert.is(withoutWaiting(warnings).length, 1);
      for (const caFile of [other.ca, undefined]) {
        const error = await start({ caFile });
        assert.instance(error, DeniedError);
        assert.match(
          String(error),
          /rediss:\S+: TLS failed \([A-Z_]+\); its certificate is signed by no authority .*; give the certificate of its authority by --queue-ca$/,
        );
        assert.not.match(String(error), /horse|\n/);
      }
      const noCertificate = await start({ caFile: passwordFile });
      assert.instance(noCertificate, UsageError);
      assert.match(String(noCertificate), /--queue-ca \S+password has no certificate; give a PEM file with -----BEGIN CERT/);
      assert.match(String(await start({ caFile: join(root, "missing.pem") })), /\(--queue-ca\)/);
      const named = await start({ url: cluster.redis.url.replace("127.0.0.1", "localhost") });
      assert.instance(named, DeniedError);
      assert.match(String(named), /rediss:\S+: TLS failed \(ERR_TLS_CERT_ALTNAME_INVALID\); its certificate is for another name/);
      const plain = await start({ url: cluster.redis.url.replace("rediss", "redis"), caFile: undefined });
      assert.match(String(plain), /and take rediss:\/\/ where it speaks TLS/);
    },
    { password, tls: ours },
  );
});

testTls("TLS to a server without it gives one line with the remedy", async ({ root, recipe }) => {
  const { ca } = makeCertificates(root, "ours");
  await withCluster(root, async (cluster) => {
    const url = cluster.redis.url.replace("redis:", "rediss:");
    for (const caFile of [ca, undefined]) {
      const error = await failure(go(recipe(), { workers, queue: cluster.choice({ url, caFile }) }));
      assert.instance(error, TryAgainError);
      assert.match(String(error), /no Redis answers at rediss:\S+ \(.*, and take redis:\/\/ where the server has no TLS$/);
    }
  });
});

testTls("a server whose certificate is exchanged for another's is not talked to again", async ({ root, recipe }) => {
  const ours = makeCertificates(root, "ours");
  const other = makeCertificates(root, "other");
  await withCluster(
    root,
    async (cluster) => {
      const stopping = new AbortController();
      const warnings: string[] = [];
      const waiting = failure(
        go(recipe(), {
          workers,
          queue: cluster.choice({ caFile: ours.ca }),
          signal: stopping.signal,
          warn: (line) => warnings.push(line),
        }),
      );
      await until(() => warnings.some((line) => line.startsWith("waiting: no worker")), "the run waits for a worker");
      await cluster.redis.kill();
      for (const end of ["cert", "key", "ca"] as const) await copyFile(other[end], ours[end]);
      await cluster.redis.restart();
      await until(
        () => /rediss:\S+: TLS failed \([A-Z_]+\); its certificate .*; waiting for it/.test(warnings.join("\n")),
        "the run says why",
      );
      stopping.abort();
      assert.instance(await waiting, InterruptedError);
    },
    { tls: ours },
  );
});

test("a wrong password, or no server, gives one line", async ({ root, recipe }) => {
  const password = "correct-horse";
  await withCluster(
    root,
    async (cluster) => {
      const file = join(root, "password");
      const fails = async (content: string | undefined, more: Partial<QueueChoice> = {}): Promise<unknown> => {
        if (content !== undefined) await writeFile(file, `${content}\n`);
        const given = content === undefined ? {} : { passwordFile: file };
        const error = await failure(go(recipe(), { workers, queue: cluster.choice({ ...given, ...more }) }));
        assert.not.match(`${String(error)} ${JSON.stringify(error)}`, /horse/);
        assert.not.match(String(error), /\n/);
        return error;
      };
      const wrong = await fails("wrong-horse");
      assert.instance(wrong, DeniedError);
      assert.match(String(wrong), /refuses the user or password; check --queue-password-file/);
      const none = await fails(undefined);
      assert.instance(none, DeniedError);
      assert.match(String(none), /asks for a password; give the file that has it by --queue-password-file/);
      assert.match(String(await fails(undefined, { url: `redis://:${password}@127.0.0.1` })), /has a password in it/);
      assert.match(String(await fails(undefined, { url: "http://127.0.0.1" })), /--queue takes the address of a Redis server/);
      assert.match(String(await fails(password, { url: `${cluster.redis.url}/99` })), /has no database of that number/);
      await cluster.redis.kill();
      const away = await fails(password);
      assert.instance(away, TryAgainError);
      assert.match(String(away), /no Redis answers at redis:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\); start it, or correct --queue/);
    },
    { password },
  );
});

run();
