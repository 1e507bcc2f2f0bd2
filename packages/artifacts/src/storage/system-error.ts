import { DeniedError, InputOutputError, InterruptedError, MbsError } from "@mbs/contracts";

const codeOf = (cause: unknown): string => (cause instanceof Error && "code" in cause ? String(cause.code) : "");

const denied: Readonly<Record<string, string>> = {
  EACCES: "permission denied; choose another path or change its rights",
  EPERM: "operation not permitted; choose another path or change its rights",
  EROFS: "the file system is read-only; choose another path",
  EEXIST: "something is already there; --force replaces it",
  EISDIR: "a folder is there; move it away, or choose another name",
  ENOTDIR: "a part of the path is a file; choose another path",
};

const failed: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and run again",
  EDQUOT: "the disk quota is used up; free some space and run again",
  EFBIG: "the file grows beyond the limit on file sizes; raise it (ulimit -f) or choose another disk",
  ENOENT: "no such file or folder; check the path",
  ENAMETOOLONG: "the path is too long; choose a shorter one",
  ELOOP: "its links form a loop; correct or remove them",
};

/** Turns an error of the operating system into an MbsError; other errors stay as they are. `doing`: "write", "open" … */
export function systemError(cause: unknown, doing: string, path: string): unknown {
  if (cause instanceof MbsError || !(cause instanceof Error)) return cause;
  const code = codeOf(cause);
  // that of AbortSignal.timeout has a name of its own
  if (cause.name === "AbortError" || (cause instanceof DOMException && cause.name === "TimeoutError"))
    return new InterruptedError(`stopped while trying to ${doing} ${path}; run again to go on`, { path }, { cause });
  const reason = denied[code];
  if (reason !== undefined) return new DeniedError(`cannot ${doing} ${path}: ${reason}`, { path, code }, { cause });
  if (!/^E[A-Z0-9]+$/.test(code)) return cause;
  return new InputOutputError(
    `cannot ${doing} ${path}: ${failed[code] ?? `${code}, check the disk and run again`}`,
    { path, code },
    { cause },
  );
}

/** Whether an error says that a file is not there. */
export const isMissing = (cause: unknown): boolean => codeOf(cause) === "ENOENT";

/** Whether an error says that there is a folder in the place of a file, or a file in that of a folder. */
export const isOtherKind = (cause: unknown): boolean => ["EISDIR", "ENOTDIR"].includes(codeOf(cause));
