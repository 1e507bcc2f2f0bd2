import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { DeniedError, InputOutputError, UsageError } from "@mbs/contracts";
import type { ResourceKind } from "@mbs/contracts";

/**
 * Makes the folder of the artifacts, or checks that it can be written to, so that a server does not start and then fail every
 * call.
 *
 * @returns its absolute path
 * @throws {DeniedError} where a file is there or nothing may be written
 * @throws {InputOutputError} where it cannot be made
 */
export async function prepareStore(folder: string): Promise<string> {
  const path = resolve(folder);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    const facts = { path, code };
    if (code === "EEXIST" || code === "ENOTDIR") {
      throw new DeniedError(`--store ${folder}: a file is there; name a folder`, facts, { cause });
    }
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      throw new DeniedError(`--store ${folder} may not be written; choose another folder`, facts, { cause });
    }
    throw new InputOutputError(`--store ${folder} cannot be made (${code}); choose another folder`, facts, { cause });
  }
  return path;
}

/**
 * The folder whose entries clients may name.
 *
 * @returns its absolute path; undefined where none was given
 * @throws {UsageError} where it is no folder
 */
export async function requireRoot(kind: ResourceKind, folder: string | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  const path = resolve(folder);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new UsageError(`--${kind}-root ${folder} is no folder; check the path`, { path });
  return path;
}
