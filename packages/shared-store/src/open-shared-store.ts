import { UsageError } from "@mbs/contracts";
import { FolderKeeper } from "./folder/folder-keeper.ts";
import { KeptStore } from "./kept-store.ts";
import { isS3Place, parseS3Place } from "./s3/s3-place.ts";
import type { SharedStore } from "./shared-store.ts";

export interface OpenStoreOptions {
  /** Make the folder where it is not there, and what a shared store has in it. Buckets are never made. */
  readonly create?: boolean;
  /** Milliseconds without a byte before a request to a server counts as stalled; default half a minute. */
  readonly stall?: number;
  /**
   * How often a request to a server is sent before its failure is an error; default 11, which takes 25 seconds in the mean, or
   * AWS_MAX_ATTEMPTS. The first request is sent six times at most.
   */
  readonly attempts?: number;
}

/**
 * Opens a shared store. One in S3 takes credentials, region and endpoint where every program of AWS takes them: the environment,
 * a profile, the machine's role.
 *
 * @param place a folder, or "s3://BUCKET/PREFIX"
 * @throws {UsageError} on a place of another kind, or a folder or bucket that is not there
 * @throws {DeniedError} where the user may not use it
 * @throws {TryAgainError} where its server cannot be reached
 */
export async function openSharedStore(place: string, options: OpenStoreOptions = {}): Promise<SharedStore> {
  const { create = false, stall = 30_000, attempts = 11 } = options;
  if (isS3Place(place)) {
    const { S3Keeper } = await import("./s3/s3-keeper.ts");
    return new KeptStore(await S3Keeper.open(parseS3Place(place), { stall, attempts }));
  }
  if (place === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(place)) {
    throw new UsageError("a store is a folder, or s3://BUCKET/PREFIX; correct the place that was given");
  }
  return new KeptStore(await FolderKeeper.open(place, create));
}
