import { BadDataError } from "@mbs/contracts";

/** The longest document, and the longest row of a JSONL or CSV file, in bytes. */
export const longestDocument = 8 << 20;

/** So many bytes without an end are no long document but a file of another form; to read on could take for ever. */
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
