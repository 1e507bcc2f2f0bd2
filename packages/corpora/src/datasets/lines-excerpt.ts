import { open } from "node:fs/promises";
import { Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import { requireEnd, requireTextRatio } from "../files/document-limits.ts";
import type { ByteRange } from "../formats/parquet-file.ts";

async function* unpacked(source: ByteRange, gzip: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = source.bytes(0, source.size);
  if (!gzip) return yield* packed;
  const gunzip = createGunzip({ chunkSize: 1 << 18 });
  // The callback keeps an error from being thrown twice: iteration below meets it too.
  const stream = pipeline(Readable.from(packed), gunzip, () => {});
  let total = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    total += piece.length;
    requireTextRatio(total, gunzip.bytesWritten, source.name);
    yield piece;
  }
}

/**
 * Writes the first lines of a file and reads no more of it than them.
 *
 * @param wanted lines; fewer are written where there are fewer
 * @throws {BadDataError} where the gzip data are broken, or no line ends
 */
export async function writeLinesExcerpt(source: ByteRange, gzip: boolean, wanted: number, path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    let [lines, since] = [0, 0];
    for await (const piece of unpacked(source, gzip)) {
      const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
      let position = 0;
      for (let end = bytes.indexOf(10); end >= 0 && lines < wanted; end = bytes.indexOf(10, position)) {
        [lines, since, position] = [lines + 1, 0, end + 1];
      }
      const done = lines >= wanted;
      if (!done) since += bytes.length - position;
      await file.appendFile(done ? bytes.subarray(0, position) : bytes);
      if (done) break;
      requireEnd(since, "lineEnd", source.name, lines + 1);
    }
    await file.sync();
  } catch (error) {
    if (error instanceof BadDataError || error instanceof InputOutputError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw error;
    throw new BadDataError(`${source.name} is no complete gzip file (${message}); name another file with path=`, {
      file: source.name,
    });
  } finally {
    await file.close();
  }
}
