import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { plainAt, followLinks, requireNotRead, writeAtomically } from "@mbs/artifacts";
import { DeniedError, UsageError } from "@mbs/contracts";

const missing = (): undefined => undefined;

/** A folder can be made where its nearest neighbour above is one. */
async function requireFolder(folder: string, target: string): Promise<void> {
  const found = await stat(folder).catch(missing);
  if (found?.isDirectory()) return;
  if (found) throw new DeniedError(`${folder} is a file, so ${target} cannot be written; choose another path`, { path: target });
  if (dirname(folder) !== folder) await requireFolder(dirname(folder), target);
}

async function requireApart(targets: readonly string[]): Promise<void> {
  const places = new Map<string, string>();
  for (const target of targets) {
    const place = await followLinks(target);
    if (places.has(place)) throw new UsageError(`two outputs go to ${target}; give each a file of its own`, { output: target });
    places.set(place, target);
  }
  for (const [place, target] of places) {
    for (let above = dirname(place); above !== dirname(above); above = dirname(above)) {
      const file = places.get(above);
      if (file !== undefined)
        throw new UsageError(`${file} is an output, so ${target} cannot be in it; choose another output`, { output: target });
    }
  }
}

/**
 * Finds out before the first file of a command is written whether all of them can be.
 *
 * @param read paths of what the command reads
 * @throws {UsageError} where a file would replace what is read, or two are at one place
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

/** Writes a file and the folder that it lies in. */
export async function writeTarget(path: string, content: string, force: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, [Buffer.from(content)], { force });
}
