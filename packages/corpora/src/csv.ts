import { BadDataError } from "@mbs/contracts";
import type { CorpusFile } from "./corpus-file.ts";
import type { CorpusDocument } from "./corpus.ts";
import type { FaultCount } from "./fault-count.ts";
import { readTextTable, surveyTextTable } from "./text-table.ts";

/** Column names of a header line in the form of RFC 4180. */
export function parseHeader(line: string): readonly string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, inQuotes, plain]) => (inQuotes === undefined ? (plain ?? "") : inQuotes.replaceAll('""', '"')));
}

/**
 * Documents of a CSV file (RFC 4180, with a header): the text in column `field`, where it comes from in `source`.
 *
 * @throws {BadDataError} where the header lacks the column
 */
export async function* readCsv(
  file: CorpusFile,
  field: string,
  faults: FaultCount,
): AsyncGenerator<CorpusDocument, void, undefined> {
  const firstLine = await surveyTextTable(file, faults);
  const columns = parseHeader(firstLine);
  const textColumn = requireColumn(file, columns, field);
  const sourceColumn = columns.indexOf("source");
  const selected = sourceColumn < 0 ? [textColumn] : [textColumn, sourceColumn];
  const dialect = { delimiter: ",", quote: '"', header: true, columns };
  for await (const [text, source] of readTextTable(file, dialect, selected, faults)) {
    yield { text: (text ?? "").replaceAll("\r\n", "\n"), source: source ?? "" };
  }
}

/** Position of the column `field`. */
export function requireColumn(file: CorpusFile, columns: readonly string[], field: string): number {
  const position = columns.indexOf(field);
  if (position >= 0) return position;
  throw new BadDataError(
    `${file.path} has no column ${JSON.stringify(field)}; it has: ${columns.join(", ").slice(0, 200)}; name one with --field`,
    { file: file.path, field },
  );
}
