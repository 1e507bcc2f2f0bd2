import type { CorpusFile } from "../files/corpus-file.ts";
import { longestDocument, requireEnd } from "../files/document-limits.ts";
import { readLines } from "../files/text-lines.ts";
import type { FaultCount } from "./fault-count.ts";

const blank = /^\s*$/;

/** From so many lines on, a file without a blank one between them is likely meant as a document a line. */
const likelyDocuments = 50;

/**
 * Documents of a plain text file, divided by blank lines (the form of CC-100). Line ends become "\n".
 *
 * Read as a stream: at most one document of 8 MiB is held; a longer one is counted as a fault, as is one that is no UTF-8.
 *
 * @param warn called where the file is one document of many lines
 * @throws {BadDataError} where no document ends
 */
export async function* readPlainText(
  file: CorpusFile,
  faults: FaultCount,
  warn: (line: string) => void,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let lines: Buffer[] = [];
  let bytes = 0;
  let firstLine = 1;
  let line = 0;
  let ended = 0;
  let written = 0;

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

  for await (const found of readLines(file, { end: "blankLine", mark: () => faults.mark() })) {
    for (const content of found) {
      line += 1;
      if (content.length === 0 || (content.length < 64 && blank.test(content.toString("latin1")))) {
        const text = lines.length > 0 ? decode() : undefined;
        if (lines.length > 0) ended += 1;
        lines = [];
        bytes = 0;
        if (text !== undefined) yield text;
        continue;
      }
      if (lines.length === 0) firstLine = line;
      written += 1;
      bytes += content.length + 1;
      requireEnd(bytes, "blankLine", file.path, firstLine);
      // Past the limit only the count matters; the text will not be used.
      if (bytes <= longestDocument || lines.length === 0) lines.push(content);
    }
  }
  const text = lines.length > 0 ? decode() : undefined;
  if (written >= likelyDocuments && ended === (lines.length > 0 ? 0 : 1)) {
    warn(
      `${file.path} has ${written} lines and no blank one between them, so it is one document; put a blank line between documents, or write each as a line of .jsonl`,
    );
  }
  if (text !== undefined) yield text;
}
