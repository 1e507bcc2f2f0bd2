import { InterruptedError } from "@mbs/contracts";

/** What a call asks for. */
export interface SlotRequest {
  /** Whose threads are counted together. */
  readonly client: string;
  readonly threads: number;
}

/**
 * Bounds how many child processes run at one time, and the threads of those of one client; further calls wait in order of
 * arrival, and one whose client has no threads left lets others go first.
 */
export class ChildSlots {
  readonly #threadsPerClient: number;
  #free: number;
  readonly #threads = new Map<string, number>();
  readonly #waiting: { readonly request: SlotRequest; readonly enter: () => void }[] = [];

  constructor(slots: number, threadsPerClient = Infinity) {
    this.#free = slots;
    this.#threadsPerClient = threadsPerClient;
  }

  /** Calls that wait now. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs the work once a slot is free. */
  async run<T>(request: SlotRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(request, signal);
    try {
      return await work();
    } finally {
      this.#leave(request);
    }
  }

  #fits({ client, threads }: SlotRequest): boolean {
    return this.#free > 0 && (this.#threads.get(client) ?? 0) + threads <= this.#threadsPerClient;
  }

  #take({ client, threads }: SlotRequest): void {
    this.#free -= 1;
    this.#threads.set(client, (this.#threads.get(client) ?? 0) + threads);
  }

  #leave({ client, threads }: SlotRequest): void {
    this.#free += 1;
    const left = (this.#threads.get(client) ?? 0) - threads;
    if (left > 0) this.#threads.set(client, left);
    else this.#threads.delete(client);
    // threads of a client may let several of its calls in
    for (;;) {
      const index = this.#waiting.findIndex(({ request }) => this.#fits(request));
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (next === undefined) return;
      this.#take(next.request);
      next.enter();
    }
  }

  async #enter(request: SlotRequest, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new InterruptedError("stopped before it began");
    if (this.#fits(request)) {
      this.#take(request);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiting = { request, enter };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new InterruptedError("stopped while waiting for a free slot"));
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
    });
  }
}
