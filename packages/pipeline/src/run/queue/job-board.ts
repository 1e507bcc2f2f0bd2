import { setTimeout as wait } from "node:timers/promises";
import type { Job, Queue } from "bullmq";
import { InternalError, errorOfTag } from "@mbs/contracts";
import { InputLostError } from "../node-worker.ts";
import type { TaskContext } from "../node-worker.ts";
import { addTraffic, noTraffic } from "../store-traffic.ts";
import type { Traffic } from "../store-traffic.ts";
import { jobData, jobId, jobKey } from "./job.ts";
import type { JobWork } from "./job.ts";
import { parseCard, parseFailure, parseNews, parseResult } from "./messages.ts";
import type { JobResult, News, Order, WorkerCard } from "./messages.ts";
import { orStopped, refusalOf, scanKeys } from "./queue-connection.ts";
import type { QueueConnection } from "./queue-connection.ts";
import { bullPrefix, channels, keys, mostAttempts, queueNames, unreadableName } from "./queue-names.ts";
import type { QueueTimings } from "./queue-names.ts";
import { loadBullmq } from "./queue-packages.ts";

export interface BoardOptions {
  readonly connection: QueueConnection;
  /** Name of the run. */
  readonly run: string;
  /** The class of processors that its jobs are for. */
  readonly processors: string;
  /** Stage → label of the workers that run it. */
  readonly labels: Readonly<Record<string, string>>;
  /** Models that the run has put into the store → their files there, as an artifact. */
  readonly published: ReadonlyMap<string, string>;
  readonly timings: QueueTimings;
  readonly warn: (message: string) => void;
}

/** A job, and how the queue treats it. */
export interface Asked {
  readonly work: JobWork;
  /** Id of its node, and of the one that it has an affinity to. */
  readonly node: string;
  readonly affinity?: string | undefined;
  readonly height: number;
  /** Whether its result is in the store. */
  readonly isThere: (address: string) => Promise<boolean>;
}

/** Seconds that the server keeps jobs that have ended, and what they have made. */
const keepJobs = 3600;
const keepAskers = 24 * 3600;
const keepModels = 7 * 24 * 3600;

/** BullMQ takes 1 to 2^21, the smallest first. */
const leastUrgent = 2 ** 21 - 1;

/** Milliseconds between two looks for workers. */
const lookMs = 500;
/** Milliseconds that jobs wait before a warning that no worker is there. */
const patienceMs = 10_000;
/** Milliseconds for taking jobs back at the end. */
const takeBackMs = 3000;

/** The workers that say that they are there. */
export async function presentWorkers({ redis }: QueueConnection): Promise<WorkerCard[]> {
  const found: WorkerCard[] = [];
  for await (const names of scanKeys(redis, keys.anyWorker)) {
    const cards = names.length === 0 ? [] : await redis.mget(...names);
    found.push(...cards.flatMap((card) => parseCard(card) ?? []));
  }
  return found.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

/** Waits for a worker; of a class where one is given. */
export async function firstWorker(
  connection: QueueConnection,
  { processors, signal, warn }: { processors?: string | undefined; signal: AbortSignal; warn: (message: string) => void },
): Promise<WorkerCard> {
  const started = performance.now();
  let isTold = false;
  for (;;) {
    const workers = await orStopped(presentWorkers(connection), signal);
    const found = workers.find((worker) => processors === undefined || worker.processors === processors);
    if (found !== undefined) return found;
    if (!isTold && performance.now() - started > patienceMs) {
      isTold = true;
      warn(noWorker(connection.place, processors, workers));
    }
    await orStopped(wait(lookMs), signal);
  }
}

function noWorker(place: string, processors: string | undefined, others: readonly WorkerCard[]): string {
  const classes = [...new Set(others.map((other) => other.processors))];
  const found = classes.length === 0 ? "" : `; those that are there are ${classes.join(", ")}`;
  const wanted = processors === undefined ? "worker" : `worker of class ${processors}`;
  return `waiting: no ${wanted} is at ${place}${found}; start one with mbs work --queue ${place}`;
}

/** Where a job is: in which queue, since when. */
interface Home {
  readonly queue: string;
  /** The worker whose own queue it is. */
  readonly worker?: string;
  readonly since: number;
}

/** What a run asks for, and waits for, on a queue. What is in the queue may be lost at any time; then it is asked for again. */
export class JobBoard {
  readonly #options: BoardOptions;
  readonly #open: (name: string) => Queue;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Map<string, Set<(news: News) => void>>();
  /** Node → the worker that ran it. */
  readonly #ranBy = new Map<string, string>();
  readonly #traffic = new Map<string, Traffic>();
  readonly #watch: NodeJS.Timeout;
  #waiting = 0;
  #isToldOfNone = false;

  private constructor(options: BoardOptions, open: (name: string) => Queue) {
    this.#options = options;
    this.#open = open;
    this.#watch = setInterval(() => void this.#lookForWorkers().catch(() => undefined), patienceMs);
    this.#watch.unref();
  }

  static async open(options: BoardOptions): Promise<JobBoard> {
    const { Queue: BullQueue } = await loadBullmq();
    const { connection } = options;
    const board = new JobBoard(options, (name) => {
      const queue = new BullQueue(name, { connection: connection.redis, prefix: bullPrefix, skipVersionCheck: true });
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      return queue;
    });
    await connection.subscribe(channels.news, (text) => {
      const news = parseNews(text);
      if (news !== undefined) for (const listener of board.#listeners.get(news.id) ?? []) listener(news);
    });
    return board;
  }

  /** What each worker has moved for this run, by name. */
  get traffic(): ReadonlyMap<string, Traffic> {
    return this.#traffic;
  }

  #count({ worker, traffic }: JobResult): void {
    this.#traffic.set(worker, addTraffic(this.#traffic.get(worker) ?? noTraffic, traffic));
  }

  close(): void {
    clearInterval(this.#watch);
  }

  /**
   * Has a job done by any worker: finds its result, or puts it into a queue and looks at it until it has ended.
   *
   * @throws the error of the stage; {InputLostError} where an input was not in the store; {InternalError} where it was tried too often
   */
  async ask(asked: Asked, context: TaskContext): Promise<JobResult> {
    const { redis } = this.#options.connection;
    const key = jobKey(asked.work);
    const id = jobId(key);
    const { signal } = context;
    let wake: (() => void) | undefined;
    let isNews = false;
    const listener = (news: News): void => {
      if (news.kind === "progress") return context.progress(news.progress);
      if (news.kind === "again") context.warn(news.message);
      isNews = true;
      wake?.();
    };
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    this.#waiting += 1;
    let isDone = false;
    try {
      await orStopped(redis.multi().sadd(keys.askers(id), this.#options.run).expire(keys.askers(id), keepAskers).exec(), signal);
      let home = await orStopped(this.#homeOf(asked), signal);
      for (let round = 0; ; round++) {
        const result = parseResult(await orStopped(redis.get(keys.result(key)), signal));
        if (result !== undefined && (await asked.isThere(result.address))) {
          isDone = true;
          this.#ranBy.set(asked.node, result.by);
          // what was there before the run asked was moved for another one
          if (round > 0) this.#count(result);
          for (const warning of result.warnings) context.warn(warning);
          return result;
        }
        home = await orStopped(this.#look(id, home, asked, round === 0), signal);
        const polled = new AbortController();
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          if (isNews) resolve();
          orStopped(wait(this.#options.timings.poll, undefined, { signal: polled.signal }), signal).then(resolve, reject);
        }).finally(() => polled.abort());
        isNews = false;
      }
    } catch (cause) {
      throw refusalOf(this.#options.connection.place, cause);
    } finally {
      this.#waiting -= 1;
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(id);
      await this.#leave(id, isDone);
    }
  }

  /** The queue that a job goes to: of its label, of the worker that ran the node before it, or of all. */
  async #homeOf({ work, affinity }: Asked): Promise<Home> {
    const { processors, labels } = this.#options;
    const since = performance.now();
    const label = Object.hasOwn(labels, work.stage) ? labels[work.stage] : undefined;
    if (label !== undefined) return { queue: queueNames.ofLabel(label, processors), since };
    const before = affinity === undefined ? undefined : this.#ranBy.get(affinity);
    const isThere = before !== undefined && (await this.#isPresent(before));
    return isThere
      ? { queue: queueNames.ofWorker(before), worker: before, since }
      : { queue: queueNames.ofClass(processors), since };
  }

  async #isPresent(worker: string): Promise<boolean> {
    return (await this.#options.connection.redis.exists(keys.worker(worker))) === 1;
  }

  #queue(name: string): Queue {
    const queue = this.#queues.get(name) ?? this.#open(name);
    this.#queues.set(name, queue);
    return queue;
  }

  /** Looks at a job and does what it needs. @returns where it is now */
  async #look(id: string, home: Home, asked: Asked, isFirst: boolean): Promise<Home> {
    const { timings } = this.#options;
    const queue = this.#queue(home.queue);
    // first: a job that fails between the two has its reason
    const state = await queue.getJobState(id);
    const job = state === "unknown" ? undefined : await this.#find(queue, id);
    if (job === undefined) {
      await this.#add(queue, id, asked);
      return { ...home, since: performance.now() };
    }
    const isStale = isFirst || job.name === unreadableName || parseFailure(job.failedReason)?.tag === "interrupted";
    if (state === "completed" || (state === "failed" && isStale)) {
      // what it has made is gone, another run's try failed or was stopped, or it could not be read: a job whose id still exists
      // would not be added
      await job.remove().catch(() => undefined);
      return this.#look(id, home, asked, false);
    }
    if (state === "failed") return this.#fail(job);
    if (home.worker === undefined) return home;
    const isGone = !(await this.#isPresent(home.worker));
    const isLate = state !== "active" && performance.now() - home.since > timings.follow;
    if (!isGone && !isLate) return home;
    const isRemoved = await job.remove().then(
      () => true,
      () => false,
    );
    // one that has just begun stays, if its worker is there
    if (!isRemoved && !isGone) return home;
    if (asked.affinity !== undefined) this.#ranBy.delete(asked.affinity);
    return this.#look(id, await this.#homeOf(asked), asked, true);
  }

  /** A job of a queue. One that cannot be read, since someone else has written it, is removed and counts as none. */
  async #find(queue: Queue, id: string): Promise<Job | undefined> {
    try {
      return (await queue.getJob(id)) as Job | undefined;
    } catch (cause) {
      if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
      await queue.remove(id).catch(() => 0);
      return undefined;
    }
  }

  async #add(queue: Queue, id: string, { work, height }: Asked): Promise<void> {
    const { timings, published, connection } = this.#options;
    // with each job: the server may have lost all it had
    for (const [model, artifact] of published) await connection.redis.set(keys.model(model), artifact, "EX", keepModels);
    await queue.add(work.stage, jobData(work), {
      jobId: id,
      priority: Math.max(1, leastUrgent - height),
      attempts: mostAttempts,
      backoff: { type: "exponential", delay: timings.backoff },
      removeOnComplete: { age: keepJobs },
      removeOnFail: { age: keepJobs },
    });
    await this.#order({ kind: "look", queue: queue.name });
  }

  async #order(order: Order): Promise<void> {
    await this.#options.connection.redis.publish(channels.orders, JSON.stringify(order));
  }

  async #fail(job: Job): Promise<never> {
    const failure = parseFailure(job.failedReason);
    // a later run must not meet it
    await job.remove().catch(() => undefined);
    if (failure === undefined) {
      const by = job.processedBy === undefined ? "" : `; the last one was ${job.processedBy}`;
      throw new InternalError(`its workers were lost ${mostAttempts} times (${job.failedReason})${by}`);
    }
    const { tag, message, worker, lost } = failure;
    const said = `${message} (on ${worker})`;
    if (lost.length > 0) throw new InputLostError(said, lost);
    throw errorOfTag(tag, said);
  }

  /** Takes back what nobody waits for any more. */
  async #leave(id: string, isDone: boolean): Promise<void> {
    const { connection, run } = this.#options;
    const take = async (): Promise<void> => {
      await connection.redis.srem(keys.askers(id), run);
      if (isDone || (await connection.redis.scard(keys.askers(id))) > 0) return;
      for (const queue of this.#queues.values()) await queue.remove(id).catch(() => 0);
      await this.#order({ kind: "cancel", id });
    };
    // a server that is away has nothing to take back
    await Promise.race([take().catch(() => undefined), wait(takeBackMs, undefined, { ref: false })]);
  }

  async #lookForWorkers(): Promise<void> {
    const { connection, processors, warn } = this.#options;
    if (this.#waiting === 0) return;
    const workers = await presentWorkers(connection);
    const isNone = !workers.some((worker) => processors === "mixed" || worker.processors === processors);
    if (isNone && !this.#isToldOfNone) warn(noWorker(connection.place, processors, workers));
    this.#isToldOfNone = isNone;
  }
}
