import { byteOrderMarkLength, readText, type CorpusFile } from "./corpus-file.ts";
import { longestDocument, requireEnd } from "./document-limits.ts";

const newline = 0x0a;
const emptyLine = Buffer.alloc(0);

/** What reading lines needs to know and whom it tells. */
export interface LineOptions {
  /** What ends a row or a document: without it the file is refused. */
  readonly end: "blankLine" | "lineEnd";
  /** Called where the file starts with a byte-order mark, which is dropped. */
  readonly mark: () => void;
}

/**
 * Splits bytes into lines without their "\n", all that end in one chunk together: a step of a generator costs more than
 * most lines. Of a line longer than `longestDocument` only its first bytes are kept: `longestDocument` + 1 of them.
 *
 * @throws {BadDataError} where no line ends, or the file is UTF-16
 */
export async function* readLines(
  file: CorpusFile,
  { end: ending, mark }: LineOptions,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  let sinceEnd = 0;
  let line = 1;
  const add = (part: Buffer): void => {
    sinceEnd += part.length;
    requireEnd(sinceEnd, ending, file.path, line);
    const kept = part.subarray(0, Math.max(0, longestDocument + 1 - length));
    if (kept.length > 0) parts.push(kept);
    length += kept.length;
  };
  const take = (): Buffer => {
    const whole = parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? emptyLine);
    const marked = line === 1 ? byteOrderMarkLength(whole, file.path) : 0;
    if (marked > 0) mark();
    parts = [];
    length = 0;
    sinceEnd = 0;
    line += 1;
    return marked > 0 ? whole.subarray(marked) : whole;
  };
  for await (const chunk of readText(file)) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      if (end > start) add(chunk.subarray(start, end));
      lines.push(take());
      start = end + 1;
    }
    add(chunk.subarray(start));
    yield lines;
  }
  if (length > 0) yield [take()];
}
