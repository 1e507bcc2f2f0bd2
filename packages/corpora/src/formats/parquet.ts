import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { makeTemporaryFolder } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "../files/corpus-file.ts";
import { originField, wantedFields } from "../corpus.ts";
import type { CorpusDocument, CorpusFields } from "../corpus.ts";
import { requireColumns } from "./csv.ts";
import { longestDocument } from "../files/document-limits.ts";
import type { FaultCount } from "./fault-count.ts";
import { LockedDatabase } from "./locked-database.ts";

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Parquet is read from its end, so a gzip of it is unpacked to a temporary file first. */
async function* readUnpacked(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusDocument, void, undefined> {
  const folder = await makeTemporaryFolder();
  try {
    const path = join(folder, "unpacked.parquet");
    await pipeline(readBytes(file), createWriteStream(path));
    yield* readParquet({ path, format: "parquet", gzip: false }, fields, faults);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Documents of a Parquet file: the text and its target in the columns `fields`, where it comes from in `source`.
 *
 * @throws {BadDataError} where a column is missing or holds no text, or the file is broken
 */
export async function* readParquet(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusDocument, void, undefined> {
  if (file.gzip) {
    yield* readUnpacked(file, fields, faults);
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
    const texts = wanted.map(({ field }) => identifier(field));
    const long = texts.map((text) => `coalesce(strlen(${text}) > ${longestDocument}, false)`).join(" OR ");
    const kept = texts.map((text) => `CASE WHEN ${long} THEN '' ELSE ${text} END`);
    let row = 0;
    for await (const cells of database.rows(`SELECT ${long}, ${origin}, ${kept.join(", ")} FROM read_parquet($1)`)) {
      row += 1;
      const [tooLong, source, text, target] = cells.map((cell) => cell ?? "") as [boolean, string, string, string];
      if (tooLong) faults.add("too long", `${file.path}, row ${row}`);
      else yield fields.target === undefined ? { text, source } : { text, target, source };
    }
  } finally {
    database.close();
  }
}
