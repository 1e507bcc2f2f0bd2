import { Readable, pipeline } from "node:stream";
import { BadDataError } from "@mbs/contracts";
import { parse } from "csv-parse";
import { byteOrderMarkLength, readText } from "../files/corpus-file.ts";
import type { CorpusFile } from "../files/corpus-file.ts";
import { longestDocument, requireEnd } from "../files/document-limits.ts";
import { originField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import type { FaultCount } from "./fault-count.ts";

/** A longer row has a quote that nothing closes, in bytes. */
const longestRow = 64 << 20;

/**
 * The bytes of the file without its byte-order mark.
 *
 * @param line that the parser has come to
 * @throws {BadDataError} where no line ends
 */
async function* readChunks(file: CorpusFile, line: () => number, faults: FaultCount): AsyncGenerator<Buffer, void, undefined> {
  let isFirst = true;
  let since = 0;
  for await (const chunk of readText(file)) {
    const mark = isFirst ? byteOrderMarkLength(chunk, file.path) : 0;
    if (mark > 0) faults.mark();
    isFirst = false;
    const end = chunk.lastIndexOf(10);
    since = end < 0 ? since + chunk.length : chunk.length - end - 1;
    requireEnd(since, "lineEnd", file.path, line());
    yield mark > 0 ? chunk.subarray(mark) : chunk;
  }
}

interface CsvRow {
  readonly info: { readonly lines: number };
  readonly record: readonly Buffer[];
}

/**
 * Rows of a CSV file with the line that each ends in. One whose quotes are wrong is counted and left out.
 *
 * @throws {BadDataError} where a quote is not closed
 */
function readRows(file: CorpusFile, faults: FaultCount): AsyncIterable<CsvRow> {
  const parser = parse({
    // bytes, so that what is no UTF-8 is seen
    encoding: null,
    info: true,
    record_delimiter: ["\r\n", "\n"],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: longestRow,
    skip_records_with_error: true,
    // what it throws ends the stream
    on_skip: (error) => {
      const line = parser.info.lines;
      const where = `${file.path}, line ${line}`;
      if (error?.code === "CSV_MAX_RECORD_SIZE") {
        throw new BadDataError(`${where}: the row does not end; close its quote, or write a quote inside of it twice`, {
          file: file.path,
          line,
        });
      }
      faults.add("bad row", where);
      return undefined;
    },
  });
  // The callback keeps an error from being thrown twice: iteration meets it too.
  return pipeline(Readable.from(readChunks(file, () => parser.info.lines, faults)), parser, () => {}) as AsyncIterable<CsvRow>;
}

/**
 * Documents of a CSV file (RFC 4180, with a header): the text and its target in the columns `fields`, where it comes
 * from in `source`.
 *
 * @throws {BadDataError} where the header lacks a column, or a quote is not closed
 */
export async function* readCsv(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (cells: readonly Buffer[]): readonly string[] | undefined => {
    try {
      return cells.map((cell) => decoder.decode(cell).replaceAll("\r\n", "\n"));
    } catch {
      return undefined;
    }
  };
  let columns: readonly string[] | undefined;
  for await (const { record, info } of readRows(file, faults)) {
    const cells = decode(record);
    const fault = cells === undefined ? "bad UTF-8" : cells.length === (columns ?? cells).length ? undefined : "bad row";
    const size = record.reduce((sum, { length }) => sum + length, 0);
    if (cells === undefined || fault !== undefined || size > longestDocument) {
      faults.add(fault ?? "too long", `${file.path}, line ${info.lines}`);
      continue;
    }
    if (columns === undefined) {
      requireColumns(file, cells, fields);
      columns = cells;
      continue;
    }
    const valueOf = (column: string): string => cells[columns?.indexOf(column) ?? -1] ?? "";
    const [content = "", target = ""] = wantedFields(fields).map(({ field }) => valueOf(field));
    const source = fields.text === originField ? "" : valueOf(originField);
    yield { content, source, where: file.path, ...(fields.target !== undefined && { target }) };
  }
  if (columns === undefined) requireColumns(file, [], fields);
}

/** @throws {BadDataError} naming a column of `fields` that is not among `columns` */
export function requireColumns(file: Pick<CorpusFile, "path">, columns: readonly string[], fields: CorpusFields): void {
  const missing = wantedFields(fields).find(({ field }) => !columns.includes(field));
  if (missing === undefined) return;
  const { field, named } = missing;
  throw new BadDataError(
    `${file.path} has no column ${JSON.stringify(field)}; it has: ${columns.join(", ").slice(0, 200)}; give one this name, or say which ${named}`,
    { file: file.path, field },
  );
}
