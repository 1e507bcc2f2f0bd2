import { BadDataError, isObject } from "@mbs/contracts";
import type { CorpusFile } from "../files/corpus-file.ts";
import { longestDocument } from "../files/document-limits.ts";
import { readLines } from "../files/text-lines.ts";
import { parseConversation, wellFormed } from "../conversations/parse-conversation.ts";
import { originField, toolsField, wantedFields } from "../corpus.ts";
import type { CorpusFields, CorpusRow } from "../corpus.ts";
import type { Fault, FaultCount } from "./fault-count.ts";

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

/** What an object holds, or what is wrong with it. */
function rowOf(record: JsonRow, fields: CorpusFields): Omit<CorpusRow, "where"> | Fault {
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
  const { field, named } = missing;
  const known = Object.keys(first).join(", ");
  throw new BadDataError(
    `${file.path} has no field ${JSON.stringify(field)}; its first line has: ${known}; give one this name, or say which ${named}`,
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
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** Text of a line, or what is wrong with it. */
  const decode = (line: Buffer): { readonly text: string } | Fault => {
    if (line.length > longestDocument) return "too long";
    try {
      return { text: decoder.decode(line) };
    } catch {
      return "bad UTF-8";
    }
  };
  let row = 0;
  for await (const lines of readLines(file, { end: "lineEnd", mark: () => faults.mark() })) {
    for (const line of lines) {
      row += 1;
      if (line.length === 0) continue;
      const where = `${file.path}, row ${row}`;
      const decoded = decode(line);
      if (typeof decoded === "string") {
        faults.add(decoded, where);
        continue;
      }
      if (decoded.text.trim() === "") continue;
      const record = parseLine(decoded.text);
      if (row === 1 && record !== undefined) requireFields(file, record, fields);
      const found = record === undefined ? "bad JSON" : rowOf(record, fields);
      if (typeof found === "string") faults.add(found, where);
      else yield { ...found, where };
    }
  }
}
