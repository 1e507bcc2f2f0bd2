import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import { requireTextRatio, withoutBlankStretches } from "./document-limits.ts";

export type CorpusFormat = "jsonl" | "csv" | "parquet" | "txt";

/** One file of one language. */
export interface CorpusFile {
  readonly path: string;
  readonly format: CorpusFormat;
  readonly gzip: boolean;
}

const namePattern = /^(.*?)\.(jsonl|csv|parquet|txt)(\.gz)?$/;

/** The file at `path`, with the format that its name ends in; undefined for an unknown ending. */
export function corpusFile(path: string): CorpusFile | undefined {
  const match = namePattern.exec(path);
  return match ? { path, format: match[2] as CorpusFormat, gzip: match[3] !== undefined } : undefined;
}

/**
 * The bytes of a file, unzipped where it is gzip.
 *
 * @throws {BadDataError} where gzip data is cut short, its checksum is wrong, or it unpacks to far more than text could
 * @throws {InputOutputError} where the file cannot be read
 */
export async function* readBytes(file: CorpusFile): AsyncGenerator<Buffer, void, undefined> {
  const raw = createReadStream(file.path, { highWaterMark: 1 << 20 });
  const gunzip = createGunzip({ chunkSize: 1 << 20 });
  // The callback keeps an error from being thrown twice: iteration below meets it too.
  const stream = file.gzip ? pipeline(raw, gunzip, () => {}) : raw;
  try {
    let unpacked = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      if (file.gzip) requireTextRatio(unpacked, gunzip.bytesWritten, file.path);
      yield chunk;
    }
  } catch (error) {
    throw readError(file.path, error);
  } finally {
    raw.destroy();
  }
}

/** The bytes of a text file, in which no stretch is blank without end; see `readBytes`. */
export const readText = (file: CorpusFile): AsyncGenerator<Buffer, void, undefined> =>
  withoutBlankStretches(readBytes(file), file.path);

function readError(path: string, error: unknown): Error {
  if (error instanceof BadDataError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith("Z_")) {
    return new BadDataError(
      `${path} is not a complete gzip file (${message}); copy or pack it again`,
      { file: path },
      { cause: error },
    );
  }
  return new InputOutputError(
    `cannot read ${path} (${code ?? message}); check that it exists and may be read`,
    { file: path },
    { cause: error },
  );
}

/**
 * Bytes of the UTF-8 byte-order mark that a file starts with: 3 or 0.
 *
 * @throws {BadDataError} on the mark of UTF-16, which no reader here decodes
 */
export function byteOrderMarkLength(start: Uint8Array, path: string): 0 | 3 {
  const [first, second, third] = start;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new BadDataError(`${path} is UTF-16; convert it to UTF-8`, { file: path });
  }
  return first === 0xef && second === 0xbb && third === 0xbf ? 3 : 0;
}
