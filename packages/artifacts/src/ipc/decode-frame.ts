import { BadDataError } from "@mbs/contracts";
import type { ByteReader } from "./byte-reader.ts";
import { continuation, messageHash, messageLimit, metadataLimit, prefixSize, trailerMagic, trailerSize } from "./frame.ts";

/** A message whose hash was right. */
export interface Frame {
  /** The flatbuffer, padded. */
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** Where the message began in the stream. */
  readonly offset: number;
}

const arrowFileMagic = "ARROW1\0\0";

const cut = (reader: ByteReader): BadDataError =>
  new BadDataError(`the Arrow stream is cut short at byte ${reader.offset}: its writer stopped before the end; write it again`, {
    offset: reader.offset,
  });

const notAnArtifact = (): BadDataError =>
  new BadDataError("no artifact: it does not begin as one; give what a stage of mbs has written, such as segments.arrow", {
    offset: 0,
  });

/** Whether a stream may be an artifact, as far as its first bytes say. */
const isBeginning = (prefix: Uint8Array): boolean =>
  prefix.every((byte, index) => index >= 4 || byte === 0xff) || arrowFileMagic.startsWith(Buffer.from(prefix).toString("latin1"));

async function readExactly(reader: ByteReader, length: number): Promise<Uint8Array> {
  const bytes = await reader.read(length);
  if (bytes.length < length) throw cut(reader);
  return bytes;
}

function checkPrefix(prefix: Uint8Array, offset: number): number {
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefixSize);
  if (offset === 0 && Buffer.from(prefix).toString("latin1") === arrowFileMagic) {
    throw new BadDataError("an Arrow file, not an Arrow stream; artifacts are streams (docs/artifacts.md)", { offset });
  }
  if (view.getUint32(0, true) !== continuation) {
    throw new BadDataError(`no Arrow message at byte ${offset}: damaged, or not an artifact`, { offset });
  }
  return view.getUint32(4, true);
}

/**
 * Reads one message and checks its bounds and its hash, before anything in it is looked at.
 *
 * @returns undefined at the closing mark of the stream
 * @throws {BadDataError} where the stream is cut, damaged, over the limit or without hashes
 */
export async function readFrame(reader: ByteReader): Promise<Frame | undefined> {
  const { offset } = reader;
  const prefix = await reader.read(prefixSize);
  if (offset === 0 && prefix.length === 0) throw new BadDataError("empty: expected an artifact, got no bytes at all", { offset });
  if (offset === 0 && !isBeginning(prefix)) throw notAnArtifact();
  if (prefix.length < prefixSize) throw cut(reader);
  const metadataLength = checkPrefix(prefix, offset);
  if (metadataLength === 0) return undefined;
  if (metadataLength < trailerSize + 8 || metadataLength > metadataLimit || metadataLength % 8 !== 0) {
    throw new BadDataError(
      `Arrow message at byte ${offset} states ${metadataLength} bytes of metadata: damaged, or not an artifact`,
      {
        offset,
      },
    );
  }
  const metadata = await readExactly(reader, metadataLength);
  const trailer = Buffer.from(metadata.buffer, metadata.byteOffset + metadataLength - trailerSize, trailerSize);
  if (trailer.toString("latin1", 0, 8) !== trailerMagic) {
    throw new BadDataError(`Arrow message at byte ${offset} has no hash: damaged, or written by another program`, { offset });
  }
  const bodyLength = trailer.readBigUInt64LE(8);
  if (bodyLength > BigInt(messageLimit - prefixSize - metadataLength)) {
    throw new BadDataError(
      `Arrow message at byte ${offset} states a body of ${bodyLength} bytes, the limit of a message is ${messageLimit}`,
      {
        offset,
      },
    );
  }
  const body = await readExactly(reader, Number(bodyLength));
  if (!trailer.subarray(16).equals(messageHash(prefix, metadata, body))) {
    throw new BadDataError(`Arrow message at byte ${offset} does not have its hash: damaged on the way; write or copy it again`, {
      offset,
    });
  }
  return { header: metadata.subarray(0, -trailerSize), body, offset };
}

/** Reads on after the closing mark, where nothing may follow. */
export async function requireEnd(reader: ByteReader): Promise<void> {
  const { offset } = reader;
  if ((await reader.read(1)).length > 0) {
    throw new BadDataError(
      `more bytes after the end of the artifact at byte ${offset}; two artifacts in one stream are not read`,
      { offset },
    );
  }
}
