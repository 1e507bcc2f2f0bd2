import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { makeTemporaryFolder } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "./corpus-file.ts";
import { originField, wantedFields } from "./corpus.ts";
import type { CorpusDocument, CorpusFields } from "./corpus.ts";
import { requireColumns } from "./csv.ts";
import { LockedDatabase } from "./locked-database.ts";

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Parquet is read from its end, so a gzip of it is unpacked to a temporary file first. */
async function* readUnpacked(file: CorpusFile, fields: CorpusFields): AsyncGenerator<CorpusDocument, void, undefined> {
  const folder = await makeTemporaryFolder();
  try {
    const path = join(folder, "unpacked.parquet");
    await pipeline(readBytes(file), createWriteStream(path));
    yield* readParquet({ path, format: "parquet", gzip: false }, fields);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Documents of a Parquet file: the text and its target in the columns `fields`, where it comes from in `source`.
 *
 * @throws {BadDataError} where a column is missing or holds no text, or the file is broken
 */
export async function* readParquet(file: CorpusFile, fields: CorpusFields): AsyncGenerator<CorpusDocument, void, undefined> {
  if (file.gzip) {
    yield* readUnpacked(file, fields);
    return;
  }
  const database = await LockedDatabase.open(file.path);
  try {
    const columns = new Map<string, string>();
    for await (const [name, type] of database.rows("DESCRIBE SELECT * FROM read_parquet($1)"))
      columns.set(String(name), String(type));
    requireColumns(file, [...columns.keys()], fields);
    const wanted = wantedFields(fields);
    for (const { field: name, option } of [...wanted, { field: originField, option: "--field" }]) {
      const type = columns.get(name);
      if (type !== undefined && type !== "VARCHAR") {
        throw new BadDataError(
          `${file.path}: column ${JSON.stringify(name)} holds ${type}, not text; name another with ${option}`,
          {
            file: file.path,
            column: name,
          },
        );
      }
    }
    const origin = fields.text !== originField && columns.has(originField) ? identifier(originField) : "''";
    const names = [...wanted.map(({ field }) => identifier(field)), origin].join(", ");
    for await (const cells of database.rows(`SELECT ${names} FROM read_parquet($1)`)) {
      const [text = "", second = ""] = cells.map((cell) => (cell ?? "") as string);
      yield fields.target === undefined ? { text, source: second } : { text, target: second, source: (cells[2] ?? "") as string };
    }
  } finally {
    database.close();
  }
}
