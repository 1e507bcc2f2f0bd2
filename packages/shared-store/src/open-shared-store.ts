import { UsageError } from "@mbs/contracts";
import { FolderKeeper } from "./folder-keeper.ts";
import { KeptStore } from "./kept-store.ts";
import type { SharedStore } from "./shared-store.ts";

export interface OpenStoreOptions {
  /** Make the folder where it is not there, and what a shared store has in it. Buckets are never made. */
  readonly create?: boolean;
}

/**
 * Opens a shared store.
 *
 * @param place a folder
 * @throws {UsageError} on a place of another kind, or one that is not there
 */
export async function openSharedStore(place: string, { create = false }: OpenStoreOptions = {}): Promise<SharedStore> {
  if (place === "" || /^[a-z][a-z0-9+.-]*:/i.test(place)) {
    throw new UsageError("a store is a folder; correct the place that was given");
  }
  return new KeptStore(await FolderKeeper.open(place, create));
}
