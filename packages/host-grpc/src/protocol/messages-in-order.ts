import type { Readable, Writable } from "node:stream";
import type { FlightMessage } from "@mbs/artifacts";
import { InterruptedError } from "@mbs/contracts";
import type { FlightData } from "./messages.ts";

/** Observes a call on the server, and says when it is to stop. */
export interface CallObserver {
  readonly signal: AbortSignal;
  /** A message passed. */
  moved(): void;
  /** Starts to wait for a message of the client; the function that it returns ends the wait. */
  waitForMessage(): () => void;
}

const noOp = (): void => {};

/**
 * The messages of a call, pulled one by one: the transport reads on only when one is taken.
 *
 * `for await` on a gRPC duplex waits for its writing side too, hence this one.
 *
 * @param watch of a call on the server: ends the wait for a client that is silent
 */
export async function* receive<T>(call: Readable, watch?: CallObserver): AsyncGenerator<T> {
  const queue: T[] = [];
  let finished = false;
  let failure: unknown;
  let wake = noOp;
  const onData = (message: T): void => {
    queue.push(message);
    call.pause();
    wake();
  };
  const onEnd = (): void => {
    finished = true;
    wake();
  };
  const onError = (error: unknown): void => {
    failure ??= error;
    wake();
  };
  const onStop = (): void => onError(watch?.signal.reason);
  call.on("data", onData).on("end", onEnd).on("error", onError);
  watch?.signal.addEventListener("abort", onStop, { once: true });
  if (watch?.signal.aborted) onStop();
  try {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (failure !== undefined) throw failure;
      else if (finished) return;
      else {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const endWait = watch?.waitForMessage();
        call.resume();
        await woken;
        endWait?.();
      }
    }
  } finally {
    call.off("data", onData).off("end", onEnd);
    watch?.signal.removeEventListener("abort", onStop);
    call.pause();
  }
}

/**
 * Sends one message and waits until the transport wants more.
 *
 * @param watch of a call on the server: ends the wait when the call is to stop
 * @throws {InterruptedError} when the other side is gone
 */
export async function send(call: Writable, message: object, watch?: CallObserver): Promise<void> {
  watch?.signal.throwIfAborted();
  if (call.destroyed || call.writableEnded) throw new InterruptedError("the call has ended");
  if (call.write(message, () => watch?.moved())) return;
  await new Promise<void>((resolve, reject) => {
    const done = (error?: unknown): void => {
      call.off("drain", onDrain).off("error", done).off("close", onGone);
      watch?.signal.removeEventListener("abort", onStop);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = (): void => done();
    const onGone = (): void => done(new InterruptedError("the other side ended the call"));
    const onStop = (): void => done(watch?.signal.reason);
    call.on("drain", onDrain).on("error", done).on("close", onGone);
    watch?.signal.addEventListener("abort", onStop, { once: true });
  });
}

/** The Arrow messages of a stream of Flight data. */
export async function* withoutDescriptors(incoming: AsyncIterable<FlightData>): AsyncGenerator<FlightMessage> {
  for await (const { dataHeader, dataBody } of incoming) {
    yield { header: dataHeader ?? new Uint8Array(0), body: dataBody ?? new Uint8Array(0) };
  }
}
