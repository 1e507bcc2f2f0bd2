import { setTimeout as wait } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import type { Job, Worker } from "bullmq";
import { channels, bullPrefix, mostAttempts } from "../queue-names.ts";
import type { QueueTimings } from "../queue-names.ts";
import { loadBullmq } from "../queue-packages.ts";
import { parseOrder } from "../messages.ts";
import type { QueueConnection } from "../queue-connection.ts";
import { heldJob, isPlainJob } from "./held-job.ts";

/** A job that this worker has, as long as it renews its lock. */
export interface TakenJob {
  readonly job: Job;
  readonly token: string;
  /** Why it could not be read, where an empty job has taken its place. */
  readonly unreadable?: string;
}

/** The queues of a worker: one job at a time, from the first of them that has one. */
export class JobSource {
  readonly #connection: QueueConnection;
  readonly #queues: readonly Worker[];
  /** Queues where something went wrong since they were last looked at. */
  readonly #hadError = new Set<Worker>();
  readonly #timings: QueueTimings;
  readonly #names: ReadonlySet<string>;
  readonly #signal: AbortSignal;
  readonly #stopped: Promise<undefined>;
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
    this.#stopped = new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
    this.#names = new Set(queues.map(({ name }) => name));
  }

  /**
   * @param names of the queues, the most urgent first
   * @param worker its name, which the server's board shows
   * @param signal after which it takes no more
   */
  static async open(
    connection: QueueConnection,
    names: readonly string[],
    worker: string,
    timings: QueueTimings,
    signal: AbortSignal,
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
      const order = parseOrder(text);
      if (order?.kind === "cancel") source.#onCancel?.(order.id);
      if (order?.kind !== "look" || !source.#names.has(order.queue)) return;
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
        const taken = await Promise.race([this.#take(queue), this.#stopped]);
        if (taken !== undefined) return taken;
      }
      const left = until - performance.now();
      if (left <= 0) return undefined;
      const pause = new AbortController();
      const waiting = wait(Math.min(left, this.#timings.poll), undefined, {
        signal: AbortSignal.any([this.#signal, pause.signal]),
      });
      this.#wake = () => pause.abort();
      if (this.#isToldToLook) this.#wake();
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
