import { certificateFault } from "@mbs/artifacts";
import type { CertificateFault } from "@mbs/artifacts";
import { DeniedError, InputOutputError, InterruptedError, MbsError, TryAgainError, UsageError } from "@mbs/contracts";

/** What a failed request says of itself, whether the server or the SDK has refused it. */
export interface S3Failure {
  /** "SlowDown", "NoSuchBucket", "ECONNREFUSED" … */
  readonly name: string;
  /** Of the server's answer. */
  readonly status: number | undefined;
}

interface SdkError {
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** A code is one word: a server may send anything in its place. */
const text = (value: unknown): string | undefined =>
  typeof value === "string" && /^[\w.-]{1,80}$/.test(value) ? value : undefined;

/** An answer that S3 does not give: other programs, and proxies, listen at such addresses too. */
export class StrangeAnswerError extends Error {}

/** Of a failure that names no reason. */
const nameless = "an unknown failure";

export function failureOf(cause: unknown): S3Failure {
  if (!(cause instanceof Error)) return { name: nameless, status: undefined };
  const { code, Code, $metadata } = cause as SdkError;
  // an answer to HEAD has no body, so the SDK knows its status alone
  const named = cause.name === "Error" || cause.name === "Unknown" || cause.name === "UnknownError" ? undefined : cause.name;
  return { name: text(Code) ?? text(named) ?? text(code) ?? nameless, status: $metadata?.httpStatusCode };
}

/** Whether the server says that a key is not there. A missing bucket has a name of its own, but for HEAD. */
export function isMissingKey(cause: unknown): boolean {
  const { name, status } = failureOf(cause);
  return status === 404 && name !== "NoSuchBucket";
}

const unreachable: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "TimeoutError",
]);

const busy: ReadonlySet<string> = new Set([
  "SlowDown",
  "RequestTimeout",
  "OperationAborted",
  "ConditionalRequestConflict",
  "NoSuchUpload",
  "BadDigest",
  "XAmzContentChecksumMismatch",
  "IncompleteBody",
]);

const certificateFaults: Readonly<Record<CertificateFault, readonly [what: string, remedy: string]>> = {
  "unknown authority": ["is signed by no authority that is known here", "give a file with its authority by NODE_EXTRA_CA_CERTS"],
  expired: ["has expired", "renew it on the server"],
  "not yet valid": ["is not valid yet", "compare the clocks of the two machines"],
  "another name": ["is for another name", "give AWS_ENDPOINT_URL a name that is in it, or the server one for this name"],
};

/** Other faults of a certificate. */
const untrusted = /^(?:CERT_|UNABLE_TO_|ERR_TLS_)/;

const wrongUser: ReadonlySet<string> = new Set(["ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"]);

const full: ReadonlySet<string> = new Set([
  "QuotaExceeded",
  "XMinioStorageFull",
  "XMinioAdminBucketQuotaExceeded",
  "StorageFull",
  "EntityTooLarge",
]);

/** Whether an answer could not be read: no HTTP, or a page or a value in the place of what was asked for. */
const isStrange = (cause: unknown, name: string, status: number | undefined): boolean =>
  cause instanceof StrangeAnswerError || name.startsWith("HPE_") || (status !== undefined && status < 300);

/** Where the requests go. */
export interface S3Target {
  readonly bucket: string;
  /** A text for messages: "at http://127.0.0.1:9000", or "" for AWS itself. */
  readonly at: string;
}

/**
 * The error of a failed request. It names what the server answered and none of the request's headers: the SDK's error is no
 * cause of it where it could show who asked.
 *
 * @param doing "put", "read" …
 * @param where the file, or the store
 */
export function s3Error(cause: unknown, doing: string, where: string, { bucket, at }: S3Target, signal?: AbortSignal): unknown {
  if (cause instanceof MbsError) return cause;
  if (signal?.aborted === true) {
    return new InterruptedError(`stopped while trying to ${doing} ${where}; run again to go on`, { where });
  }
  const { name, status } = failureOf(cause);
  const server = at === "" ? "" : ` ${at}`;
  // what an answer without a body says is its status
  const answer = name === nameless ? `HTTP ${status ?? "failure"}` : `${name}${status === undefined ? "" : ` (${status})`}`;
  const facts = { where, reason: name, ...(status !== undefined && { status }) };
  const what = `cannot ${doing} ${where}`;
  if (name === "NoSuchBucket") {
    return new UsageError(`there is no bucket ${bucket}${server}; make it first, or correct the place of the store`, facts);
  }
  if (cause instanceof Error && /region is missing/i.test(cause.message)) {
    return new UsageError(`${what}: no region is set; set AWS_REGION (for a server of your own, us-east-1 will do)`, facts);
  }
  if (name === "PermanentRedirect" || name === "AuthorizationHeaderMalformed" || status === 301) {
    return new UsageError(`${what}: the bucket ${bucket} is in another region; set AWS_REGION to it`, facts);
  }
  if (/Credentials|ProviderError|^TokenProvider/.test(name)) {
    return new DeniedError(
      `${what}: no credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
      facts,
    );
  }
  // Ceph's quota comes with 403
  if (status === 507 || full.has(name)) {
    return new InputOutputError(`${what}: the store is full (${name}); free some space there and run again`, facts, { cause });
  }
  if (status === 401 || status === 403 || wrongUser.has(name)) {
    return new DeniedError(
      `${what}: the store refuses this user, ${answer}; check the credentials, the clock, and the rights to list, get, put and delete there`,
      facts,
    );
  }
  const fault = certificateFault(cause);
  if (fault !== undefined) {
    const [said, remedy] = certificateFaults[fault];
    return new DeniedError(`${what}: the certificate${server} ${said} (${name}); ${remedy}`, facts);
  }
  if (untrusted.test(name)) {
    return new DeniedError(`${what}: the certificate${server} is not trusted (${name}); look at it on the server`, facts);
  }
  if (unreachable.has(name)) {
    const reason = name === "TimeoutError" ? "it does not answer" : name;
    return new TryAgainError(`${what}: no connection${server} (${reason}); check the network and try again`, facts, { cause });
  }
  if (status === 412 || status === 416 || name === "NoSuchKey") {
    const done = name === "NoSuchKey" ? "removed" : "replaced";
    return new TryAgainError(`${what}: it was ${done} meanwhile; try again`, facts, { cause });
  }
  if (busy.has(name) || status === 429 || (status !== undefined && status >= 500)) {
    return new TryAgainError(`${what}: the store answers ${answer}; try again later`, facts, {
      cause,
    });
  }
  if (status !== undefined && status >= 300 && status < 400) {
    return new InputOutputError(
      `${what}: the server${server} sends elsewhere (${answer}); give AWS_ENDPOINT_URL the address that it sends to, perhaps with https`,
      facts,
      { cause },
    );
  }
  if (isStrange(cause, name, status)) {
    const said = cause instanceof StrangeAnswerError ? `: ${cause.message}` : "";
    return new InputOutputError(`${what}: the server${server} answers as no S3 does${said}; correct AWS_ENDPOINT_URL`, facts, {
      cause,
    });
  }
  return new InputOutputError(`${what}: ${answer}; check the server${server} and run again`, facts, { cause });
}
