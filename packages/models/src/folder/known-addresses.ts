import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { isAddress, makeFolder, writeAtomically } from "@mbs/artifacts";

/** Where addresses are kept between processes. */
const cacheFolder = (): string => join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "mbs", "model-addresses");

const fileOf = (key: string): string => join(cacheFolder(), createHash("sha256").update(key).digest("hex"));

/**
 * The address that was found for a key by an earlier process.
 *
 * @param key stamps of the model's files: as long as they are the same, nothing was written to them
 * @returns undefined where there is none, or it cannot be read
 */
export async function knownAddress(key: string): Promise<string | undefined> {
  try {
    const address = await readFile(fileOf(key), "utf8");
    return isAddress(address) ? address : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps an address for later processes, where a file can be written. */
export async function keepAddress(key: string, address: string): Promise<void> {
  try {
    await makeFolder(cacheFolder());
    await writeAtomically(fileOf(key), [Buffer.from(address)], { force: true });
  } catch {
    // the next process reads the model again
  }
}
