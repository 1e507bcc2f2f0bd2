import {
  BrokenPipeError,
  DeniedError,
  InputOutputError,
  InternalError,
  InterruptedError,
  MbsError,
  UsageError,
  printable,
  shortened,
} from "@mbs/contracts";
import type { ErrorTag } from "@mbs/contracts";
import { CommanderError } from "commander";

/** Exit code of each error category; sysexits(3) where it has one. */
export const exitCodes: Readonly<Record<ErrorTag, number>> = {
  usage: 2,
  "bad-data": 65,
  "failed-precondition": 65,
  internal: 70,
  "input-output": 74,
  "try-again": 75,
  denied: 77,
  interrupted: 130,
  "broken-pipe": 141,
  "limit-exceeded": 1,
};

const systemErrors: Readonly<Record<string, (message: string, cause: unknown) => MbsError>> = {
  EPIPE: (message, cause) => new BrokenPipeError(message, {}, { cause }),
  ENOSPC: (message, cause) => new InputOutputError(`disk full: ${message}; free some space and run again`, {}, { cause }),
  EDQUOT: (message, cause) => new InputOutputError(`quota used up: ${message}; free some space and run again`, {}, { cause }),
  EFBIG: (message, cause) =>
    new InputOutputError(`file too large: ${message}; raise the limit on file sizes (ulimit -f)`, {}, { cause }),
  EIO: (message, cause) => new InputOutputError(message, {}, { cause }),
  ENOENT: (message, cause) => new InputOutputError(`${message}; check the path`, {}, { cause }),
  EEXIST: (message, cause) => new InputOutputError(`${message}; something else is there, choose another path`, {}, { cause }),
  ENOTDIR: (message, cause) => new InputOutputError(`${message}; check the path`, {}, { cause }),
  EISDIR: (message, cause) => new InputOutputError(`${message}; name a file`, {}, { cause }),
  ENAMETOOLONG: (message, cause) => new InputOutputError(`${message}; choose a shorter path`, {}, { cause }),
  EMFILE: (message, cause) => new InputOutputError(`${message}; raise the limit of open files (ulimit -n)`, {}, { cause }),
  EACCES: (message, cause) => new DeniedError(`${message}; check the permissions`, {}, { cause }),
  EPERM: (message, cause) => new DeniedError(`${message}; check the permissions`, {}, { cause }),
  EROFS: (message, cause) => new DeniedError(`${message}; choose a path that can be written to`, {}, { cause }),
};

/** Any thrown value as one of the errors that have an exit code. */
export function toMbsError(thrown: unknown): MbsError {
  if (thrown instanceof MbsError) return thrown;
  if (thrown instanceof CommanderError) {
    return new UsageError(thrown.message.replace(/^error: /, ""), {}, { cause: thrown });
  }
  if (!(thrown instanceof Error)) return new InternalError(`unexpected: ${String(thrown)}`);
  if (thrown.name === "AbortError") return new InterruptedError("interrupted", {}, { cause: thrown });
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  const known = Object.hasOwn(systemErrors, code) ? systemErrors[code] : undefined;
  if (known) return known(thrown.message, thrown);
  // any other refusal of the operating system is not a bug in this program
  if (code !== "" && "syscall" in thrown)
    return new InputOutputError(`${thrown.message}; check the path, and what is there`, {}, { cause: thrown });
  return new InternalError(`unexpected: ${thrown.message} (a bug; run again with --debug for the stack)`, {}, { cause: thrown });
}

/** The error as one line: line breaks, control characters of terminals and overlong names are removed. */
export function oneLine(name: string, error: MbsError): string {
  const message = shortened(printable(error.message.replaceAll(/\s*[\r\n]+\s*/g, " ")));
  // errors of options begin with the name of their stage, which a command of that name says already
  const owner = `${name.split(" ").at(-1) ?? ""}: `;
  return `${name}: ${message.startsWith(owner) ? message.slice(owner.length) : message}\n`;
}
