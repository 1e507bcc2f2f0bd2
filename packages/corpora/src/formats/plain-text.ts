import { byteOrderMarkLength, readText, type CorpusFile } from "../files/corpus-file.ts";
import { longestDocument, requireEnd } from "../files/document-limits.ts";
import type { FaultCount } from "./fault-count.ts";

const newline = 0x0a;
const blank = /^\s*$/;

const emptyLine = Buffer.alloc(0);

/**
 * Splits bytes into lines without their "\n", all that end in one chunk together: a step of a generator costs more than
 * most lines. Of a line longer than `limit` only its first bytes are kept: limit + 1 of them.
 */
async function* readLines(file: CorpusFile, limit: number): AsyncGenerator<readonly Buffer[], void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  let sinceEnd = 0;
  let line = 1;
  const add = (part: Buffer): void => {
    sinceEnd += part.length;
    requireEnd(sinceEnd, "blankLine", file.path, line);
    const kept = part.subarray(0, Math.max(0, limit + 1 - length));
    if (kept.length > 0) parts.push(kept);
    length += kept.length;
  };
  for await (const chunk of readText(file)) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      if (end > start) add(chunk.subarray(start, end));
      lines.push(parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? emptyLine));
      parts = [];
      length = 0;
      sinceEnd = 0;
      line += 1;
      start = end + 1;
    }
    add(chunk.subarray(start));
    yield lines;
  }
  if (length > 0) yield [Buffer.concat(parts)];
}

/**
 * Documents of a plain text file, divided by blank lines (the form of CC-100). Line ends become "\n".
 *
 * Read as a stream: at most one document of 8 MiB is held; a longer one is counted as a fault, as is one that is no UTF-8.
 *
 * @throws {BadDataError} where no document ends
 */
export async function* readPlainText(file: CorpusFile, faults: FaultCount): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let lines: Buffer[] = [];
  let bytes = 0;
  let firstLine = 1;
  let line = 0;

  function decode(): string | undefined {
    const where = `${file.path}, line ${firstLine}`;
    if (bytes > longestDocument) {
      faults.add("too long", where);
      return undefined;
    }
    try {
      return lines.map((part) => decoder.decode(part).replace(/\r$/, "")).join("\n");
    } catch {
      faults.add("bad UTF-8", where);
      return undefined;
    }
  }

  for await (const ended of readLines(file, longestDocument)) {
    for (const raw of ended) {
      line += 1;
      const mark = line === 1 ? byteOrderMarkLength(raw, file.path) : 0;
      if (mark > 0) faults.mark();
      const content = mark > 0 ? raw.subarray(mark) : raw;
      if (content.length === 0 || (content.length < 64 && blank.test(content.toString("latin1")))) {
        const text = lines.length > 0 ? decode() : undefined;
        lines = [];
        bytes = 0;
        if (text !== undefined) yield text;
        continue;
      }
      if (lines.length === 0) firstLine = line;
      bytes += content.length + 1;
      requireEnd(bytes, "blankLine", file.path, firstLine);
      // Past the limit only the count matters; the text will not be used.
      if (bytes <= longestDocument || lines.length === 0) lines.push(content);
    }
  }
  const text = lines.length > 0 ? decode() : undefined;
  if (text !== undefined) yield text;
}
