import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { BadDataError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "./corpus-file.ts";
import type { CorpusDocument } from "./corpus.ts";
import { requireColumn } from "./csv.ts";
import { LockedDatabase } from "./locked-database.ts";

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Parquet is read from its end, so a gzip of it is unpacked to a temporary file first. */
async function* readUnpacked(file: CorpusFile, field: string): AsyncGenerator<CorpusDocument, void, undefined> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-parquet-"));
  try {
    const path = join(folder, "unpacked.parquet");
    await pipeline(readBytes(file), createWriteStream(path));
    yield* readParquet({ path, format: "parquet", gzip: false }, field);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Documents of a Parquet file: the text in column `field`, where it comes from in `source`.
 *
 * @throws {BadDataError} where the column is missing or holds no text, or the file is broken
 */
export async function* readParquet(file: CorpusFile, field: string): AsyncGenerator<CorpusDocument, void, undefined> {
  if (file.gzip) {
    yield* readUnpacked(file, field);
    return;
  }
  const database = await LockedDatabase.open(file.path);
  try {
    const columns = new Map<string, string>();
    for await (const [name, type] of database.rows("DESCRIBE SELECT * FROM read_parquet($1)"))
      columns.set(String(name), String(type));
    requireColumn(file, [...columns.keys()], field);
    for (const name of [field, "source"]) {
      const type = columns.get(name);
      if (type !== undefined && type !== "VARCHAR") {
        throw new BadDataError(
          `${file.path}: column ${JSON.stringify(name)} holds ${type}, not text; name another with --field`,
          {
            file: file.path,
            column: name,
          },
        );
      }
    }
    const source = columns.has("source") ? identifier("source") : "''";
    for await (const [text, from] of database.rows(`SELECT ${identifier(field)}, ${source} FROM read_parquet($1)`)) {
      yield { text: (text ?? "") as string, source: (from ?? "") as string };
    }
  } finally {
    database.close();
  }
}
