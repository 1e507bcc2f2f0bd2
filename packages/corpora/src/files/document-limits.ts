import { BadDataError } from "@mbs/contracts";

/** The longest document, and the longest row of a JSONL or CSV file, in bytes. */
export const longestDocument = 8 << 20;

/** More bytes than this without an end mean a file of another format, whose reading might never end. */
const endless = 64 << 20;

/** What ends a document or a row, and what to do where there is none. */
const documentEnds = {
  blankLine: "blank line, which ends a document; put one between documents, or make it .jsonl with a document a line",
  lineEnd: "line end, which ends a row; write a row a line",
} as const;

/** @throws {BadDataError} where `bytes` since the last end are too many for a document, or a row, of any size */
export function requireEnd(bytes: number, end: keyof typeof documentEnds, file: string, line: number): void {
  if (bytes <= endless) return;
  throw new BadDataError(`${file}, line ${line}: ${endless >> 20} MiB without a ${documentEnds[end]}`, { file, line });
}

/** From this many unpacked bytes on, the ratio of a gzip file is checked. */
const checkedFrom = 64 << 20;

/** Text packs to a tenth, text that repeats itself to a hundredth; gzip itself ends at 1030. */
const mostRatio = 200;

/** @throws {BadDataError} where so few packed bytes cannot hold text of so many */
export function requireTextRatio(unpacked: number, packed: number, file: string): void {
  if (unpacked < checkedFrom || unpacked <= mostRatio * packed) return;
  throw new BadDataError(
    `${file}: the first ${packed} bytes unpack to more than ${mostRatio} times as many, which no text does; look at what it contains (gzip -dc), and leave it out or give it unpacked`,
    { file, packed, unpacked },
  );
}

/** A longer blank stretch is no space between documents. */
const mostBlank = 16 << 20;

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/**
 * The chunks of a text file as they come.
 *
 * @throws {BadDataError} where a blank stretch is longer than 16 MiB
 */
export async function* withoutBlankStretches(
  chunks: AsyncIterable<Buffer>,
  file: string,
): AsyncGenerator<Buffer, void, undefined> {
  let blank = 0;
  for await (const chunk of chunks) {
    blank = chunk.every(isBlank) ? blank + chunk.length : 0;
    if (blank > mostBlank) {
      throw new BadDataError(
        `${file}: ${mostBlank >> 20} MiB of blank lines in a row; remove them, or leave the file out of the corpus`,
        { file },
      );
    }
    yield chunk;
  }
}
