import type { ChildProcess, StdioOptions } from "node:child_process";
import { setMaxListeners } from "node:events";
import { errorOfTag, InternalError, InterruptedError, startProcess } from "@mbs/contracts";
import type { NodeDone, NodeTask, NodeWorker, TaskContext } from "../node-worker.ts";
import { WorkerLostError } from "../node-worker.ts";
import type { FromWorker, ToWorker, WorkerSetting } from "./messages.ts";

export interface ChildWorkerOptions {
  /** For messages: "worker 1". */
  readonly name: string;
  /** The program and arguments that start a worker process, which calls `serveWorker`. */
  readonly command: readonly string[];
  readonly setting: WorkerSetting;
  /** Milliseconds that a node may take. */
  readonly nodeLimit?: number | undefined;
  /** Milliseconds that a node has to stop by itself when it is told to. */
  readonly stopGrace?: number;
  /** Milliseconds without a sign of life after which it is given up while it writes what it holds; default 60 000. */
  readonly silence?: number;
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Processes that end with this one: a second SIGINT ends it at once, in whatever state they are. */
const alive = new Set<ChildProcess>();

function killAll(): void {
  for (const child of alive) child.kill("SIGKILL");
}

function killAtExit(child: ChildProcess): void {
  if (alive.size === 0) process.on("exit", killAll);
  alive.add(child);
}

function letEnd(child: ChildProcess): void {
  alive.delete(child);
  if (alive.size === 0) process.off("exit", killAll);
}

/** Sends a message; where the process is gone, its end says so. */
const send = (process: ChildProcess, message: ToWorker): void => void process.send(message, () => undefined);

/**
 * Runs nodes in a process of its own, so that neither a loop without end nor native code that crashes takes the run down. The
 * process starts with the first node, and again after it has ended.
 */
export class ChildWorker implements NodeWorker {
  readonly name: string;
  readonly #options: ChildWorkerOptions;
  #process: ChildProcess | undefined;
  #node: (Waiting<string> & { readonly context: TaskContext; readonly started: () => void }) | undefined;
  /** Removals that wait for what comes before them. */
  #removed: Promise<unknown> = Promise.resolve();
  #flush: (Waiting<void> & { readonly isAlive: () => void }) | undefined;
  /** Whether the process has answered at all. */
  #hasSpoken = false;
  /** Why this side has ended the process. */
  #endedFor: Error | undefined;
  /** How the process ended while it had nothing to do: what it held in memory is lost, which nobody has been told. */
  #lost: Error | undefined;

  constructor(options: ChildWorkerOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async run(task: NodeTask, context: TaskContext): Promise<NodeDone> {
    const { signal } = context;
    const { nodeLimit, stopGrace = 10_000 } = this.#options;
    // what this node makes may have the address of something that is to be removed
    await this.#removed;
    this.#throwLost();
    const process = this.#process ?? (await this.#start());
    if (signal.aborted) throw new InterruptedError("stopped");
    const timers: NodeJS.Timeout[] = [];
    const kill = (reason: Error): void => {
      this.#endedFor = reason;
      process.kill("SIGKILL");
    };
    const stop = (): void => {
      send(process, { kind: "stop" });
      timers.push(setTimeout(kill, stopGrace, new InterruptedError(`${task.id} did not stop by itself`)));
    };
    const started = (): void => {
      if (nodeLimit === undefined) return;
      const message = `${task.id} took longer than the ${nodeLimit / 1000} s that a node may take (--node-limit); give it more, or look for a loop without end in your own code`;
      timers.push(setTimeout(kill, nodeLimit, new InternalError(message, { node: task.id })));
    };
    // all workers of a run listen
    setMaxListeners(0, signal);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const address = await new Promise<string>((resolve, reject) => {
        this.#node = { resolve, reject, context, started };
        send(process, { kind: "run", task });
      });
      return { address, worker: this.name };
    } finally {
      this.#node = undefined;
      signal.removeEventListener("abort", stop);
      for (const timer of timers) clearTimeout(timer);
    }
  }

  remove(addresses: readonly string[], after: Promise<unknown>): void {
    const remove = (): void => {
      if (this.#process !== undefined) send(this.#process, { kind: "remove", addresses });
    };
    const before = this.#removed;
    this.#removed = Promise.all([before, after]).then(remove, () => undefined);
  }

  /** @throws {WorkerLostError} also where the process gives no sign of life for a while */
  async flush(): Promise<void> {
    // what is to be removed may still wait for the record: asked for behind the flush, it would be there when the run ends
    await this.#removed;
    this.#throwLost();
    const process = this.#process;
    if (process === undefined) return;
    const { silence = 60_000 } = this.#options;
    const giveUp = (): void => {
      const message = `${this.name} (process ${process.pid}) did not answer for ${silence / 1000} s when it was to write what it holds, and was ended; was it stopped (SIGSTOP), or does its disk hang? Run again: its last nodes are made again`;
      this.#endedFor = new WorkerLostError(message);
      process.kill("SIGKILL");
    };
    const timer = setTimeout(giveUp, silence);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#flush = { resolve, reject, isAlive: () => void timer.refresh() };
        send(process, { kind: "flush" });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    const ended = new Promise<void>((resolve) => process.once("close", () => resolve()));
    send(process, { kind: "end" });
    const timer = setTimeout(() => process.kill("SIGKILL"), this.#options.stopGrace ?? 10_000);
    await ended;
    clearTimeout(timer);
  }

  /** @throws {InputOutputError} where the system starts no process */
  async #start(): Promise<ChildProcess> {
    // what a stage of others prints is for people: standard output is the run's
    const stdio: StdioOptions = ["ignore", 2, "inherit", "ipc"];
    const child = await startProcess(this.name, this.#options.command, stdio, "run fewer workers on this machine");
    this.#process = child;
    this.#hasSpoken = false;
    this.#endedFor = undefined;
    killAtExit(child);
    child.on("message", (message: FromWorker) => this.#receive(message));
    // what does not reach a process that has gone: its end is handled below
    child.on("error", () => undefined);
    child.once("close", (code, by) => {
      letEnd(child);
      this.#process = undefined;
      const who = `${this.name} (process ${child.pid})`;
      this.#lose(this.#endedFor ?? new WorkerLostError(`${who} ${this.#howEnded(code, by)}`));
    });
    send(child, { kind: "begin", setting: this.#options.setting });
    return child;
  }

  #howEnded(code: number | null, by: NodeJS.Signals | null): string {
    if (by !== null) return `was ended by ${by}`;
    return this.#hasSpoken
      ? `was ended with code ${code} by code that it ran; look for process.exit in your own solver or stage`
      : `ended with code ${code} before its first node; what it printed says why`;
  }

  #lose(error: Error): void {
    if (this.#node === undefined && this.#flush === undefined) this.#lost = error;
    this.#node?.reject(error);
    this.#flush?.reject(error);
    this.#flush = undefined;
  }

  /** @throws {WorkerLostError} once, where the process has ended since its last node */
  #throwLost(): void {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) throw lost;
  }

  #receive(message: FromWorker): void {
    this.#hasSpoken = true;
    switch (message.kind) {
      case "alive":
        return this.#flush?.isAlive();
      case "started":
        return this.#node?.started();
      case "progress":
        return this.#node?.context.progress(message.progress);
      case "warn":
        return this.#node?.context.warn(message.message);
      case "note":
        return this.#node?.context.note?.(message.message);
      case "device":
        return this.#node?.context.onDevice?.(message.report);
      case "done":
        return this.#node?.resolve(message.address);
      case "flushed":
        this.#flush?.resolve();
        this.#flush = undefined;
        return;
      case "failed": {
        const { tag, message: text, stack } = message.failure;
        // for --debug: where it was thrown in the worker
        const error = errorOfTag(tag, text, {}, { cause: Object.assign(new Error(text), { stack }) });
        if (message.of === "run") return this.#node?.reject(error);
        this.#flush?.reject(error);
        this.#flush = undefined;
      }
    }
  }
}
