import { BadDataError, isObject } from "@mbs/contracts";
import type { CorpusFile } from "../files/corpus-file.ts";
import { parseConversation, wellFormed } from "../conversations/parse-conversation.ts";
import { originField, toolsField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import type { Fault, FaultCount } from "./fault-count.ts";
import { readTextTable, surveyTextTable } from "./text-table.ts";

/** No JSON text may hold this character, so every line is one column. */
const noDelimiter = "\u0001";

type JsonRow = Readonly<Record<string, unknown>>;

function parseLine(line: string): JsonRow | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const ownValue = (record: JsonRow, field: string): unknown => (Object.hasOwn(record, field) ? record[field] : undefined);

const ownText = (record: JsonRow, field: string): string | undefined => {
  const value = ownValue(record, field);
  return typeof value === "string" ? wellFormed(value) : undefined;
};

/** What a line holds, or what is wrong with it. */
function rowOf(line: string, fields: CorpusFields): Omit<CorpusRow, "where"> | Fault {
  const record = parseLine(line);
  if (record === undefined) return "bad JSON";
  const { text, messages, target: targetField } = fields;
  const source = text === originField ? "" : (ownText(record, originField) ?? "");
  const own = ownText(record, text);
  if (targetField !== undefined) {
    const target = ownText(record, targetField);
    if (own === undefined) return "no text";
    return target === undefined ? "no target" : { content: own, source, target };
  }
  if (own !== undefined) return { content: own, source };
  const value = ownValue(record, text) ?? (messages === undefined ? undefined : ownValue(record, messages));
  if (!Array.isArray(value)) return "no text";
  const content = parseConversation(value, ownValue(record, toolsField));
  return content === undefined ? "no conversation" : { content, source };
}

/** @throws {BadDataError} where the first object lacks a field */
function requireFields(file: CorpusFile, first: JsonRow, fields: CorpusFields): void {
  if (fields.messages !== undefined && Object.hasOwn(first, fields.messages)) return;
  const missing = wantedFields(fields).find(({ field }) => !Object.hasOwn(first, field));
  if (missing === undefined) return;
  const { field, option } = missing;
  const known = Object.keys(first).join(", ");
  throw new BadDataError(
    `${file.path} has no field ${JSON.stringify(field)}; its first line has: ${known}; name one with ${option}`,
    {
      file: file.path,
      field,
    },
  );
}

/**
 * Documents of a JSONL file: an object a line, the text and its target in `fields`, or a conversation in the place of the text;
 * where it comes from in `source`.
 *
 * @throws {BadDataError} where the first object lacks a field
 */
export async function* readJsonLines(
  file: CorpusFile,
  fields: CorpusFields,
  faults: FaultCount,
): AsyncGenerator<CorpusRow, void, undefined> {
  const first = parseLine(await surveyTextTable(file, faults));
  if (first !== undefined) requireFields(file, first, fields);
  const dialect = { delimiter: noDelimiter, quote: "", header: false, columns: ["line"] };
  let row = 0;
  for await (const [line] of readTextTable(file, dialect, [0], faults)) {
    row += 1;
    if (line === null || line === undefined || line.trim() === "") continue;
    const where = `${file.path}, row ${row}`;
    const found = rowOf(line, fields);
    if (typeof found === "string") faults.add(found, where);
    else yield { ...found, where };
  }
}
