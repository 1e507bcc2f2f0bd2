import { BadDataError, isObject } from "@mbs/contracts";
import type { CorpusFile } from "../files/corpus-file.ts";
import { originField, wantedFields } from "../corpus.ts";
import type { CorpusDocument, CorpusFields } from "../corpus.ts";
import type { FaultCount } from "./fault-count.ts";
import { readTextTable, surveyTextTable } from "./text-table.ts";

/** No JSON text may hold this character, so every line is one column. */
const noDelimiter = "\u0001";

function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const ownText = (record: Readonly<Record<string, unknown>>, field: string): string | undefined => {
  const value = Object.hasOwn(record, field) ? record[field] : undefined;
  return typeof value === "string" ? value.replaceAll(/\p{Surrogate}/gu, "\uFFFD") : undefined;
};

/**
 * Documents of a JSONL file: an object a line, the text and its target in `fields`, where it comes from in `source`.
 *
 * @throws {BadDataError} where the first object lacks a field
 */
export async function* readJsonLines(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusDocument, void, undefined> {
  const firstLine = await surveyTextTable(file, faults);
  const first = parseLine(firstLine);
  for (const { field, option } of wantedFields(fields)) {
    if (!first || Object.hasOwn(first, field)) continue;
    const known = Object.keys(first).join(", ");
    throw new BadDataError(
      `${file.path} has no field ${JSON.stringify(field)}; its first line has: ${known}; name one with ${option}`,
      {
        file: file.path,
        field,
      },
    );
  }
  const dialect = { delimiter: noDelimiter, quote: "", header: false, columns: ["line"] };
  let row = 0;
  for await (const [line] of readTextTable(file, dialect, [0], faults)) {
    row += 1;
    if (line === null || line === undefined || line.trim() === "") continue;
    const record = parseLine(line);
    const text = record && ownText(record, fields.text);
    const target = record && fields.target !== undefined ? ownText(record, fields.target) : undefined;
    if (text === undefined) faults.add(record ? "no text" : "bad JSON", `${file.path}, row ${row}`);
    else if (fields.target !== undefined && target === undefined) faults.add("no target", `${file.path}, row ${row}`);
    else {
      const source = fields.text === originField ? "" : (ownText(record ?? {}, originField) ?? "");
      yield { text, source, ...(target !== undefined && { target }) };
    }
  }
}
