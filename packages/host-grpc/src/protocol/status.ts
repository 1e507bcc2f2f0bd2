import { Metadata, status } from "@grpc/grpc-js";
import type { ServiceError, StatusObject } from "@grpc/grpc-js";
import { DeniedError, FailedPreconditionError, MbsError, TryAgainError, errorOfTag, shortened } from "@mbs/contracts";
import type { ErrorTag } from "@mbs/contracts";

const statusByTag: Readonly<Record<ErrorTag, status>> = {
  usage: status.INVALID_ARGUMENT,
  "bad-data": status.INVALID_ARGUMENT,
  "failed-precondition": status.FAILED_PRECONDITION,
  internal: status.INTERNAL,
  "input-output": status.RESOURCE_EXHAUSTED,
  "try-again": status.UNAVAILABLE,
  denied: status.PERMISSION_DENIED,
  interrupted: status.CANCELLED,
  "broken-pipe": status.CANCELLED,
  "limit-exceeded": status.FAILED_PRECONDITION,
};

/** A client that kept a call waiting longer than the idle limit. */
export class IdleError extends TryAgainError {
  /** @param what the client did not do: "the client sent nothing" */
  constructor(what: string, limitMs: number) {
    super(`${what} for ${Number((limitMs / 1000).toPrecision(3))} s; call again, and send and read at the same time`);
  }
}

/** A call without a token that the server knows. */
export class UnauthenticatedError extends DeniedError {}

/** The code of an error, which is that of its tag but for two classes. */
function codeOf(error: MbsError): status {
  if (error instanceof IdleError) return status.DEADLINE_EXCEEDED;
  if (error instanceof UnauthenticatedError) return status.UNAUTHENTICATED;
  return statusByTag[error.tag];
}

/** A lone surrogate, from a cut or from a client, cannot be sent: the library would end the process. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, "\uFFFD");

/** Most characters of a status: many a client takes no more than 8 KiB of headers, in which a character may take 9 bytes. */
const detailsLimit = 800;

/** Metadata key that marks a status as set by the server, not by a gRPC library. */
const ownStatus = "mbs-tag";

const statusOfTag = (code: status, tag: ErrorTag, details: string): StatusObject => {
  const metadata = new Metadata();
  metadata.set(ownStatus, tag);
  return { code, details, metadata };
};

/**
 * The status of a failure: the message of an MbsError, without the server's folders; of any other error nothing but that it
 * happened.
 *
 * @param hide takes the server's folders out of a text
 */
export function toStatus(thrown: unknown, hide: (text: string) => string = (text) => text): StatusObject {
  if (!(thrown instanceof MbsError) || thrown.tag === "internal") {
    return statusOfTag(status.INTERNAL, "internal", "the call failed inside the server; its log says why");
  }
  let details = shortened(hide(thrown.message));
  if (details.length > detailsLimit) details = `${details.slice(0, detailsLimit)}…`;
  return statusOfTag(codeOf(thrown), thrown.tag, wellFormed(details));
}

const tagByStatus: Partial<Readonly<Record<status, ErrorTag>>> = {
  [status.INVALID_ARGUMENT]: "bad-data",
  [status.NOT_FOUND]: "bad-data",
  [status.FAILED_PRECONDITION]: "failed-precondition",
  [status.PERMISSION_DENIED]: "denied",
  [status.UNAUTHENTICATED]: "denied",
  [status.UNAVAILABLE]: "try-again",
  [status.RESOURCE_EXHAUSTED]: "input-output",
  [status.CANCELLED]: "interrupted",
  [status.DEADLINE_EXCEEDED]: "try-again",
};

const isServiceError = (thrown: unknown): thrown is ServiceError =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && "details" in thrown;

/** Whether no connection to the server came about, or it broke. */
export const isUnreachable = (thrown: unknown): boolean =>
  isServiceError(thrown) && thrown.code === status.UNAVAILABLE && thrown.metadata.get(ownStatus).length === 0;

/** Of a server that answers as `mbs serve` does not. */
export const foreignServer = "this is no server of mbs, or one of another version; check --via";

/** What the library says where this side has failed, or where no server answers for it: a proxy may have ended the call. */
const noAnswer = /^(?:Request message serialization failure|Received RST_STREAM)/;

/** A failed call as an MbsError, for the host of the client. */
export function fromStatus(thrown: unknown, via: string): unknown {
  if (!isServiceError(thrown)) return thrown;
  const tag = tagByStatus[thrown.code];
  if (tag === undefined && thrown.metadata.get(ownStatus).length === 0 && !noAnswer.test(thrown.details)) {
    return new FailedPreconditionError(`${via}: ${thrown.details}: ${foreignServer}`, {}, { cause: thrown });
  }
  const isUnknown = thrown.details.startsWith("Name resolution failed");
  const remedy = isUnknown ? "; check the name of the host" : isUnreachable(thrown) ? "; is the server running there?" : "";
  // The library appends a note on name resolution to its messages, which is empty for an address.
  const details = thrown.details.replace(/\.? Resolution note:.*$/s, "");
  return errorOfTag(tag ?? "internal", `${via}: ${details}${remedy}`);
}
