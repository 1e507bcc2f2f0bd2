import { createHash } from "node:crypto";
import { InternalError } from "@mbs/contracts";
import { writeBody } from "./encode-body.ts";
import type { PlannedBody } from "./encode-body.ts";

/**
 * Most bytes of one message, all included: what grpc-js, Go and Rust receive by default. A longer one is refused before
 * anything is allocated.
 */
export const messageLimit = 4 * 1024 * 1024;

/** Most bytes of the metadata of a message (the schema, or offsets and lengths of the buffers). */
export const metadataLimit = 1024 * 1024;

/** Most columns of a schema. */
export const fieldLimit = 64;

/** Most key–value pairs of a schema or a message. */
export const pairLimit = 256;

/**
 * An encapsulated message:
 *
 *   0xFFFFFFFF  metadata length  | flatbuffer, padded to 8 | magic  body length  SHA-256 | body
 *   prefix, 8 bytes              | metadata, of the stated length ----------------------- |
 *
 * The trailer of 48 bytes fills up Arrow's metadata, behind the flatbuffer, where Arrow's readers do not look. The hash
 * covers everything of the message but itself.
 */
export const prefixSize = 8;
export const trailerSize = 48;
export const trailerMagic = "mbs.hash";
export const continuation = 0xff_ff_ff_ff;

/** Closes an Arrow stream. */
export const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

/** SHA-256 of a message but for the hash itself. `metadata` is all of it, with its trailer. */
export function messageHash(prefix: Uint8Array, metadata: Uint8Array, body: Uint8Array): Uint8Array {
  return createHash("sha256")
    .update(prefix)
    .update(metadata.subarray(0, metadata.length - 32))
    .update(body)
    .digest();
}

/** One message with its hash. */
export function encodeFrame(header: Uint8Array, body?: PlannedBody): Uint8Array {
  const bodyLength = body?.bodyLength ?? 0;
  const metadataLength = Math.ceil(header.length / 8) * 8 + trailerSize;
  const total = prefixSize + metadataLength + bodyLength;
  if (total > messageLimit || metadataLength > metadataLimit) {
    throw new InternalError(`a message of ${total} bytes is over the limit of ${messageLimit}; cut the batch`, { total });
  }
  const frame = Buffer.allocUnsafeSlow(total);
  const bodyAt = prefixSize + metadataLength;
  frame.writeUInt32LE(continuation, 0);
  frame.writeInt32LE(metadataLength, 4);
  frame.set(header, prefixSize);
  frame.fill(0, prefixSize + header.length, bodyAt - trailerSize);
  frame.write(trailerMagic, bodyAt - trailerSize, "latin1");
  frame.writeBigUInt64LE(BigInt(bodyLength), bodyAt - 40);
  if (body) writeBody(body, frame.subarray(bodyAt));
  frame.set(messageHash(frame.subarray(0, prefixSize), frame.subarray(prefixSize, bodyAt), frame.subarray(bodyAt)), bodyAt - 32);
  return frame;
}
