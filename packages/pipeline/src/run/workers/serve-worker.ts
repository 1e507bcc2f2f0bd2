import { Worker } from "node:worker_threads";
import { ArtifactStore } from "@mbs/artifacts";
import { createObjectPool, InternalError, splitKept } from "@mbs/contracts";
import type { MbsError, ObjectPool, Stage } from "@mbs/contracts";
import { pinRevisions } from "@mbs/hub";
import { OwnWorker } from "../node-worker.ts";
import type { NodeTask, TaskContext } from "../node-worker.ts";
import { runFolder } from "../run-folder.ts";
import type { FromWorker, ToWorker, WorkerSetting } from "./messages.ts";

export interface ServeOptions {
  /** A stage by the name that a recipe has for it. */
  readonly stage: (name: string) => Promise<Stage>;
  /** Any thrown value as an error with a tag. */
  readonly toError: (thrown: unknown) => MbsError;
}

/** A parent that is gone needs no message. @param done called when it was handed to the channel */
const tell = (message: FromWorker, done = (): void => undefined): void =>
  void process.send?.(message, undefined, undefined, done);

/** Milliseconds between two messages of progress. */
const progressMs = 100;

/** Milliseconds between two signs of life while it writes what it holds. */
const aliveMs = 2000;

/**
 * Ends this process when its parent has gone. It is a thread, since native code and endless loops keep the others busy. It
 * gets the parent from here: on a busy machine that may be gone before the thread begins.
 */
const watch = `
  const parent = require("node:worker_threads").workerData;
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 500);
`;

interface Begun {
  readonly worker: OwnWorker;
  readonly pool: ObjectPool;
}

function begin({ root, results, threads, device, memory, revisions }: WorkerSetting, { stage }: ServeOptions): Begun {
  pinRevisions(revisions);
  const folder = runFolder(root, results);
  const kept = splitKept(memory);
  const pool = createObjectPool(kept.pool);
  const store = new ArtifactStore(folder.artifacts, { memory: kept.artifacts });
  return { worker: new OwnWorker({ folder, store, stage, threads, device, pool }), pool };
}

/** Does what the messages of the parent ask for, and answers them. */
class ParentService {
  readonly #options: ServeOptions;
  #begun: Begun | undefined;
  #stopping = new AbortController();
  /** When progress was last reported. */
  #reportedAt = 0;

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  /** @param onEnd called when the parent says that this is the end */
  answer(message: ToWorker, onEnd: () => void): void {
    switch (message.kind) {
      case "begin":
        this.#begun = begin(message.setting, this.#options);
        return;
      case "run":
        return void this.#run(message.task);
      case "stop":
        return this.#stopping.abort();
      case "remove":
        return this.#begun?.worker.remove(message.addresses, Promise.resolve());
      case "flush":
        return void this.#flush();
      case "end":
        onEnd();
    }
  }

  fail(of: "run" | "flush", thrown: unknown, done?: () => void): void {
    const { tag, message } = this.#options.toError(thrown);
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    tell({ kind: "failed", of, failure: { tag, message, ...(stack !== undefined && { stack }) } }, done);
  }

  async close(): Promise<void> {
    await this.#begun?.pool.close();
  }

  #context(): TaskContext {
    return {
      signal: this.#stopping.signal,
      progress: (progress) => {
        const now = performance.now();
        if (now - this.#reportedAt < progressMs && progress.done !== progress.total) return;
        this.#reportedAt = now;
        tell({ kind: "progress", progress });
      },
      warn: (message) => tell({ kind: "warn", message }),
      note: (message) => tell({ kind: "note", message }),
      onDevice: (report) => tell({ kind: "device", report }),
    };
  }

  async #run(task: NodeTask): Promise<void> {
    this.#stopping = new AbortController();
    tell({ kind: "started" });
    const ranDry = (): void => {
      process.channel?.ref();
      this.fail("run", new InternalError(`${task.id} ended without a result: a promise never settled (a bug)`));
    };
    // the channel alone must not keep a node waiting
    process.once("beforeExit", ranDry);
    process.channel?.unref();
    try {
      if (this.#begun === undefined) throw new InternalError("a worker was given a node before it began");
      const { address } = await this.#begun.worker.run(task, this.#context());
      tell({ kind: "done", address });
    } catch (thrown) {
      this.fail("run", thrown);
    } finally {
      process.off("beforeExit", ranDry);
      process.channel?.ref();
    }
  }

  async #flush(): Promise<void> {
    const alive = setInterval(() => tell({ kind: "alive" }), aliveMs);
    try {
      await this.#begun?.worker.flush();
      tell({ kind: "flushed" });
    } catch (thrown) {
      this.fail("flush", thrown);
    } finally {
      clearInterval(alive);
    }
  }
}

/** Leaves signals to the parent, and ends with it. */
function followParent(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  process.on("disconnect", () => process.exit(1));
  // as in runProgram: with a handler, a write beyond the limit on file sizes fails and is cleaned up
  process.on("SIGXFSZ", () => undefined);
  process.stderr.on("error", () => undefined);
  new Worker(watch, { eval: true, workerData: process.ppid }).unref();
}

/**
 * Runs the nodes that the parent process sends, until it says that this is the end. SIGINT and SIGTERM are left to the parent:
 * terminals and containers send them to both, and the parent then lets the node finish or ends this process.
 */
export async function serveWorker(options: ServeOptions): Promise<void> {
  if (process.send === undefined) throw new InternalError("a worker is started by mbs run, over a channel of its own");
  followParent();
  const service = new ParentService(options);
  // code of a stage that nobody waits for: its node fails as it would in the process of the run
  const failUncaught = (thrown: unknown): void => service.fail("run", thrown, () => process.exit(1));
  process.on("uncaughtException", failUncaught);
  process.on("unhandledRejection", failUncaught);
  await new Promise<void>((resolve) => {
    process.on("message", (message: ToWorker) => service.answer(message, resolve));
  });
  await service.close();
}
