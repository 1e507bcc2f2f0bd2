import { isAddress, keepCached, readCached } from "@mbs/artifacts";

const kind = "model-addresses";

/**
 * The address that was found for a key by an earlier process.
 *
 * @param key stamps of the model's files: as long as they are the same, nothing was written to them
 * @returns undefined where there is none, or it cannot be read
 */
export async function knownAddress(key: string): Promise<string | undefined> {
  const address = await readCached(kind, key);
  return address !== undefined && isAddress(address) ? address : undefined;
}

/** Keeps an address for later processes: without it they read the model again. */
export const keepAddress = (key: string, address: string): Promise<void> => keepCached(kind, key, address);
