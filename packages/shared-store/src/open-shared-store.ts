import { quoted, UsageError } from "@mbs/contracts";
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
   * How often a request to a server is sent before its failure is an error; default AWS_MAX_ATTEMPTS, or 11, which takes 25
   * seconds in the mean. The first request is sent six times at most.
   */
  readonly attempts?: number;
}

/** How often a request is sent where nobody says so: 25 seconds in the mean. */
const usualAttempts = 11;

/** @throws {UsageError} where the environment has no number */
function attemptsOf({ AWS_MAX_ATTEMPTS: text = "" }: NodeJS.ProcessEnv): number {
  if (text === "") return usualAttempts;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`AWS_MAX_ATTEMPTS takes a whole number from 1 to 9999, not ${quoted(text)}`);
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
  const { create = false, stall = 30_000 } = options;
  if (isS3Place(place)) {
    const { attempts = attemptsOf(process.env) } = options;
    const { S3Keeper } = await import("./s3/s3-keeper.ts");
    return new KeptStore(await S3Keeper.open(parseS3Place(place), { stall, attempts }));
  }
  if (place === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(place)) {
    throw new UsageError("a store is a folder, or s3://BUCKET/PREFIX; correct the place that was given");
  }
  return new KeptStore(await FolderKeeper.open(place, create));
}
