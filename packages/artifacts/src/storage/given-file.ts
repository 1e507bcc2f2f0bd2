import { readFile, stat } from "node:fs/promises";
import { UsageError } from "@mbs/contracts";
import { systemError } from "./system-error.ts";

/**
 * The bytes of a small file that a flag names, such as a certificate or a password.
 *
 * @param flag "--queue-ca"
 * @throws {DeniedError} where it may not be read
 * @throws {InputOutputError} where it is missing
 */
export async function readGiven(path: string, flag: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw systemError(cause, `read (${flag})`, path);
  }
}

/** @param warn called where other users of this machine can read the file, which has a password, key or token in it */
export async function warnIfOpen(path: string, warn: (message: string) => void): Promise<void> {
  // where it is missing, reading it says so
  const mode = (await stat(path).catch(() => undefined))?.mode ?? 0;
  // Windows has no such bits; a group is shared on purpose, as by a container and what starts it
  const isOpen = process.platform !== "win32" && (mode & 0o004) !== 0;
  if (isOpen) warn(`${path} can be read by other users of this machine; take their right to read it: chmod 600 ${path}`);
}

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
