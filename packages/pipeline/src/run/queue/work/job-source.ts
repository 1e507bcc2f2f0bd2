import { setTimeout as wait } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import type { Job, Worker } from "bullmq";
import { channels, bullPrefix, mostAttempts } from "../queue-names.ts";
import type { QueueTimings } from "../queue-names.ts";
import { parseOrder } from "../messages.ts";
import type { QueueConnection } from "../queue-connection.ts";

/** A job that this worker has, as long as it renews its lock. */
export interface TakenJob {
  readonly job: Job;
  readonly token: string;
}

/** The queues of a worker: one job at a time, from the first of them that has one. */
export class JobSource {
  readonly #queues: readonly Worker[];
  readonly #timings: QueueTimings;
  readonly #names: ReadonlySet<string>;
  readonly #signal: AbortSignal;
  readonly #stopped: Promise<undefined>;
  #onCancel: ((id: string) => void) | undefined;
  #wake = (): void => undefined;
  #isToldToLook = false;

  private constructor(queues: readonly Worker[], timings: QueueTimings, signal: AbortSignal) {
    this.#queues = queues;
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
    const { Worker: BullWorker } = await import("bullmq");
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
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      void queue.startStalledCheckTimer();
      return queue;
    });
    const source = new JobSource(queues, timings, signal);
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
        const token = randomUUID();
        // what is no job at all is left to the server's own count of tries
        const fetched = queue.getNextJob(token, { block: false }).catch(() => undefined);
        // a server that is away answers nothing
        const job = await Promise.race<Job | undefined>([fetched, this.#stopped]);
        if (job !== undefined) return { job, token };
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
