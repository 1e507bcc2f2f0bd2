import { readFile, stat } from "node:fs/promises";
import { requirePlainJson } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";

/** An object read from JSON. Look keys up with `Object.hasOwn` or take its entries: it may have any key. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses the JSON object in `bytes`, refusing bad UTF-8, duplicate keys and nesting without end.
 *
 * @param what for messages: "header of model.safetensors"
 * @throws {BadDataError}
 */
export function parseJsonObject(bytes: Uint8Array, what: string, file: string): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BadDataError(`${what} is not UTF-8; write the file again from its source`, { file }, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replaceAll(/\s+/g, " ").slice(0, 120) : String(cause);
    throw new BadDataError(`${what} is not JSON (${reason}); write the file again from its source`, { file }, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BadDataError(`${what} is not a JSON object; write the file again from its source`, { file });
  }
  requirePlainJson(text, what, { file });
  return value as JsonObject;
}

/**
 * Reads a file of at most `limit` bytes.
 *
 * @throws {BadDataError} when it is missing or too large
 */
export async function readLimited(path: string, limit: number): Promise<Uint8Array> {
  const size = await fileSize(path);
  if (size > limit) {
    throw new BadDataError(`${path} has ${size} bytes, more than the ${limit} allowed; is it the right file?`, {
      file: path,
      size,
    });
  }
  return readFile(path);
}

/**
 * Reads a JSON object from a file of at most `limit` bytes.
 *
 * @throws {BadDataError} when it is missing, too large, or not a JSON object
 */
export async function readJsonFile(path: string, limit: number): Promise<{ bytes: Uint8Array; value: JsonObject }> {
  const bytes = await readLimited(path, limit);
  return { bytes, value: parseJsonObject(bytes, path, path) };
}

/** Size of a regular file. @throws {BadDataError} when there is none */
export async function fileSize(path: string): Promise<number> {
  try {
    const status = await stat(path);
    if (status.isFile()) return status.size;
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new BadDataError(`${path} is missing; the model folder must be complete`, { file: path }, { cause });
  }
  throw new BadDataError(`${path} is not a file; the model folder must be complete`, { file: path });
}

/** Whether there is a regular file. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isFile(),
    () => false,
  );

/** Whether an error of node:fs says that the file is not there. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
