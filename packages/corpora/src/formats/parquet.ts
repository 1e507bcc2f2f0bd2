import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { makeTemporaryFolder } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "../files/corpus-file.ts";
import { parseConversation } from "../conversations/parse-conversation.ts";
import { namesField, originField, toolsField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import { requireColumns } from "./csv.ts";
import type { FaultCount } from "./fault-count.ts";
import { ParquetFile, jsonValue, localBytes, tooLong } from "./parquet-file.ts";

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

/** @throws {BadDataError} where a column holds no text */
function requireText(name: string, { columns }: ParquetFile, column: string, named: string): void {
  const kind = columns.get(column);
  if (kind === undefined || kind === "text") return;
  const held = kind === "conversation" ? "conversations" : kind.type;
  throw new BadDataError(`${name}: column ${JSON.stringify(column)} holds ${held}, not text; name another ${named}`, {
    file: name,
    column,
  });
}

/** The column of where a row comes from, where there is one. */
function originOf(path: string, parquet: ParquetFile, { text }: CorpusFields): readonly string[] {
  if (text === originField || !parquet.columns.has(originField)) return [];
  requireText(path, parquet, originField, namesField);
  return [originField];
}

async function* readTexts(
  { path }: CorpusFile,
  parquet: ParquetFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  requireColumns({ path }, [...parquet.columns.keys()], fields);
  const wanted = wantedFields(fields);
  for (const { field, named } of wanted) requireText(path, parquet, field, named);
  const names = [...wanted.map(({ field }) => field), ...originOf(path, parquet, fields)];
  let row = 0;
  for await (const cells of parquet.rows(names)) {
    row += 1;
    const where = `${path}, row ${row}`;
    if (cells.includes(tooLong)) {
      faults.add("too long", where);
      continue;
    }
    const texts = cells.map((cell) => (typeof cell === "string" ? cell : ""));
    const [content = "", target = ""] = texts;
    yield { content, source: texts[wanted.length] ?? "", where, ...(fields.target !== undefined && { target }) };
  }
}

async function* readConversations(
  { path }: CorpusFile,
  parquet: ParquetFile,
  field: string,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const beside = [...(parquet.columns.has(toolsField) ? [toolsField] : []), ...originOf(path, parquet, fields)];
  let row = 0;
  for await (const cells of parquet.rows([field, ...beside])) {
    row += 1;
    const where = `${path}, row ${row}`;
    const [messages, ...others] = cells.map((cell) => jsonValue(cell, () => where));
    const valueOf = (name: string): unknown => others[beside.indexOf(name)];
    const content = parseConversation(messages, valueOf(toolsField));
    const source = valueOf(originField);
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
  const parquet = await ParquetFile.open(localBytes(file.path));
  const { text, messages, target } = fields;
  const found = messages === undefined || parquet.columns.has(text) ? text : messages;
  if (target === undefined && parquet.columns.get(found) === "conversation") {
    yield* readConversations(file, parquet, found, fields, faults);
  } else {
    yield* readTexts(file, parquet, fields, faults);
  }
}
