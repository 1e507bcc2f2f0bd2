import { MbsError } from "./errors.ts";
import type { ErrorTag } from "./errors.ts";

/** How a piece of work ended: `stopped` where someone wanted it to end. */
export type Outcome = "finished" | "failed" | "stopped";

/** A stage that begins: of a node of a run, of a job of a worker, or of a call of a server. */
export interface StageWork {
  /** Name of the stage. */
  readonly stage: string;
  /** The node of a run, or the start of a job's key. */
  readonly name?: string;
  /** The worker that runs it. */
  readonly peer?: string;
  /** Seconds that it waited for its turn. */
  readonly waited?: number;
}

export interface StageEnding {
  readonly outcome: Outcome;
  /** Category of the error of a stage that failed. */
  readonly tag?: ErrorTag;
  /** Bytes that were fetched for it, and that it has put. */
  readonly received?: number;
  readonly sent?: number;
}

/** Ends what was begun. */
export type EndStage = (ending: StageEnding) => void;

/** A call that a server takes or refuses. */
export interface CallWork {
  readonly method: string;
  /** Name of the client's token, fingerprint of its certificate, or its machine. */
  readonly peer: string;
}

export interface CallEnding {
  /** Name of gRPC's status: "OK", "UNAVAILABLE". */
  readonly status: string;
  /** Bytes of the messages in both directions. */
  readonly received: number;
  readonly sent: number;
}

export interface ObservedCall {
  readonly stage: (work: StageWork) => EndStage;
  readonly end: (ending: CallEnding) => void;
}

/** Gets reports of what a host does: names, times, sizes, and neither texts nor secrets. */
export interface Observer {
  readonly stage: (work: StageWork) => EndStage;
  readonly call: (call: CallWork) => ObservedCall;
}

/** Reports nothing. */
export const noObserver: Observer = {
  stage: () => () => undefined,
  call: () => ({ stage: () => () => undefined, end: () => undefined }),
};

/**
 * Does the work of a stage, and reports how it ends.
 *
 * @param moved bytes that were moved for a result
 * @param signal what fails after it was stopped on purpose
 */
export async function observed<T>(
  end: EndStage,
  work: () => Promise<T>,
  {
    moved = () => ({}),
    signal,
  }: { readonly moved?: (result: T) => Pick<StageEnding, "received" | "sent">; readonly signal?: AbortSignal } = {},
): Promise<T> {
  try {
    const result = await work();
    end({ outcome: "finished", ...moved(result) });
    return result;
  } catch (error) {
    const tag = error instanceof MbsError ? error.tag : "internal";
    const isStopped = tag === "interrupted" || signal?.aborted === true;
    end(isStopped ? { outcome: "stopped" } : { outcome: "failed", tag });
    throw error;
  }
}
