import { performance } from "node:perf_hooks";
import { InterruptedError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";
import type { CallObserver, ClientTask } from "../protocol/messages-in-order.ts";
import { IdleError } from "../protocol/status.ts";

const seconds = (milliseconds: number): string => `${Number((milliseconds / 1000).toPrecision(3))} s`;

const silence: Readonly<Record<ClientTask, string>> = {
  send: "the client sent nothing for",
  read: "the client read none of the output for",
};

/**
 * Decides when a call on the server stops, and why: when its client goes away, when the server shuts down, or when the client
 * is idle for too long, that is, it sends nothing although the stage waits for input, or reads nothing although output is
 * there. A stage may compute without a limit.
 */
export class CallWatch implements CallObserver {
  /** Fires when the call is to stop; its reason is the error that is sent to the client. */
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
