import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { makeFolder, systemError } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import type { ResourceKind } from "@mbs/contracts";

/**
 * Makes the folder of the artifacts, or checks that it can be written to, so that a server does not start and then fail every
 * call.
 *
 * @returns its absolute path
 * @throws as makeFolder
 * @throws {DeniedError} where nothing may be written
 */
export async function prepareStore(folder: string): Promise<string> {
  const path = resolve(folder);
  await makeFolder(path, "make --store");
  await access(path, constants.W_OK).catch((cause: unknown) => {
    throw systemError(cause, "write to --store", path);
  });
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
