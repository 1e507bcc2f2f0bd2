import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "./engine.ts";

/** A server of S3 adds an ending to names. */
const artifactName = /(^|\/)[0-9a-f]{64}\.arrow(\._S3rver_object)?$/;

/** The files of artifacts in a folder and those below, sorted. */
export async function artifactFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const found = names.filter((name) => artifactName.test(name)).toSorted();
  return found.map((name) => join(folder, name));
}

/** Flips a bit of one of some files in place, or cuts it short. @returns whether there was one */
export async function damageOne(paths: readonly string[], random: Random): Promise<boolean> {
  const [place, offset, isCut] = [random(), random(), random() < 0.5];
  const path = paths[Math.floor(place * paths.length)];
  // removed since, perhaps
  const file = path === undefined ? undefined : await open(path, "r+").catch(() => undefined);
  if (file === undefined) return false;
  try {
    const { size } = await file.stat();
    if (size === 0) return false;
    const at = Math.floor(offset * size);
    if (isCut) await file.truncate(at);
    else {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
      await file.write(Buffer.of(buffer.readUInt8() ^ 1), 0, 1, at);
    }
    return true;
  } finally {
    await file.close();
  }
}
