import { performance } from "node:perf_hooks";
import { InterruptedError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";
import type { CallObserver, ClientTask } from "../protocol/messages-in-order.ts";
import { IdleError } from "../protocol/status.ts";

const seconds = (milliseconds: number): string => `${Number((milliseconds / 1000).toPrecision(3))} s`;

const silence: Readonly<Record<ClientTask, string>> = {
  send: "the client sent nothing for",
  read: "the client took nothing of the output for",
};

/**
 * One call on the server: when it is to stop, and why. It stops when its client goes away, when the server shuts down, or
 * when the client neither sends what is waited for nor takes what is there for longer than the idle limit. A stage that
 * computes is waited for without a limit.
 */
export class CallWatch implements CallObserver {
  /** Fires when the call is to stop; its reason is the error that the client is to hear. */
  readonly signal: AbortSignal;
  readonly #own = new AbortController();
  readonly #limitMs: number;
  #moved = performance.now();
  #stageWaits = true;

  /**
   * @param limitMs idle limit in milliseconds
   * @param closing fires with the reason when the server shuts down
   */
  constructor(limitMs: number, closing: AbortSignal) {
    this.#limitMs = limitMs;
    this.signal = AbortSignal.any([this.#own.signal, closing]);
  }

  cancelled(): void {
    this.stop(new InterruptedError("the client cancelled the call"));
  }

  stop(reason: MbsError): void {
    this.#own.abort(reason);
  }

  /** Something passed, in either direction: the client is there. */
  moved(): void {
    this.#moved = performance.now();
  }

  /** Whether a stage waits for its input; while it does not, the client owes none. */
  stageWaits(waits: boolean): void {
    this.#stageWaits = waits;
    this.moved();
  }

  /**
   * Starts to wait for the client.
   *
   * @returns ends the wait
   */
  waitFor(task: ClientTask): () => void {
    this.moved();
    let timer: NodeJS.Timeout;
    const check = (): void => {
      if (task === "send" && !this.#stageWaits) this.moved();
      const left = this.#moved + this.#limitMs - performance.now();
      if (left > 0) timer = setTimeout(check, left);
      else this.stop(new IdleError(`${silence[task]} ${seconds(this.#limitMs)}; call again, and send and read at the same time`));
    };
    timer = setTimeout(check, this.#limitMs);
    return () => {
      clearTimeout(timer);
      this.moved();
    };
  }
}
