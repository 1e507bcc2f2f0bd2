import { setTimeout as wait } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import { quoted } from "@mbs/contracts";
import type { Job, Worker } from "bullmq";
import { channels, bullPrefix, mostAttempts, unreadableName } from "../queue-names.ts";
import type { QueueTimings } from "../queue-names.ts";
import { loadBullmq } from "../queue-packages.ts";
import { parseOrder } from "../messages.ts";
import type { Order } from "../messages.ts";
import { unlessStopped } from "../queue-connection.ts";
import type { QueueConnection } from "../queue-connection.ts";
import type { Redis } from "ioredis";

/** Fields of BullMQ's jobs that those of a run do not have. With some values the server cannot end such a job. */
const otherFields = ["parent", "parentKey", "rjk", "deid"];

const keyOf = ({ name }: Worker, end: string): string => `${bullPrefix}:${name}:${end}`;
const lockOf = (queue: Worker, id: string): string => keyOf(queue, `${id}:lock`);

/** Whether a job that a worker has got with a token is one that it can end: locked under its own name, without what no run writes. */
async function isPlainJob(redis: Redis, queue: Worker, id: string, token: string): Promise<boolean> {
  const others = await redis.hmget(keyOf(queue, id), ...otherFields);
  return others.every((value) => value === null) && (await redis.get(lockOf(queue, id))) === token;
}

/** Reads a job. @returns why it is none, where someone else has written it */
async function readJob(redis: Redis, queue: Worker, id: string, token: string): Promise<Job | string> {
  const { Job: BullJob } = await loadBullmq();
  try {
    const job: Job | undefined = await BullJob.fromId(queue, id);
    const isPlain = job?.id === id && (await isPlainJob(redis, queue, id, token));
    return isPlain ? job : "it has another's name, or what no job of a run has";
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return cause.message;
    throw cause;
  }
}

/**
 * The job that a worker has got with a token, where BullMQ did not give it out. One that cannot be read or ended would stay with the
 * worker until its lock ends, then go to the head of the queue, and so on for ever. So an empty job takes its place, which can fail
 * as others do; what is no job at all is taken out of the queue.
 *
 * @returns undefined where there is none; why it could not be read, where it is an empty one
 */
async function heldJob(
  redis: Redis,
  queue: Worker,
  token: string,
): Promise<{ readonly job: Job; readonly unreadable?: string } | undefined> {
  const active = keyOf(queue, "active");
  for (const id of await redis.lrange(active, 0, -1)) {
    if ((await redis.get(lockOf(queue, id))) !== token) continue;
    const key = keyOf(queue, id);
    if ((await redis.type(key)) !== "hash") {
      await redis.multi().lrem(active, 0, id).del(lockOf(queue, id)).exec();
      return undefined;
    }
    const job = await readJob(redis, queue, id, token);
    if (typeof job !== "string") return { job };
    const empty = { name: unreadableName, data: "{}", opts: "{}", timestamp: Date.now(), delay: 0, priority: 0 };
    await redis.multi().del(key).hset(key, empty).exec();
    const again = await readJob(redis, queue, id, token);
    return typeof again === "string" ? undefined : { job: again, unreadable: job };
  }
  return undefined;
}

/** A job that this worker has, as long as it renews its lock. */
export interface TakenJob {
  readonly job: Job;
  readonly token: string;
  /** Why it could not be read, where an empty job has taken its place. */
  readonly unreadable?: string;
}

interface SourceOptions {
  readonly timings: QueueTimings;
  /** Called once for each other version and key of runs. */
  readonly warn: (message: string) => void;
  /** After which it takes no more. */
  readonly signal: AbortSignal;
}

/** A line on a run whose nodes this worker does not get; undefined where it can get them. */
function foreignLine(order: Order | "foreign", { place, version }: QueueConnection): string | undefined {
  if (order === "foreign") {
    return `a run at ${place} has another key than this worker, or one of them has none, so none of its nodes comes here; give both the same file by --queue-key-file`;
  }
  if (order.kind !== "here" || order.mbs === version) return undefined;
  return `a run at ${place} has mbs ${quoted(order.mbs)} and this worker ${version}, so none of its nodes comes here; install the same version on both`;
}

/** The queues of a worker: one job at a time, from the first of them that has one. */
export class JobSource {
  readonly #connection: QueueConnection;
  readonly #queues: readonly Worker[];
  /** Queues where something went wrong since they were last looked at. */
  readonly #hadError = new Set<Worker>();
  readonly #timings: QueueTimings;
  readonly #told = new Set<string>();
  readonly #names: ReadonlySet<string>;
  readonly #signal: AbortSignal;
  #onCancel: ((id: string) => void) | undefined;
  #wake = (): void => undefined;
  #isToldToLook = false;

  private constructor(connection: QueueConnection, queues: readonly Worker[], timings: QueueTimings, signal: AbortSignal) {
    this.#connection = connection;
    this.#queues = queues;
    // the connection itself tells what is wrong with it
    for (const queue of queues) queue.on("error", () => void this.#hadError.add(queue));
    this.#timings = timings;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    this.#names = new Set(queues.map(({ name }) => name));
  }

  /**
   * @param names of the queues, the most urgent first
   * @param worker its name, which the server's board shows
   */
  static async open(
    connection: QueueConnection,
    names: readonly string[],
    worker: string,
    { timings, warn, signal }: SourceOptions,
  ): Promise<JobSource> {
    const { Worker: BullWorker } = await loadBullmq();
    const queues = names.map((name) => {
      const queue = new BullWorker(name, null, {
        connection: connection.redis,
        prefix: bullPrefix,
        skipVersionCheck: true,
        autorun: false,
        name: worker,
        lockDuration: timings.lock,
        stalledInterval: timings.stalled,
        maxStalledCount: mostAttempts - 1,
      });
      return queue;
    });
    const source = new JobSource(connection, queues, timings, signal);
    for (const queue of queues) void queue.startStalledCheckTimer();
    await connection.subscribe(channels.orders, (text) => {
      const order = parseOrder(text, connection.seal);
      if (order === undefined) return;
      const foreign = foreignLine(order, connection);
      if (foreign !== undefined && !source.#told.has(foreign)) {
        source.#told.add(foreign);
        warn(foreign);
      }
      if (order === "foreign") return;
      if (order.kind === "cancel") source.#onCancel?.(order.id);
      if (order.kind !== "look" || !source.#names.has(order.queue)) return;
      source.#isToldToLook = true;
      source.#wake();
    });
    return source;
  }

  /**
   * The next job. Looks again at the news that there is one, and now and then.
   *
   * @returns undefined where none came in that time, or it is stopped
   */
  async next(milliseconds: number): Promise<TakenJob | undefined> {
    const until = performance.now() + milliseconds;
    while (!this.#signal.aborted) {
      this.#isToldToLook = false;
      for (const queue of this.#queues) {
        // a server that is away answers nothing
        const taken = await unlessStopped(this.#take(queue), this.#signal);
        if (taken !== undefined) return taken;
      }
      const left = until - performance.now();
      if (left <= 0) return undefined;
      const pause = new AbortController();
      const waiting = wait(Math.min(left, this.#timings.poll), undefined, { signal: pause.signal });
      this.#wake = () => pause.abort();
      if (this.#isToldToLook || this.#signal.aborted) this.#wake();
      await waiting.catch(() => undefined);
    }
    return undefined;
  }

  async #take(queue: Worker): Promise<TakenJob | undefined> {
    const { redis } = this.#connection;
    const token = randomUUID();
    this.#hadError.delete(queue);
    try {
      const job = await queue.getNextJob(token, { block: false }).catch(() => void this.#hadError.add(queue));
      if (job !== undefined && (await isPlainJob(redis, queue, String(job.id), token))) return { job, token };
      if (job === undefined && !this.#hadError.has(queue)) return undefined;
      const held = await heldJob(redis, queue, token);
      return held && { ...held, token };
    } catch {
      // of a server that is away; the lock of a job that it gave ends by itself
      return undefined;
    }
  }

  /** Renews a job's lock while something is done. */
  async holding<T>({ job, token }: TakenJob, onCancel: () => void, work: () => Promise<T>): Promise<T> {
    const { lock } = this.#timings;
    // whose lock is lost is given to another worker; both make the same
    const timer = setInterval(() => void job.extendLock(token, lock).catch(() => undefined), lock / 4);
    this.#onCancel = (id) => {
      if (id === job.id) onCancel();
    };
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#onCancel = undefined;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close(true).catch(() => undefined)));
  }
}
