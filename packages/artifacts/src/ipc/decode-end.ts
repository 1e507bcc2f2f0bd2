import { BadDataError, type Schema } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";
import { once, readBytes } from "./byte-reader.ts";
import { readFrame } from "./decode-frame.ts";
import { decodeBatchHeader } from "./decode-message.ts";
import { continuation, endOfStream } from "./frame.ts";

/** The end of an artifact lies within this many last bytes: a batch without rows of at most 64 columns. */
export const endSearchSize = 64 * 1024;

/**
 * What the end of an artifact states, from its last bytes: for listing without reading it all.
 *
 * @param tail the last bytes, `endSearchSize` of them or the whole
 * @throws {BadDataError} where they are no end
 */
export async function decodeEnd(tail: Buffer, schema: Schema, path: string): Promise<Receipt> {
  const closing = tail.length - endOfStream.length;
  if (closing >= 0 && tail.subarray(closing).equals(endOfStream)) {
    // Messages begin at multiples of 8 from the start of the file, hence from its end.
    for (let at = closing - 8; at >= 0; at -= 8) {
      if (tail.readUInt32LE(at) !== continuation) continue;
      const reader = readBytes(once(tail.subarray(at, closing)));
      const frame = await readFrame(reader).catch(() => undefined);
      if (!frame || reader.offset !== closing - at) continue;
      const { metadata } = decodeBatchHeader(frame.header, schema.fields, at);
      const address = metadata.get("mbs.address");
      if (address === undefined) break;
      return { address, rows: Number(metadata.get("mbs.rows")), batches: Number(metadata.get("mbs.batches")) };
    }
  }
  throw new BadDataError(`${path}: no end of an artifact; it is cut short or damaged: remove it and make it again`, { path });
}
