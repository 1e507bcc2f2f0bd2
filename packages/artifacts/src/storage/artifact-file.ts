import { constants, createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { InputOutputError, MbsError, type ArtifactStream, type Batch } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";
import { once } from "../ipc/byte-reader.ts";
import { decodeEnd, endSearchSize } from "../ipc/decode-end.ts";
import { decodeStream, type DecodedStream } from "../ipc/decode-stream.ts";
import { encodeStream } from "../ipc/encode-stream.ts";
import { metadataLimit, prefixSize } from "../ipc/frame.ts";
import { requireFree, writeAtomically, type OpenNew, type WriteOptions } from "./atomic-file.ts";
import { systemError } from "./system-error.ts";

/** What the file of an artifact states. */
export interface StoredArtifact {
  readonly address: string;
  readonly kind: string;
  readonly rows: number;
  /** Size of its file. */
  readonly bytes: number;
}

/** Bytes a read: pipes and disks are slower with Node's 64 KiB. */
const chunkSize = 1024 * 1024;

/**
 * Writes an artifact to a file: whole or not at all. It goes to a temporary file in the same folder, is synced and
 * renamed.
 *
 * @param openNew for tests
 * @throws {DeniedError} where the path is taken and `force` is not set, or may not be written
 * @throws {InputOutputError} where the disk is full or fails
 * @throws {InterruptedError} where the signal aborts
 */
export async function writeArtifact(
  stream: ArtifactStream,
  path: string,
  options: WriteOptions = {},
  openNew?: OpenNew,
): Promise<Receipt> {
  await requireFree(path, options.force);
  const { bytes, receipt } = encodeStream(stream);
  await writeAtomically(path, bytes, options, openNew);
  return receipt;
}

async function* readFileBytes(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: chunkSize });
  try {
    for await (const chunk of file) yield chunk as Buffer;
  } catch (cause) {
    throw systemError(cause, "read", path);
  }
}

/** The same error with the source in front. */
function named(cause: unknown, path: string): unknown {
  if (
    cause instanceof MbsError &&
    (cause.tag === "bad-data" || cause.tag === "failed-precondition") &&
    cause.facts["path"] === undefined
  ) {
    const Same = cause.constructor as new (...parameters: ConstructorParameters<typeof MbsError>) => MbsError;
    return new Same(`${path}: ${cause.message}`, { ...cause.facts, path }, { cause });
  }
  return cause;
}

async function* namedBatches({ batches }: ArtifactStream, path: string): AsyncGenerator<Batch> {
  try {
    yield* batches;
  } catch (cause) {
    throw named(cause, path);
  }
}

/**
 * Opens an artifact whose errors name where it comes from.
 *
 * @param source a path, or "standard input"
 * @throws {BadDataError} here or while batches are read, naming the source
 */
export async function openNamed(bytes: AsyncIterable<Uint8Array>, source: string): Promise<DecodedStream> {
  try {
    const stream = await decodeStream(bytes);
    return { ...stream, batches: namedBatches(stream, source) };
  } catch (cause) {
    throw named(cause, source);
  }
}

/**
 * Opens an artifact in a file of any size; it is read as its batches are asked for.
 *
 * @throws {InputOutputError} where the file is not there or cannot be read
 * @throws {BadDataError} here or while batches are read, naming the file
 */
export const openArtifact = (path: string): Promise<DecodedStream> => openNamed(readFileBytes(path), path);

/**
 * What the file of an artifact states about itself. Only the schema and the end are read, so what is between them may be damaged.
 *
 * @throws {InputOutputError} where the file is not there or cannot be read
 * @throws {BadDataError} where it has no schema or no end
 */
export async function describeArtifact(path: string): Promise<StoredArtifact> {
  try {
    // a FIFO without a writer would be waited for
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new InputOutputError(`cannot read ${path}: it is no file; check the path`, { path });
      const bytes = found.size;
      const read = async (position: number, length: number): Promise<Buffer> => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      };
      const { schema } = await decodeStream(once(await read(0, Math.min(bytes, prefixSize + metadataLimit))));
      const tail = await read(Math.max(0, bytes - endSearchSize), Math.min(bytes, endSearchSize));
      const { address, rows } = await decodeEnd(tail, schema, path);
      return { address, kind: schema.kind, rows, bytes };
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw named(systemError(cause, "read", path), path);
  }
}
