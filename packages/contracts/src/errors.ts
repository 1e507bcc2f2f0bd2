/** What an error is about: tensor, file, offset, language … Shown to people and kept for programs. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/** The closed set of error categories. Only hosts turn a tag into an exit code, a gRPC status or a job state. */
export type ErrorTag =
  | "usage"
  | "bad-data"
  | "failed-precondition"
  | "internal"
  | "input-output"
  | "try-again"
  | "denied"
  | "interrupted"
  | "broken-pipe"
  | "limit-exceeded";

/**
 * Base of every error that this project throws on purpose.
 *
 * The message is one line and says what, where and the remedy.
 */
export abstract class MbsError extends Error {
  abstract readonly tag: ErrorTag;
  readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.facts = facts;
  }
}

/** The command or call itself is off: unknown option, value out of range, missing argument. */
export class UsageError extends MbsError {
  readonly tag = "usage";
}

/** Input that was read is broken, cut short, or does not fit the rest. */
export class BadDataError extends MbsError {
  readonly tag = "bad-data";
}

/** Input is whole, but of a schema version or model that this program does not handle. Exit code as for bad data. */
export class FailedPreconditionError extends MbsError {
  readonly tag = "failed-precondition";
}

/** A bug in this program, or an unexpected failure of a library. */
export class InternalError extends MbsError {
  readonly tag = "internal";
}

/** The operating system refused to read or write: disk full, device error. */
export class InputOutputError extends MbsError {
  readonly tag = "input-output";
}

/** Another run holds what is needed; the same call may work later. */
export class TryAgainError extends MbsError {
  readonly tag = "try-again";
}

/** Not permitted: read-only or occupied output folder, path outside a root. */
export class DeniedError extends MbsError {
  readonly tag = "denied";
}

/** Stopped by a signal or by the caller's AbortSignal. */
export class InterruptedError extends MbsError {
  readonly tag = "interrupted";
}

/** The reader of our output went away. */
export class BrokenPipeError extends MbsError {
  readonly tag = "broken-pipe";
}

/** Results were measured, and are beyond a limit that was asked for. */
export class LimitExceededError extends MbsError {
  readonly tag = "limit-exceeded";
}

const errorByTag: Readonly<
  Record<ErrorTag, new (message: string, facts?: ErrorFacts, options?: { cause?: unknown }) => MbsError>
> = {
  usage: UsageError,
  "bad-data": BadDataError,
  "failed-precondition": FailedPreconditionError,
  internal: InternalError,
  "input-output": InputOutputError,
  "try-again": TryAgainError,
  denied: DeniedError,
  interrupted: InterruptedError,
  "broken-pipe": BrokenPipeError,
  "limit-exceeded": LimitExceededError,
};

/** Whether a value is the tag of an error of this project: of one whose class is not ours, such as one from another process. */
export const isErrorTag = (tag: unknown): tag is ErrorTag => typeof tag === "string" && Object.hasOwn(errorByTag, tag);

/** An error of the class of a tag. */
export const errorOfTag = (tag: ErrorTag, message: string, facts?: ErrorFacts, options?: { cause?: unknown }): MbsError =>
  new errorByTag[tag](message, facts, options);
