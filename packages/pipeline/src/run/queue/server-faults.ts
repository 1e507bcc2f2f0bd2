import { certificateFault } from "@mbs/artifacts";
import type { CertificateFault } from "@mbs/artifacts";
import { DeniedError, FailedPreconditionError, TryAgainError, UsageError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";

/** The message of an error where a server ends a connection without a word, as Redis does in protected mode with TLS. */
export const closed = "the server closed the connection";

const isTlsFault = (code: string, message: string): boolean =>
  /^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code) ||
  /certificate|SSL|TLS/.test(message);

const certificateRemedies: Readonly<Record<CertificateFault, string>> = {
  "unknown authority":
    "its certificate is signed by no authority that is known here; give the certificate of its authority by --queue-ca",
  expired: "its certificate has expired; renew it on the server (tls-cert-file)",
  "not yet valid": "its certificate is not valid yet; compare the clocks of the two machines",
  "another name": "its certificate is for another name; give --queue the name that is in it, or the server one for this name",
};

/** Whether a server that is there has refused a command. A client that is refused when it comes back fails its commands with the second. */
export const isRefusal = (cause: unknown): cause is Error =>
  cause instanceof Error && (cause.name === "ReplyError" || cause.message.startsWith("Ready check failed: "));

/** What a server has said, without the name of the script that it refused. */
function reasonOf(cause: Error): string {
  // a transaction says only that it was given up
  const [first = cause]: readonly unknown[] =
    "previousErrors" in cause && Array.isArray(cause.previousErrors) ? cause.previousErrors : [];
  const { message } = first instanceof Error ? first : cause;
  return message.replace(/\.? script: .*$/s, "").replace(/\.$/, "");
}

/** One line on what a server refuses. */
export const refusalLine = (place: string, cause: Error): string =>
  `${place} refuses a command of the queue: ${reasonOf(cause)}; look at the server`;

/** What Redis says of keys of another type, and of numbers of a queue that are none. */
const foreignValue = /WRONGTYPE|is not (an integer|a valid float)|MAXLEN argument/;

/**
 * What a server that is there refuses: it is full, cannot write to its disk, takes no writes, no longer takes the user, or has values
 * of others under the keys of a queue.
 */
function refusalError(place: string, cause: Error): MbsError {
  if (foreignValue.test(cause.message)) {
    return new FailedPreconditionError(
      `${place} has values of another program under the keys of the queue; remove all keys mbs:* there, or take another database of it, such as ${place}/1, for run and workers`,
    );
  }
  return new TryAgainError(`${refusalLine(place, cause)}, then run again`);
}

/** What a server refuses, as an error with a tag; any other error as it is. */
export const refusalOf = (place: string, cause: unknown): unknown => (isRefusal(cause) ? refusalError(place, cause) : cause);

/** Waits for what a server answers. @throws as refusalOf says */
export async function orRefusal<T>(place: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw refusalOf(place, cause);
  }
}

/** Why a server could not be used, in one line; its own messages never have the password in them. */
export function connectionError(place: string, cause: Error, isTls: boolean): MbsError {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const { message } = cause;
  if (/WRONGPASS|invalid password|invalid username/i.test(message)) {
    return new DeniedError(`${place} refuses the user or password; check --queue-password-file and the user in --queue`);
  }
  if (message.startsWith("NOAUTH"))
    return new DeniedError(`${place} asks for a password; give the file that has it by --queue-password-file`);
  if (message.startsWith("DENIED") || message === closed) {
    return new DeniedError(
      `${place} closes the connection${message === closed ? "" : ", since it is in protected mode"}: Redis takes other machines only with a password; set requirepass there, and give the file that has it by --queue-password-file`,
    );
  }
  if (message.startsWith("NOPERM"))
    return new DeniedError(
      `${place}: the user may not do what a queue needs (${message}); give them all keys, channels and commands`,
    );
  if (message.includes("DB index")) return new UsageError(`${place} has no database of that number; correct --queue`);
  if (message.includes("max number of clients")) {
    return new TryAgainError(
      `${place} has as many clients as it takes; raise maxclients there, or end some of them, then run again`,
    );
  }
  if (isRefusal(cause)) return refusalError(place, cause);
  const fault = certificateFault(cause);
  if (fault !== undefined) return new DeniedError(`${place}: TLS failed (${code}); ${certificateRemedies[fault]}`);
  if (isTlsFault(code, message)) {
    return new DeniedError(
      `${place}: TLS failed (${code || message}); look at the certificate on the server (tls-cert-file), or give redis:// where it has no TLS`,
    );
  }
  // one without TLS waits for the rest of a command
  const hint = isTls ? ", and take redis:// where the server has no TLS" : ", and take rediss:// where it speaks TLS";
  return new TryAgainError(`no Redis answers at ${place} (${code || message}); start it, or correct --queue${hint}`);
}
