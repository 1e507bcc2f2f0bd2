import { BadDataError } from "@mbs/contracts";
import type { CorpusFile } from "../files/corpus-file.ts";
import { originField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import type { FaultCount } from "./fault-count.ts";
import { readTextTable, surveyTextTable } from "./text-table.ts";

/** Column names of a header line in the form of RFC 4180. */
export function parseHeader(line: string): readonly string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, inQuotes, plain]) => (inQuotes === undefined ? (plain ?? "") : inQuotes.replaceAll('""', '"')));
}

/**
 * Documents of a CSV file (RFC 4180, with a header): the text and its target in the columns `fields`, where it comes
 * from in `source`.
 *
 * @throws {BadDataError} where the header lacks a column
 */
export async function* readCsv(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const firstLine = await surveyTextTable(file, faults);
  const columns = parseHeader(firstLine);
  requireColumns(file, columns, fields);
  const origin = fields.text === originField ? -1 : columns.indexOf(originField);
  const wanted = wantedFields(fields).map(({ field }) => columns.indexOf(field));
  const dialect = { delimiter: ",", quote: '"', header: true, columns };
  for await (const cells of readTextTable(file, dialect, origin < 0 ? wanted : [...wanted, origin], faults)) {
    const [content = "", target = ""] = cells.slice(0, wanted.length).map((cell) => (cell ?? "").replaceAll("\r\n", "\n"));
    yield { content, source: cells[wanted.length] ?? "", where: file.path, ...(fields.target !== undefined && { target }) };
  }
}

/** @throws {BadDataError} naming a column of `fields` that is not among `columns` */
export function requireColumns(file: CorpusFile, columns: readonly string[], fields: CorpusFields): void {
  const missing = wantedFields(fields).find(({ field }) => !columns.includes(field));
  if (missing === undefined) return;
  const { field, option } = missing;
  throw new BadDataError(
    `${file.path} has no column ${JSON.stringify(field)}; it has: ${columns.join(", ").slice(0, 200)}; name one with ${option}`,
    { file: file.path, field },
  );
}
