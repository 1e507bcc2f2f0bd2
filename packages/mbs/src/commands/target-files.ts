import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { followLinks, makeFolder, plainAt, requireNotRead, writeAtomically } from "@mbs/artifacts";
import { DeniedError, UsageError } from "@mbs/contracts";

const missing = (): undefined => undefined;

/** @throws {DeniedError} where a folder cannot be made because a parent is a file */
async function requireFolder(folder: string, target: string): Promise<void> {
  const found = await stat(folder).catch(missing);
  if (found?.isDirectory()) return;
  if (found) throw new DeniedError(`${folder} is a file, so ${target} cannot be written; choose another path`, { path: target });
  if (dirname(folder) !== folder) await requireFolder(dirname(folder), target);
}

async function requireApart(targets: readonly string[]): Promise<void> {
  const real = new Map<string, string>();
  for (const target of targets) {
    const path = await followLinks(target);
    if (real.has(path)) throw new UsageError(`two outputs go to ${target}; give each a file of its own`, { output: target });
    real.set(path, target);
  }
  for (const [path, target] of real) {
    for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
      const file = real.get(above);
      if (file !== undefined)
        throw new UsageError(`${file} is an output, so ${target} cannot be in it; choose another output`, { output: target });
    }
  }
}

/**
 * Checks before the first file of a command is written that all of them can be.
 *
 * @param read paths of what the command reads
 * @throws {UsageError} where a file would replace what is read, or two have the same path
 * @throws {DeniedError} where something is in the way
 */
export async function requireTargets(targets: readonly string[], read: readonly string[], force: boolean): Promise<void> {
  await requireNotRead(targets, read);
  await requireApart(targets);
  for (const target of targets) {
    await requireFolder(dirname(resolve(target)), target);
    const found = await plainAt(target);
    if (found?.isDirectory()) throw new DeniedError(`${target} is a folder; choose another name`, { path: target });
    if (found && !force) {
      throw new DeniedError(`${target} exists; choose another name, or replace it with --force`, { path: target });
    }
  }
}

/** Writes a file, and makes its folder. */
export async function writeTarget(path: string, content: string, force: boolean): Promise<void> {
  await makeFolder(dirname(path));
  await writeAtomically(path, [Buffer.from(content)], { force });
}
