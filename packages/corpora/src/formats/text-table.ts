import { byteOrderMarkLength, readText, type CorpusFile } from "../files/corpus-file.ts";
import { longestDocument, requireEnd } from "../files/document-limits.ts";
import type { FaultCount } from "./fault-count.ts";
import { LockedDatabase, quoted } from "./locked-database.ts";

/**
 * Reads all bytes once before DuckDB does: DuckDB takes a gzip file that is cut short for a whole one, and silently
 * drops a line longer than its buffer. Such lines and a byte-order mark are counted.
 *
 * @throws {BadDataError} where no line ends
 * @returns the first line, without byte-order mark; "" in an empty file
 */
export async function surveyTextTable(file: CorpusFile, faults: FaultCount): Promise<string> {
  const start: Buffer[] = [];
  let startLength = 0;
  let length = 0;
  let line = 1;
  let longLines = 0;
  const endLine = (): void => {
    if (length > longestDocument) longLines += 1;
    length = 0;
    line += 1;
  };
  for await (const chunk of readText(file)) {
    if (startLength < 1 << 16) {
      start.push(chunk.subarray(0, 1 << 16));
      startLength += chunk.length;
    }
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      length += end - from;
      endLine();
      from = end + 1;
    }
    length += chunk.length - from;
    requireEnd(length, "lineEnd", file.path, line);
  }
  endLine();
  const head = Buffer.concat(start);
  const mark = byteOrderMarkLength(head, file.path);
  const end = head.indexOf(10);
  if (mark > 0) faults.mark();
  faults.add("too long", file.path, longLines);
  return head.toString("utf8", mark, end < 0 ? head.length : end).replace(/\r$/, "");
}

/** How DuckDB divides a text file into rows and columns. */
export interface TextTableDialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly header: boolean;
  readonly columns: readonly string[];
}

const rejectLimit = 100_000;

/**
 * Rows of a surveyed text file by DuckDB, in order. Rows that are no UTF-8, too long or of another width are counted.
 *
 * @param selected positions of the columns to hand back
 */
export async function* readTextTable(
  file: CorpusFile,
  dialect: TextTableDialect,
  selected: readonly number[],
  faults: FaultCount,
): AsyncGenerator<readonly (string | null)[], void, undefined> {
  const database = await LockedDatabase.open(file.path);
  const columns = dialect.columns.map((_, index) => `'c${index}': 'VARCHAR'`).join(", ");
  const options = [
    "auto_detect = false",
    "strict_mode = true",
    "store_rejects = true",
    `rejects_limit = ${rejectLimit}`,
    `max_line_size = ${longestDocument}`,
    `buffer_size = ${4 * longestDocument}`,
    `compression = ${quoted(file.gzip ? "gzip" : "none")}`,
    `header = ${dialect.header}`,
    `delim = ${quoted(dialect.delimiter)}`,
    `quote = ${quoted(dialect.quote)}`,
    `escape = ${quoted(dialect.quote)}`,
    `columns = {${columns}}`,
  ];
  try {
    const names = selected.map((index) => `c${index}`).join(", ");
    for await (const row of database.rows(`SELECT ${names} FROM read_csv($1, ${options.join(", ")})`)) {
      yield row as readonly (string | null)[];
    }
    await countRejects(database, file, faults);
  } finally {
    database.close();
  }
}

/** Lines too long are left to the survey, which sees all of them. */
async function countRejects(database: LockedDatabase, file: CorpusFile, faults: FaultCount): Promise<void> {
  const query =
    "SELECT error_type::VARCHAR, min(line)::VARCHAR, count(DISTINCT line)::INTEGER FROM reject_errors GROUP BY 1 ORDER BY min(line)";
  for await (const [type, line, count] of database.rows(query, [])) {
    if (type === "LINE SIZE OVER MAXIMUM") continue;
    faults.add(type === "INVALID ENCODING" ? "bad UTF-8" : "bad row", `${file.path}, line ${String(line)}`, Number(count));
  }
}
