import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at, InterruptedError, TryAgainError } from "@mbs/contracts";
import { Job, Queue, UnrecoverableError, Worker } from "bullmq";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { jobId, jobKey } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";
import { JobBoard } from "../src/run/queue/job-board.ts";
import { connectQueue } from "../src/run/queue/queue-connection.ts";
import { bullPrefix, queueNames, usualTimings } from "../src/run/queue/queue-names.ts";
import { WorkerWatch } from "../src/run/queue/worker-watch.ts";
import { hasRedis, RedisServer } from "./fixtures/redis-server.ts";
import { failure } from "./fixtures/run-fakes.ts";

const board = suite("job board");
const version = "1.2.3";
const processors = "linux";
const poll = 100;
const warn = (): void => undefined;

const work: JobWork = {
  stage: "add",
  options: {},
  inputs: { statistics: ["a".repeat(64)] },
  threads: 1,
  processors,
  mbs: version,
};

/**
 * Asks for a job of which an earlier run has left a failed one that cannot be removed.
 *
 * @param refusal what its removal ends with
 * @param most tries after which the run is stopped
 * @returns what the run ends with, and when it tried
 */
async function askAgain(refusal: Error, most: number): Promise<{ error: unknown; tries: readonly number[] }> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-job-board-"));
  const redis = await RedisServer.start(folder);
  const connection = await connectQueue({ url: redis.url, version }, warn, new AbortController().signal);
  const names = { connection: { host: "127.0.0.1", port: redis.port }, prefix: bullPrefix };
  const queue = new Queue(queueNames.ofClass(processors, connection.circle), names);
  const worker = new Worker(queue.name, null, names);
  const remove: unknown = Reflect.get(Job.prototype, "remove");
  const tries: number[] = [];
  const stopping = new AbortController();
  try {
    await queue.add(work.stage, {}, { jobId: jobId(jobKey(work)) });
    const job: Job | undefined = await worker.getNextJob("token");
    await job?.moveToFailed(new UnrecoverableError("of an earlier run"), "token");
    Job.prototype.remove = async () => {
      tries.push(performance.now());
      if (tries.length === most) stopping.abort();
      throw refusal;
    };
    const options = { connection, store: folder, watch: new WorkerWatch(connection, warn), run: "run-1", processors, labels: {} };
    const open = await JobBoard.open({ ...options, published: new Map(), timings: { ...usualTimings, poll } }, stopping.signal);
    const asked = { work, node: "add", height: 1, isThere: async () => true };
    const error = await failure(open.ask(asked, { signal: stopping.signal, progress: warn, warn }));
    open.close();
    return { error, tries };
  } finally {
    Reflect.set(Job.prototype, "remove", remove);
    await worker.close();
    await queue.close();
    connection.close();
    await redis.kill();
    await rm(folder, { recursive: true });
  }
}

async function isLookedAtAgain(): Promise<void> {
  const most = 5;
  const { error, tries } = await askAgain(new Error("it is locked by another worker"), most);
  assert.instance(error, InterruptedError, "it waits, and takes the failure for none of its own");
  const passed = at(tries, most - 1) - at(tries, 0);
  // a timer may end a millisecond early
  assert.ok(passed >= (most - 1) * (poll - 1), `${most} tries in ${passed} ms`);
}

async function isToldTheReason(): Promise<void> {
  const refused = Object.assign(new Error("READONLY You can't write against a read only replica."), { name: "ReplyError" });
  const { error, tries } = await askAgain(refused, 10);
  assert.instance(error, TryAgainError);
  assert.match(String(error), /refuses a command of the queue: READONLY .*; look at the server, then run again/);
  assert.is(tries.length, 1);
}

const tests = {
  "a job that cannot be removed is looked at again at the next poll": isLookedAtAgain,
  "a server that refuses to remove a job ends the run with its reason": isToldTheReason,
};
for (const [name, run] of Object.entries(tests)) {
  if (hasRedis) board(name, run);
  else board.skip(name, run);
}

board.run();
