import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "./make-folder.ts";
import { writeAtomically } from "./atomic-file.ts";

/** Where small facts are kept between processes. @param kind a folder of it */
const cacheFolder = (kind: string): string => join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "mbs", kind);

const fileOf = (kind: string, key: string): string => join(cacheFolder(kind), createHash("sha256").update(key).digest("hex"));

/** What an earlier process kept under a key; undefined where there is nothing, or nothing that can be read. */
export async function readCached(kind: string, key: string): Promise<string | undefined> {
  return readFile(fileOf(kind, key), "utf8").catch(() => undefined);
}

/** Keeps a text for later processes, where a file can be written: without it they find it out again. */
export async function keepCached(kind: string, key: string, text: string): Promise<void> {
  try {
    await makeFolder(cacheFolder(kind));
    await writeAtomically(fileOf(kind, key), [Buffer.from(text)], { force: true });
  } catch {
    // a folder that is full or denied
  }
}
