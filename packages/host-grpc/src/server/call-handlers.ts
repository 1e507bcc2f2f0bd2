import type { Metadata, StatusObject } from "@grpc/grpc-js";
import type { MbsError } from "@mbs/contracts";
import { CallWatch } from "./call-watch.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";

/** What a handler of a streaming call needs of it. */
export interface StreamingCall {
  readonly metadata: Metadata;
  on(event: "cancelled" | "error", listener: (error?: unknown) => void): unknown;
  emit(event: "error", error: Partial<StatusObject>): boolean;
  end(): unknown;
  destroy(): unknown;
}

/** What all calls of a server have in common. */
export interface CallSetting {
  readonly openCalls: OpenCalls;
  /** Milliseconds that a call waits for its client. */
  readonly idleMs: number;
  /** Fires with the reason, an MbsError, when the server shuts down. */
  readonly closing: AbortSignal;
  /** The status of what a handler throws. */
  readonly statusOf: (error: unknown) => StatusObject;
}

/** Makes handlers of gRPC from functions. They catch all that these throw: an uncaught error would end the process. */
export class CallHandlers {
  readonly #setting: CallSetting;
  readonly #running = new Map<CallWatch, Promise<void>>();

  constructor(setting: CallSetting) {
    this.#setting = setting;
    // one listener for all calls: AbortSignal.any of Node.js 20 keeps something of each call for as long as the server runs
    const { closing } = setting;
    closing.addEventListener("abort", () => {
      for (const watch of this.#running.keys()) watch.stop(closing.reason as MbsError);
    });
  }

  streaming<Call extends StreamingCall>(handler: (call: Call, watch: CallWatch, open: OpenCall) => Promise<void>) {
    const { openCalls, idleMs, closing, statusOf } = this.#setting;
    return (call: Call): void => {
      const watch = new CallWatch(idleMs);
      if (closing.aborted) watch.stop(closing.reason as MbsError);
      call.on("cancelled", () => watch.cancelled());
      call.on("error", () => watch.cancelled());
      const done = handler(call, watch, openCalls.of(call.metadata))
        .then(
          () => void call.end(),
          (error: unknown) => {
            if (!watch.signal.aborted) call.emit("error", statusOf(error));
            else {
              // Messages that the client has not read would stay in memory and delay the status.
              call.destroy();
              openCalls.end(call.metadata, statusOf(watch.signal.reason));
            }
          },
        )
        .finally(() => this.#running.delete(watch));
      this.#running.set(watch, done);
    };
  }

  unary<Request, Response>(handler: (request: Request) => Promise<Response>) {
    return (call: { request: Request }, callback: (error: StatusObject | null, value?: Response) => void): void => {
      handler(call.request).then(
        (value) => callback(null, value),
        (error: unknown) => callback(this.#setting.statusOf(error)),
      );
    };
  }

  /** Waits for the streaming calls that run now. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}
