import { Worker } from "node:worker_threads";
import type { TemplateAnswer, TemplateTask, TemplateThreadData } from "./template-task.ts";

/** The built program of a thread; from the sources, one that reads TypeScript first. */
const templateWorker = new URL(import.meta.url.endsWith(".ts") ? "./source-worker.mjs" : "./template-worker.js", import.meta.url);

/** What a template may use for one conversation: Jinja has no limits of its own. */
export interface TemplateLimits {
  readonly milliseconds: number;
  /** Of JavaScript's heap. */
  readonly megabytes: number;
  /** UTF-16 units. */
  readonly characters: number;
}

interface Waiting {
  readonly resolve: (answer: TemplateAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread that renders one conversation at a time, and is ended where that takes too long. */
export class TemplateThread {
  readonly #worker: Worker;
  readonly #limits: TemplateLimits;
  readonly #ready: Promise<void>;
  #waiting: Waiting | undefined;

  constructor(templates: TemplateThreadData["templates"], limits: TemplateLimits) {
    this.#limits = limits;
    // not the file itself, which Node refuses where the program's own flags have an --input-type
    this.#worker = new Worker(`import(${JSON.stringify(templateWorker.href)})`, {
      eval: true,
      workerData: { templates, longest: limits.characters } satisfies TemplateThreadData,
      resourceLimits: { maxOldGenerationSizeMb: limits.megabytes },
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#waiting = { resolve: () => resolve(), reject };
    });
    // it may fail before anything waits for it
    this.#ready.catch(() => {});
    this.#worker.on("message", (answer: TemplateAnswer) => this.#settle(({ resolve }) => resolve(answer)));
    this.#worker.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_WORKER_OUT_OF_MEMORY") return this.#settle(({ reject }) => reject(error));
      this.#settle(({ resolve }) => resolve({ fault: `takes more than ${limits.megabytes} MB for one conversation` }));
    });
    this.#worker.on("exit", (code) =>
      this.#settle(({ reject }) => reject(new Error(`the thread of a chat template ended with code ${code}`))),
    );
  }

  /** The template's own time counts, not that of the thread's start. */
  async render(task: TemplateTask): Promise<TemplateAnswer> {
    this.#worker.ref();
    await this.#ready;
    const { milliseconds } = this.#limits;
    const answer = new Promise<TemplateAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    const late = setTimeout(() => {
      this.#settle(({ resolve }) => resolve({ fault: `takes more than ${milliseconds / 1000} s for one conversation` }));
      void this.#worker.terminate();
    }, milliseconds);
    this.#worker.postMessage(task, []);
    try {
      return await answer;
    } finally {
      clearTimeout(late);
      this.#worker.unref();
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(settle: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) settle(waiting);
  }
}
