import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { BadDataError, InternalError, InterruptedError, noObserver, observed } from "@mbs/contracts";
import type { Device, DeviceReport, MbsError, Observer, Progress, Stage } from "@mbs/contracts";
import type { SharedStore } from "@mbs/shared-store";
import { InputLostError, WorkerLostError } from "../../node-worker.ts";
import type { TaskContext } from "../../node-worker.ts";
import { noTraffic } from "../../store-traffic.ts";
import { parseResult, purposes, sealText } from "../messages.ts";
import type { JobFailure, JobResult, News, WorkerCard } from "../messages.ts";
import { atMost } from "../queue-connection.ts";
import type { QueueConnection, QueuePlace } from "../queue-connection.ts";
import { channels, keys, mostAttempts, queueNames, queuesOf } from "../queue-names.ts";
import type { QueueTimings } from "../queue-names.ts";
import { loadBullmq } from "../queue-packages.ts";
import { signatureOf } from "../queue-seal.ts";
import { isRefusal, refusalLine, refusalOf } from "../server-faults.ts";
import { presentCards } from "../worker-watch.ts";
import { JobRunner, ModelMissingError } from "./job-runner.ts";
import { JobSource } from "./job-source.ts";
import type { TakenJob } from "./job-source.ts";

export interface WorkOptions extends QueuePlace {
  /** The store that all machines see. */
  readonly store: string;
  /** Folder whose folders, or theirs, are models; those that are not there come from the store, where runs publish them. */
  readonly modelRoot?: string | undefined;
  /** It also takes jobs of these labels. */
  readonly labels?: readonly string[];
  /** Folder of artifacts at hand, of this worker alone; default a temporary one. */
  readonly cache?: string | undefined;
  /** Bytes of artifacts and fetched models that stay there. */
  readonly cacheLimit: number;
  /** Bytes for what later jobs may need. */
  readonly memory?: number | undefined;
  /** What runs models: a part of its class. Default "cpu". */
  readonly device?: Device | undefined;
  /** The program's stages. It runs no others. */
  readonly stages: ReadonlyMap<string, () => Promise<Stage>>;
  /** The program and arguments that start a process which calls `serveWorker`. */
  readonly command: readonly string[];
  /** Any thrown value as an error with a tag. */
  readonly toError: (thrown: unknown) => MbsError;
  /** Leave after one job. */
  readonly once?: boolean;
  /** Milliseconds without a job after which it leaves. */
  readonly idleExit?: number | undefined;
  /** Milliseconds that a job may take. */
  readonly jobLimit?: number | undefined;
  /** Milliseconds that the job at work has when the signal fires; then it is stopped, and given back. */
  readonly leaveGrace?: number | undefined;
  /** Fires when it is to leave. */
  readonly signal: AbortSignal;
  /** A line on what it does. */
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  readonly progress: (progress: Progress) => void;
  /** Called with what each job did on a graphics processor. */
  readonly onDevice?: (report: DeviceReport) => void;
  /** Gets reports of every job that runs. */
  readonly observer?: Observer | undefined;
  readonly timings?: Partial<QueueTimings>;
}

/** Seconds that the server remembers what a job has made. */
const keepResults = 7 * 24 * 3600;
/** Milliseconds between two messages of progress. */
const progressMs = 1000;
/** Milliseconds after the grace in which a job stops and is given back. */
const giveUpMs = 15_000;
/** Milliseconds for saying good-bye to a server that may be away. */
export const goodbyeMs = 2000;

/** Whether BullMQ says that a job is not there, or is another worker's: it numbers these errors. */
const isTakenAway = (thrown: unknown): boolean => thrown instanceof Error && "code" in thrown && typeof thrown.code === "number";

/** A worker at a queue. */
export class QueueWorker {
  readonly #options: WorkOptions;
  readonly #timings: QueueTimings;
  readonly #connection: QueueConnection;
  readonly #store: SharedStore;
  readonly #source: JobSource;
  readonly #runner: JobRunner;
  #card: WorkerCard;
  /** Whether it has warned of what the server refuses. */
  #isRefused = false;

  constructor(
    options: WorkOptions,
    timings: QueueTimings,
    parts: { connection: QueueConnection; store: SharedStore; source: JobSource; runner: JobRunner; card: WorkerCard },
  ) {
    this.#options = options;
    this.#timings = timings;
    this.#connection = parts.connection;
    this.#store = parts.store;
    this.#source = parts.source;
    this.#runner = parts.runner;
    this.#card = parts.card;
  }

  /** Says that it is there, until it is closed. */
  startPresence(): NodeJS.Timeout {
    const tell = (): void => void this.#tellPresence().catch((cause: unknown) => this.#warnOfRefusal(cause));
    tell();
    return setInterval(tell, this.#timings.presence / 3);
  }

  /** Names what the server refuses, once until it takes what this worker says of itself again. */
  #warnOfRefusal(cause: unknown): void {
    if (!isRefusal(cause) || this.#isRefused) return;
    this.#isRefused = true;
    this.#options.warn(`${refusalLine(this.#connection.place, cause)}; this worker waits for it`);
  }

  async #tellPresence(): Promise<void> {
    const { redis, seal } = this.#connection;
    const { id } = this.#card;
    // what waits in the line while the server is away is enough
    if (redis.status !== "ready") return;
    await redis.set(keys.worker(id), sealText(seal, purposes.card(id), this.#card), "PX", this.#timings.presence);
    this.#isRefused = false;
  }

  /** Runs jobs until it is to leave. @returns how many */
  async runJobs(): Promise<number> {
    const { signal, once: isOnce = false, idleExit = Infinity } = this.#options;
    let done = 0;
    while (!signal.aborted) {
      const taken = await this.#source.next(Math.min(idleExit, 2 ** 31 - 1));
      if (taken === undefined) {
        if (idleExit !== Infinity) break;
        continue;
      }
      await this.#do(taken);
      done += 1;
      if (isOnce) break;
      if (this.#card.hasTrouble) await this.#pause();
    }
    return done;
  }

  /** Leaves what waits to workers whose machine is well. */
  async #pause(): Promise<void> {
    await wait(this.#timings.follow, undefined, { signal: this.#options.signal }).catch(() => undefined);
  }

  async #do(taken: TakenJob): Promise<void> {
    const { signal, leaveGrace = 30_000 } = this.#options;
    const stopping = new AbortController();
    let isCancelled = false;
    const timers: NodeJS.Timeout[] = [];
    const givenUp = new AbortController();
    const leave = (): void => {
      timers.push(setTimeout(() => stopping.abort(), leaveGrace));
      // a server that is away takes nothing back
      timers.push(setTimeout(() => givenUp.abort(), leaveGrace + giveUpMs));
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    const cancel = (): void => {
      isCancelled = true;
      stopping.abort();
    };
    try {
      const held = this.#source.holding(taken, cancel, async () => {
        try {
          await this.#finish(taken, await this.#result(taken, stopping.signal));
        } catch (thrown) {
          if (isTakenAway(thrown)) throw thrown;
          await this.#giveBack(taken, thrown, isCancelled);
        }
      });
      await Promise.race([held, once(givenUp.signal, "abort")]);
    } catch (error) {
      // its lock ends by itself, and another worker begins it again
      if (isRefusal(error)) this.#warnOfRefusal(error);
      // the lock was lost or the job is gone: another worker has it, or the run asks again
      else this.#options.warn(`a job is not this worker's any more: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      signal.removeEventListener("abort", leave);
      for (const timer of timers) clearTimeout(timer);
    }
  }

  /** What a job has made: now, or at any time before. */
  async #result({ job, unreadable }: TakenJob, signal: AbortSignal): Promise<{ key: string; result: JobResult }> {
    const { say, observer = noObserver } = this.#options;
    if (unreadable !== undefined) {
      throw new BadDataError(`the job was refused: what the server has of it is no job (${unreadable})`);
    }
    const checked = await this.#runner.check(job.data, job.id);
    // its workers ended as often as a job is begun
    if (job.deferredFailure !== undefined) throw new InternalError(`its workers were lost ${mostAttempts} times; it is given up`);
    const { key } = checked;
    const { redis, seal } = this.#connection;
    const before = parseResult(key, await redis.get(keys.result(key)), seal);
    if (before !== undefined && (await this.#store.has(before.address, { signal }))) {
      this.#card = { ...this.#card, hasTrouble: false };
      return { key, result: { ...before, traffic: noTraffic } };
    }
    const started = performance.now();
    say(`${checked.work.stage} ${key.slice(0, 12)}: begun`);
    const warnings: string[] = [];
    // by the clock of the machine that has asked for it
    const waited = Math.max(0, (Date.now() - job.timestamp) / 1000);
    const endStage = observer.stage({ stage: checked.work.stage, name: key.slice(0, 12), peer: this.#card.name, waited });
    const { address, traffic } = await observed(
      endStage,
      () => this.#runner.run(checked, this.#context(String(job.id), signal, warnings)),
      { moved: ({ traffic: { fetched, put } }) => ({ received: fetched, sent: put }) },
    );
    this.#card = { ...this.#card, hasTrouble: false };
    say(`${checked.work.stage} ${key.slice(0, 12)}: done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    return { key, result: { address, by: this.#card.id, worker: this.#card.name, warnings, traffic } };
  }

  #context(id: string, signal: AbortSignal, warnings: string[]): TaskContext {
    let told = 0;
    return {
      signal,
      warn: (message) => void warnings.push(message),
      onDevice: (report) => this.#options.onDevice?.(report),
      progress: (progress) => {
        this.#options.progress(progress);
        if (performance.now() - told < progressMs) return;
        told = performance.now();
        void this.#tell({ kind: "progress", id, progress });
      },
    };
  }

  async #tell(news: News): Promise<void> {
    const { redis, seal } = this.#connection;
    if (redis.status !== "ready") return;
    await redis.publish(channels.news, sealText(seal, purposes.news, news)).catch(() => 0);
  }

  async #finish({ job, token }: TakenJob, { key, result }: { key: string; result: JobResult }): Promise<void> {
    // before the job is done: who finds the one finds the other, and a run looks for this alone
    const { redis, seal } = this.#connection;
    await redis.set(keys.result(key), sealText(seal, purposes.result(key), result), "EX", keepResults);
    try {
      await job.moveToCompleted(result.address, token, false);
    } finally {
      await this.#tell({ kind: "changed", id: String(job.id) });
    }
  }

  /** The job fails for good. */
  async #fail({ job, token }: TakenJob, reason: string): Promise<void> {
    const { UnrecoverableError } = await loadBullmq();
    await job.moveToFailed(new UnrecoverableError(reason), token);
    await this.#tell({ kind: "changed", id: String(job.id) });
  }

  async #giveBack(taken: TakenJob, thrown: unknown, isCancelled: boolean): Promise<void> {
    const { job, token } = taken;
    const { warn, toError, signal } = this.#options;
    const id = String(job.id);
    const error = toError(refusalOf(this.#connection.place, thrown));
    const name = `${job.name} ${id.slice(5, 17)}`;
    if (thrown instanceof InterruptedError && signal.aborted && !isCancelled) {
      warn(`${name}: given back`);
      await job.moveToWait(token);
      return;
    }
    const isOfMachine = !(thrown instanceof InputLostError) && (error.tag === "input-output" || error.tag === "try-again");
    const isTrouble = isOfMachine || thrown instanceof ModelMissingError;
    this.#card = { ...this.#card, hasTrouble: isTrouble };
    // what a server refuses this worker it refuses others
    const isLeft = isTrouble && !isCancelled && !isRefusal(thrown) && (await this.#canOthers(job.queueName));
    // a model that no other worker has either is said at once
    if (!isOfMachine && !isLeft) this.#card = { ...this.#card, hasTrouble: false };
    const isRepeatable = isTrouble || thrown instanceof WorkerLostError;
    const failure: JobFailure = {
      tag: error.tag,
      message: error.message,
      worker: this.#card.name,
      lost: thrown instanceof InputLostError ? thrown.addresses : [],
    };
    const pause = this.#card.hasTrouble ? `; takes no other node for ${this.#timings.follow / 1000} s` : "";
    warn(`${name}: ${isCancelled ? "taken back by its run" : `${error.message}${pause}`}`);
    const again: News = { kind: "again", id, message: `${error.message} (on ${this.#card.name}); it is tried again` };
    if (isLeft) {
      await job.moveToWait(token);
      await this.#tell(again);
      return;
    }
    const isLast = !isRepeatable || isCancelled || job.attemptsMade + 1 >= mostAttempts;
    const text = sealText(this.#connection.seal, purposes.failure(id, signatureOf(job.data) ?? ""), failure);
    if (isLast) {
      await this.#fail(taken, text);
      if (isCancelled) await job.remove();
      return;
    }
    await job.moveToFailed(new Error(text), token);
    await this.#tell(again);
  }

  /** Whether a worker without trouble of its own is there, busy or not, that takes nodes of a queue, too. */
  async #canOthers(queue: string): Promise<boolean> {
    await this.#tellPresence();
    const { circle } = this.#connection;
    const { id, processors, mbs } = this.#card;
    // its run takes what waits in this worker's own queue to that of the class
    const taken = queue === queueNames.ofWorker(id) ? queueNames.ofClass(processors, circle) : queue;
    for await (const [, card] of presentCards(this.#connection)) {
      if ("foreign" in card || card.hasTrouble || card.mbs !== mbs || card.id === id) continue;
      if (queuesOf(card, circle).includes(taken)) return true;
    }
    return false;
  }

  async leave(): Promise<void> {
    const { redis } = this.#connection;
    if (redis.status !== "ready") return;
    const goodbye = redis.del(keys.worker(this.#card.id)).catch(() => 0);
    await atMost(goodbye, goodbyeMs);
  }
}
