import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { systemError } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { CompletedPart } from "@aws-sdk/client-s3";
import type { S3Connection } from "./s3-connection.ts";
import { failureOf, StrangeAnswerError } from "./s3-errors.ts";

const smallestPart = 8 * 1024 * 1024;
/** S3 takes no more. */
const mostParts = 10_000;
/** Parts on their way at a time; so much of a file is in memory. */
const partsAtOnce = 4;

/** One object that is being put. */
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
  /** Put only where there is none yet. */
  readonly isNew: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Bytes of a part of a file so long; a whole multiple of a MiB. */
export const partSizeOf = (bytes: number): number => Math.max(smallestPart, Math.ceil(bytes / mostParts / 2 ** 20) * 2 ** 20);

/** Reads a part, so that it can be sent again without the file. */
async function readPart(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const part = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(part, filled, length - filled, position + filled).catch((cause: unknown) => {
      throw systemError(cause, "read", path);
    });
    if (bytesRead === 0) throw new BadDataError(`${path} became shorter while it was put; make it again`, { path });
    filled += bytesRead;
  }
  return part;
}

/** Puts a file of any size. Failures of requests are those of the SDK. */
export async function uploadFile(connection: S3Connection, upload: Upload): Promise<void> {
  const { bucket: Bucket, key: Key, path, bytes, isNew, signal: abortSignal } = upload;
  const { sdk, client } = connection;
  const file = await open(path, "r").catch((cause: unknown) => {
    throw systemError(cause, "read", path);
  });
  try {
    if (bytes > partSizeOf(bytes)) return await uploadParts(connection, upload, file);
    const Body = await readPart(file, 0, bytes, path);
    const condition = isNew ? { IfNoneMatch: "*" } : {};
    await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body, ContentLength: bytes, ...condition }), {
      ...(abortSignal && { abortSignal }),
    });
  } finally {
    await file.close();
  }
}

async function uploadParts({ sdk, client }: S3Connection, upload: Upload, file: FileHandle): Promise<void> {
  const { bucket: Bucket, key: Key, path, bytes, isNew, signal } = upload;
  // the first failure ends the other parts
  const failed = new AbortController();
  const abortSignal = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const ChecksumAlgorithm = "CRC32";
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm }), {
    abortSignal,
  });
  // a part without it would be put as if it were all
  if (UploadId === undefined) throw new StrangeAnswerError("with an upload without a name");
  try {
    const size = partSizeOf(bytes);
    const parts: CompletedPart[] = [];
    const count = Math.ceil(bytes / size);
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        const index = next++;
        const Body = await readPart(file, index * size, Math.min(size, bytes - index * size), path);
        const PartNumber = index + 1;
        const { ETag, ChecksumCRC32 } = await client.send(
          new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm }),
          { abortSignal },
        );
        parts[index] = { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
      }
    };
    const workers = Array.from({ length: Math.min(partsAtOnce, count) }, () =>
      work().catch((cause: unknown) => {
        failed.abort();
        throw cause;
      }),
    );
    const ended = await Promise.allSettled(workers);
    // those that were ended by the first failure are no news
    const causes = ended.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (causes.length > 0) throw causes.find((cause) => failureOf(cause).name !== "AbortError") ?? causes[0];
    const condition = isNew ? { IfNoneMatch: "*" } : {};
    await client
      .send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts }, ...condition }), {
        ...(signal && { abortSignal: signal }),
      })
      .catch((cause: unknown) => {
        // an attempt before has completed it, and its answer was lost; who calls looks whether it is there
        if (failureOf(cause).name !== "NoSuchUpload") throw cause;
      });
  } catch (cause) {
    // parts cost money until they are removed; where this fails too, prune removes them
    await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => undefined);
    throw cause;
  }
}
