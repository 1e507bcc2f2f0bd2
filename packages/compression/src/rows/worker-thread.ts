import { Worker } from "node:worker_threads";
import { InterruptedError } from "@mbs/contracts";
import { turnTelemetryOff } from "@mbs/onnx";
import type { RowAnswer, RowFailure, RowTask, Solved } from "./row-task.ts";

/** The built program of a thread; from the sources, one that reads TypeScript first. */
export const rowWorker = new URL(import.meta.url.endsWith(".ts") ? "./source-worker.mjs" : "./row-worker.js", import.meta.url);

const errorOf = ({ message, ...rest }: RowFailure): Error => Object.assign(new Error(message), rest);

/** What a thread may take to end, milliseconds: longer than a solver takes for a block. */
const mostEndingMs = 3000;

interface Waiting {
  readonly resolve: (answer: Solved) => void;
  readonly reject: (error: Error) => void;
}

/** A thread that solves the rows of one task at a time. */
export class WorkerThread {
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  readonly #exited: Promise<void>;
  #ended = false;

  constructor(entry: URL) {
    turnTelemetryOff();
    // not the file itself, which Node refuses where the program's own flags have an --input-type
    this.#worker = new Worker(`import(${JSON.stringify(entry.href)})`, { eval: true });
    this.#worker.on("message", (answer: RowAnswer) => {
      this.#settle((waiting) => ("failure" in answer ? waiting.reject(errorOf(answer.failure)) : waiting.resolve(answer)));
    });
    this.#worker.on("error", (error) => this.#settle(({ reject }) => reject(error)));
    this.#exited = new Promise((exited) => {
      this.#worker.on("exit", (code) => {
        this.#ended = true;
        // With code 0 the work had nothing left to wait for and never settles. Nor does its promise: its reader says so.
        if (code !== 0) this.#settle(({ reject }) => reject(new Error(`its worker thread ended with code ${code}`)));
        exited();
      });
    });
    this.#worker.unref();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @throws what the solver threw, as an error with the same message, tag and facts */
  solve(task: RowTask): Promise<Solved> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.ref();
      this.#worker.postMessage(task, [task.weight.values.buffer as ArrayBuffer]);
    });
  }

  /** Ends the thread between two blocks of its task, which is then interrupted; one that hangs, after some seconds. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#settle(({ reject }) => reject(new InterruptedError("stopped while solving rows of a site")));
    this.#worker.ref();
    this.#worker.postMessage("end", []);
    // not at once: ONNX Runtime takes the process down where its thread is ended within a product
    const late = setTimeout(() => void this.#worker.terminate(), mostEndingMs);
    await this.#exited;
    clearTimeout(late);
  }

  #settle(settle: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#worker.unref();
    if (waiting !== undefined) settle(waiting);
  }
}
