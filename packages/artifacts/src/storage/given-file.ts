import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { UsageError } from "@mbs/contracts";
import { systemError } from "./system-error.ts";

/** Bytes that a small file has at most: a bundle of certificates has less than one MiB. */
const longestGiven = 4 << 20;

/** The first bytes of a file, one more than it may have. */
async function firstBytes(file: FileHandle): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of file.createReadStream({ end: longestGiven, autoClose: false })) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/**
 * The bytes of a small file that a flag names, such as a certificate or a password.
 *
 * @param flag "--queue-ca"
 * @param isReadAgain whether it is read again later, which a pipe cannot be: it is not waited for
 * @throws {UsageError} where it has more than 4 MiB, or is no file that can be read again
 * @throws {DeniedError} where it may not be read
 * @throws {InputOutputError} where it is missing
 */
export async function readGiven(path: string, flag: string, isReadAgain = false): Promise<Buffer> {
  const failed = (cause: unknown): never => {
    throw systemError(cause, `read (${flag})`, path);
  };
  // a pipe that nobody writes to would hold up the opening for ever; Windows has no such flag
  const flags = isReadAgain ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY;
  const file = await open(path, flags).catch(failed);
  try {
    if (isReadAgain && !(await file.stat()).isFile()) {
      throw new UsageError(`${path} (${flag}) is no file, and it is read again later; give a file`, { path });
    }
    const bytes = await firstBytes(file).catch(failed);
    if (bytes.length <= longestGiven) return bytes;
    throw new UsageError(`${path} (${flag}) has more than 4 MiB; give the file that is meant`, { path });
  } finally {
    await file.close();
  }
}

/** @param warn called where other users of this machine can read or change the file, which has a password, key or token in it */
export async function warnIfOpen(path: string, warn: (message: string) => void): Promise<void> {
  // where it is missing, reading it says so
  const mode = (await stat(path).catch(() => undefined))?.mode ?? 0;
  // Windows has no such bits; a group is shared on purpose, as by a container and what starts it
  if (process.platform === "win32") return;
  const rights = [...((mode & 0o004) === 0 ? [] : ["read"]), ...((mode & 0o002) === 0 ? [] : ["change"])];
  if (rights.length === 0) return;
  const what = rights.join(" and ");
  warn(
    `${path} can be ${what.replace("change", "changed")} by other users of this machine; take their right to ${what} it: chmod 600 ${path}`,
  );
}

/** Whether a key or token is characters of ASCII without blanks: what headers take, and what all programs read as the same. */
export const isPlainSecret = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

/**
 * The first line of a file that keeps a password or token.
 *
 * @param what is in the file, for messages: "the queue's password"
 * @throws {UsageError} where the first line is empty
 */
export async function readFirstLine(path: string, flag: string, what: string, warn: (message: string) => void): Promise<string> {
  const text = (await readGiven(path, flag)).toString();
  const [line = ""] = text.split(/\r?\n/);
  if (line === "")
    throw new UsageError(`${path} ${text === "" ? "is empty" : "begins with an empty line"}; its first line is ${what}`);
  await warnIfOpen(path, warn);
  return line;
}
