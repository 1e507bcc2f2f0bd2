import { setTimeout as wait } from "node:timers/promises";
import type { Job, Queue } from "bullmq";
import { InputOutputError, errorOfTag } from "@mbs/contracts";
import { InputLostError } from "../node-worker.ts";
import type { TaskContext } from "../node-worker.ts";
import { addTraffic, noTraffic } from "../store-traffic.ts";
import type { Traffic } from "../store-traffic.ts";
import { isSealed, jobData, jobId, jobKey, jobLife, jobTimeLeft } from "./job.ts";
import type { JobWork } from "./job.ts";
import { parseFailure, parseNews, parseResult, purposes, sealPublished, sealText } from "./messages.ts";
import type { JobFailure, JobResult, News, Order } from "./messages.ts";
import { atMost, orStopped, tryWrite } from "./queue-connection.ts";
import type { QueueConnection } from "./queue-connection.ts";
import { bullPrefix, channels, keys, mostAttempts, queueNames, unreadableName } from "./queue-names.ts";
import type { QueueTimings } from "./queue-names.ts";
import { loadBullmq } from "./queue-packages.ts";
import { signatureOf } from "./queue-seal.ts";
import { isRefusal, refusalOf } from "./server-faults.ts";
import { patienceMs } from "./worker-watch.ts";
import type { WorkerWatch } from "./worker-watch.ts";

export interface BoardOptions {
  readonly connection: QueueConnection;
  /** The store where the run looks for results, as messages name it. */
  readonly store: string;
  readonly watch: WorkerWatch;
  /** Name of the run. */
  readonly run: string;
  /** The class of processors that its jobs are for. */
  readonly processors: string;
  /** Stage → label of the workers that run it. */
  readonly labels: Readonly<Record<string, string>>;
  /** Models that the run has put into the store → their files there, as an artifact. */
  readonly published: ReadonlyMap<string, string>;
  readonly timings: QueueTimings;
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

/** Milliseconds for taking jobs back at the end. */
const takeBackMs = 3000;

/** How often a job may end without a result that the run finds. The first may have been written between two looks. */
const mostMisses = 3;

/** Where a job is: in which queue, since when. */
interface Home {
  readonly queue: string;
  /** The worker whose own queue it is. */
  readonly worker?: string;
  readonly since: number;
  /** Not yet looked at: a job that has ended there ended before the run asked. */
  readonly isNew: boolean;
  /** How often it has ended since, and the run did not find what it made. */
  readonly misses: number;
}

/** Removes a job. @returns whether it is gone: a worker that is at it keeps it @throws what the server refuses */
async function removeJob(job: Job): Promise<boolean> {
  try {
    await job.remove();
    return true;
  } catch (cause) {
    if (isRefusal(cause)) throw cause;
    return false;
  }
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
  /** Looks for workers now and then. */
  #looks: NodeJS.Timeout | undefined;
  /** Jobs that have not ended. */
  readonly #waiting = new Set<Asked>();
  /** Labels that no worker had when it last looked, as in WorkerWatch.warnOfNone. */
  #toldOfNone: ReadonlySet<string | undefined> = new Set();

  private constructor(options: BoardOptions, open: (name: string) => Queue) {
    this.#options = options;
    this.#open = open;
  }

  /** @throws {InterruptedError} when the signal fires before it is open */
  static async open(options: BoardOptions, signal: AbortSignal): Promise<JobBoard> {
    const { Queue: BullQueue } = await loadBullmq();
    const { connection } = options;
    const board = new JobBoard(options, (name) => {
      const queue = new BullQueue(name, { connection: connection.redis, prefix: bullPrefix, skipVersionCheck: true });
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      return queue;
    });
    const subscribed = connection.subscribe(channels.news, (text) => {
      const news = parseNews(text, connection.seal);
      if (news !== undefined) for (const listener of board.#listeners.get(news.id) ?? []) listener(news);
    });
    await orStopped(subscribed, signal);
    board.#looks = setInterval(() => void board.#lookForWorkers().catch(() => undefined), patienceMs).unref();
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
    clearInterval(this.#looks);
  }

  /**
   * Has a job done by any worker: finds its result, or puts it into a queue and looks at it until it has ended.
   *
   * @throws the error of the stage; {InputLostError} where an input was not in the store; {InternalError} where its workers were lost
   *   too often; {InputOutputError} where workers make results that are not in the store
   */
  async ask(asked: Asked, context: TaskContext): Promise<JobResult> {
    const { connection, run } = this.#options;
    const { redis, seal } = connection;
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
    this.#waiting.add(asked);
    let isDone = false;
    try {
      await orStopped(redis.multi().sadd(keys.askers(id), run).expire(keys.askers(id), keepAskers).exec(), signal);
      let home = await orStopped(this.#homeOf(asked), signal);
      for (let round = 0; ; round++) {
        // the rest of a round may only read, and a server that takes nothing from workers answers that
        await orStopped(tryWrite(redis), signal);
        const result = parseResult(key, await orStopped(redis.get(keys.result(key)), signal), seal);
        if (result !== undefined && (await asked.isThere(result.address))) {
          isDone = true;
          this.#ranBy.set(asked.node, result.by);
          // what was there before the run asked was moved for another one
          if (round > 0) this.#count(result);
          for (const warning of result.warnings) context.warn(warning);
          return result;
        }
        const { misses } = home;
        home = await orStopped(this.#look(id, home, asked), signal);
        if (home.misses === mostMisses) throw this.#missing(asked, result);
        // a worker that has the result elsewhere answers at once, again and again
        const isHasty = misses > 0 && home.misses > misses;
        const polled = new AbortController();
        await new Promise<void>((resolve, reject) => {
          wake = isHasty ? undefined : resolve;
          if (isNews && !isHasty) resolve();
          orStopped(wait(this.#options.timings.poll, undefined, { signal: polled.signal }), signal).then(resolve, reject);
        }).finally(() => polled.abort());
        isNews = false;
      }
    } catch (cause) {
      throw refusalOf(connection.place, cause);
    } finally {
      this.#waiting.delete(asked);
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(id);
      await this.#leave(id, isDone);
    }
  }

  /** Why a job that ends again and again has no result for the run. */
  #missing({ node }: Asked, result: JobResult | undefined): InputOutputError {
    const { connection, store } = this.#options;
    return new InputOutputError(
      result === undefined
        ? `${connection.place} has lost what a worker made of ${node}, ${mostMisses} times; give it more memory, or set its maxmemory-policy to noeviction`
        : `${result.worker} has made ${node}, and it is not in ${store}; check that the worker has the same --store (the artifact is ${result.address})`,
    );
  }

  #labelOf({ work: { stage } }: Asked): string | undefined {
    const { labels } = this.#options;
    return Object.hasOwn(labels, stage) ? labels[stage] : undefined;
  }

  /** The queue that a job goes to: of its label, of the worker that ran the node before it, or of all. */
  async #homeOf(asked: Asked): Promise<Home> {
    const { processors, connection } = this.#options;
    const { circle } = connection;
    const { affinity } = asked;
    const start = { since: performance.now(), isNew: true, misses: 0 };
    const label = this.#labelOf(asked);
    if (label !== undefined) return { queue: queueNames.ofLabel(label, processors, circle), ...start };
    const before = affinity === undefined ? undefined : this.#ranBy.get(affinity);
    const isThere = before !== undefined && (await this.#isPresent(before));
    return isThere
      ? { queue: queueNames.ofWorker(before), worker: before, ...start }
      : { queue: queueNames.ofClass(processors, circle), ...start };
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
  async #look(id: string, home: Home, asked: Asked): Promise<Home> {
    const { timings } = this.#options;
    const queue = this.#queue(home.queue);
    // first: a job that fails between the two has its reason
    const state = await queue.getJobState(id);
    const job = state === "unknown" ? undefined : await this.#find(queue, id);
    if (job === undefined) {
      await this.#add(queue, id, asked);
      return { ...home, since: performance.now(), isNew: false };
    }
    const failure = state === "failed" ? this.#failureOf(job, id) : undefined;
    // one without a failure of a worker was written by others
    const isStale = home.isNew || job.name === unreadableName || failure === undefined || failure.tag === "interrupted";
    if (state === "completed" || (state === "failed" && isStale)) {
      // what it has made is gone, another run's try failed or was stopped, or it could not be read: a job whose id still exists
      // would not be added
      if (!(await removeJob(job))) return home;
      const misses = home.misses + (state === "completed" && !home.isNew ? 1 : 0);
      return this.#look(id, { ...home, isNew: false, misses }, asked);
    }
    const seen: Home = { ...home, isNew: false };
    if (failure !== undefined) return this.#fail(job, failure);
    // what is at work is known by the signature that its worker has read
    if (state !== "active") await this.#renew(job, id, asked);
    if (home.worker === undefined) return seen;
    const isGone = !(await this.#isPresent(home.worker));
    const isLate = state !== "active" && performance.now() - home.since > timings.follow;
    if (!isGone && !isLate) return seen;
    // one that has just begun stays, if its worker is there
    if (!(await removeJob(job)) && !isGone) return seen;
    if (asked.affinity !== undefined) this.#ranBy.delete(asked.affinity);
    return this.#look(id, { ...(await this.#homeOf(asked)), misses: home.misses }, asked);
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

  /** Why a job failed, as a worker has said of this very job. */
  #failureOf({ data, failedReason }: Job, id: string): JobFailure | undefined {
    const { seal } = this.#options.connection;
    if (!isSealed(data, id, seal)) return undefined;
    return parseFailure(purposes.failure(id, signatureOf(data) ?? ""), failedReason, seal);
  }

  /** Signs a job again that has waited for so long that its signature would end. */
  async #renew(job: Job, id: string, { work }: Asked): Promise<void> {
    const { connection, run } = this.#options;
    const { seal } = connection;
    if (seal.keyName === undefined || jobTimeLeft(job.data, id, seal) > jobLife / 2) return;
    // one that has just ended has no data to change
    await job.updateData(jobData(work, run, seal)).catch(() => undefined);
  }

  async #add(queue: Queue, id: string, { work, height }: Asked): Promise<void> {
    const { timings, published, connection, run } = this.#options;
    // with each job: the server may have lost all it had
    for (const [model, artifact] of published) {
      await connection.redis.set(keys.model(model), sealPublished(connection.seal, model, artifact), "EX", keepModels);
    }
    await queue.add(work.stage, jobData(work, run, connection.seal), {
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
    const { redis, seal } = this.#options.connection;
    await redis.publish(channels.orders, sealText(seal, purposes.orders, order));
  }

  async #fail(job: Job, { tag, message, worker, lost }: JobFailure): Promise<never> {
    // a later run must not meet it
    await job.remove().catch(() => undefined);
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
    await atMost(
      take().catch(() => undefined),
      takeBackMs,
    );
  }

  async #lookForWorkers(): Promise<void> {
    const { watch, processors } = this.#options;
    if (this.#waiting.size === 0) return;
    const labels = new Set([...this.#waiting].map((asked) => this.#labelOf(asked)));
    this.#toldOfNone = await watch.warnOfNone(processors, labels, this.#toldOfNone);
  }
}
