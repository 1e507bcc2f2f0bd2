import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { makeTemporaryFolder } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "../files/corpus-file.ts";
import { parseConversation } from "../conversations/parse-conversation.ts";
import { originField, toolsField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import { requireColumns } from "./csv.ts";
import { longestDocument } from "../files/document-limits.ts";
import type { FaultCount } from "./fault-count.ts";
import { LockedDatabase } from "./locked-database.ts";
import { RowValues } from "./row-values.ts";

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Parquet is read from its end, so a gzip of it is unpacked to a temporary file first. */
async function* readUnpacked(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const folder = await makeTemporaryFolder();
  try {
    const path = join(folder, "unpacked.parquet");
    await pipeline(readBytes(file), createWriteStream(path));
    yield* readParquet({ path, format: "parquet", gzip: false }, fields, faults);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The types of columns by their names. */
type Columns = ReadonlyMap<string, string>;

const isConversation = (type: string | undefined): boolean => type !== undefined && /^STRUCT\(.*\)\[\]$/s.test(type);

/** @throws {BadDataError} where a column holds no text */
function requireText({ path }: CorpusFile, columns: Columns, name: string, option: string): void {
  const type = columns.get(name);
  if (type === undefined || type === "VARCHAR") return;
  throw new BadDataError(`${path}: column ${JSON.stringify(name)} holds ${type}, not text; name another with ${option}`, {
    file: path,
    column: name,
  });
}

/** Where a row comes from, as SQL. */
function originOf(file: CorpusFile, columns: Columns, { text }: CorpusFields): string {
  requireText(file, columns, originField, "--field");
  return text !== originField && columns.has(originField) ? identifier(originField) : "''";
}

async function* readTexts(
  file: CorpusFile,
  database: LockedDatabase,
  columns: Columns,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  requireColumns(file, [...columns.keys()], fields);
  const wanted = wantedFields(fields);
  for (const { field, option } of wanted) requireText(file, columns, field, option);
  const texts = wanted.map(({ field }) => identifier(field));
  const long = texts.map((text) => `coalesce(strlen(${text}) > ${longestDocument}, false)`).join(" OR ");
  const kept = texts.map((text) => `CASE WHEN ${long} THEN '' ELSE ${text} END`);
  const origin = originOf(file, columns, fields);
  let row = 0;
  for await (const cells of database.rows(`SELECT ${long}, ${origin}, ${kept.join(", ")} FROM read_parquet($1)`)) {
    row += 1;
    const where = `${file.path}, row ${row}`;
    const [tooLong, source, content, target] = cells.map((cell) => cell ?? "") as [boolean, string, string, string];
    if (tooLong) faults.add("too long", where);
    else yield { content, source, where, ...(fields.target !== undefined && { target }) };
  }
}

async function* readConversations(
  file: CorpusFile,
  database: LockedDatabase,
  columns: Columns,
  field: string,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const classes = await import("@duckdb/node-api");
  const tools = columns.has(toolsField) ? identifier(toolsField) : "NULL";
  const origin = originOf(file, columns, fields);
  let row = 0;
  for await (const cells of database.rows(`SELECT ${identifier(field)}, ${tools}, ${origin} FROM read_parquet($1)`)) {
    row += 1;
    const where = `${file.path}, row ${row}`;
    const values = new RowValues(classes, () => where);
    const [messages, ownTools, source] = [0, 1, 2].map((index) => values.convert(cells[index] ?? null));
    const content = parseConversation(messages, ownTools);
    if (content === undefined) faults.add("no conversation", where);
    else yield { content, source: typeof source === "string" ? source : "", where };
  }
}

/**
 * Documents of a Parquet file: the text and its target in the columns `fields`, or conversations in the place of texts; where it
 * comes from in `source`.
 *
 * @throws {BadDataError} where a column is missing or holds neither, or the file is broken
 */
export async function* readParquet(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  if (file.gzip) {
    yield* readUnpacked(file, fields, faults);
    return;
  }
  const database = await LockedDatabase.open(file.path);
  try {
    const columns = new Map<string, string>();
    for await (const [name, type] of database.rows("DESCRIBE SELECT * FROM read_parquet($1)"))
      columns.set(String(name), String(type));
    const { text, messages, target } = fields;
    const found = messages === undefined || columns.has(text) ? text : messages;
    if (target === undefined && isConversation(columns.get(found))) {
      yield* readConversations(file, database, columns, found, fields, faults);
    } else {
      yield* readTexts(file, database, columns, fields, faults);
    }
  } finally {
    database.close();
  }
}
