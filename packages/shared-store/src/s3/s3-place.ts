import { UsageError, quoted } from "@mbs/contracts";

/** A part of a bucket. */
export interface S3Place {
  /** "s3://BUCKET/PREFIX", without a slash at its end. */
  readonly text: string;
  readonly bucket: string;
  /** Before every key: "PREFIX/", or "" for the whole bucket. */
  readonly prefix: string;
}

const scheme = "s3://";

/** Whether a place names a bucket. */
export const isS3Place = (place: string): boolean => place.toLowerCase().startsWith(scheme);

/**
 * @param place "s3://BUCKET" or "s3://BUCKET/PREFIX"
 * @throws {UsageError} on another form
 */
export function parseS3Place(place: string): S3Place {
  // not repeated: it may hold a password
  if (place.includes("@")) {
    throw new UsageError(
      "a store's place takes no credentials; remove them, and give them as every program of AWS takes them (AWS_PROFILE, …)",
    );
  }
  const [bucket = "", ...folders] = place.slice(scheme.length).replace(/\/+$/, "").split("/");
  const isBucket = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket);
  const arePlain = folders.every((folder) => /^[\w!.*'() -]+$/.test(folder) && folder !== "." && folder !== "..");
  if (!place.startsWith(scheme) || !isBucket || !arePlain) {
    throw new UsageError(
      `${quoted(place)} is no place in S3: s3://BUCKET or s3://BUCKET/PREFIX is, where a bucket has 3 to 63 small letters, digits, dots and hyphens`,
      { place: place.slice(0, 80) },
    );
  }
  const prefix = folders.map((folder) => `${folder}/`).join("");
  return { text: [scheme + bucket, ...folders].join("/"), bucket, prefix };
}
