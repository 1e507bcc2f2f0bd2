import { performance } from "node:perf_hooks";
import { InterruptedError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";
import type { CallObserver } from "../protocol/messages-in-order.ts";
import { IdleError } from "../protocol/status.ts";

/**
 * Decides when a call on the server stops, and why: when its client goes away, when it is told to (the server shuts down), or when
 * the client sends nothing for too long although the stage waits for input. A stage may compute without a limit. Whether clients
 * take what is there is OpenCalls' to see.
 */
export class CallWatch implements CallObserver {
  readonly #stopping = new AbortController();
  readonly #limitMs: number;
  #moved = performance.now();
  #stageWaits = true;

  /** @param limitMs idle limit in milliseconds */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Fires when the call is to stop; its reason is the error that is sent to the client. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  cancelled(): void {
    this.stop(new InterruptedError("the client cancelled the call"));
  }

  stop(reason: MbsError): void {
    this.#stopping.abort(reason);
  }

  /** A message passed, in either direction: the client is active. */
  moved(): void {
    this.#moved = performance.now();
  }

  /** Says whether the stage waits for input; while it does not, a client that sends nothing is not idle. */
  stageWaits(waits: boolean): void {
    this.#stageWaits = waits;
    this.moved();
  }

  /**
   * Starts to wait for a message of the client.
   *
   * @returns ends the wait
   */
  waitForMessage(): () => void {
    this.moved();
    let timer: NodeJS.Timeout;
    const check = (): void => {
      if (!this.#stageWaits) this.moved();
      const left = this.#moved + this.#limitMs - performance.now();
      if (left > 0) timer = setTimeout(check, left);
      else this.stop(new IdleError("the client sent nothing", this.#limitMs));
    };
    timer = setTimeout(check, this.#limitMs);
    return () => {
      clearTimeout(timer);
      this.moved();
    };
  }
}
