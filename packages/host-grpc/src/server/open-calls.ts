import { ServerInterceptingCall, ServerListenerBuilder } from "@grpc/grpc-js";
import type { Metadata, ServerInterceptor, StatusObject } from "@grpc/grpc-js";
import { TryAgainError } from "@mbs/contracts";
import { IdleError, toStatus } from "../protocol/status.ts";

type TransportCall = Parameters<ServerInterceptor>[1];

/**
 * Limits the number of open calls on a server, and the time until the one message of a unary request has arrived: the library
 * calls no handler before that.
 */
export class OpenCalls {
  readonly #most: number;
  readonly #limitMs: number;
  /** By metadata: the one object that the library gives both to an interceptor and to a handler. */
  readonly #calls = new WeakMap<Metadata, TransportCall>();
  #open = 0;

  /**
   * @param most calls at one time
   * @param limitMs milliseconds for a request of one message
   */
  constructor(most: number, limitMs: number) {
    this.#most = most;
    this.#limitMs = limitMs;
  }

  readonly intercept: ServerInterceptor = (method, call) => {
    let counted = false;
    let timer: NodeJS.Timeout | undefined;
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, deliver) => {
        if (this.#open >= this.#most) {
          call.sendStatus(this.#tooMany);
          return;
        }
        this.#open += 1;
        counted = true;
        if (!method.requestStream) timer = setTimeout(() => call.sendStatus(this.#tooLate), this.#limitMs);
        this.#calls.set(metadata, call);
        deliver(metadata);
      })
      .withOnReceiveHalfClose((deliver) => {
        clearTimeout(timer);
        deliver();
      })
      // Called at the end of every call, however it ends.
      .withOnCancel(() => {
        clearTimeout(timer);
        if (counted) this.#open -= 1;
      })
      .build();
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };

  /** Ends a call at once, also where its client has not read all messages. */
  end(metadata: Metadata, ending: StatusObject): void {
    this.#calls.get(metadata)?.sendStatus(ending);
  }

  get #tooMany(): StatusObject {
    const details = `${this.#most} calls are open, as many as this server takes; call again later`;
    return toStatus(new TryAgainError(details));
  }

  get #tooLate(): StatusObject {
    return toStatus(new IdleError(`no request came for ${this.#limitMs / 1000} s; call again`));
  }
}
