import { BadDataError, isObject, printable } from "@mbs/contracts";
import { byteOrderMarkLength, readText } from "../files/corpus-file.ts";
import { longestDocument } from "../files/document-limits.ts";
import type { Row, RowFile, SizedRow } from "./row.ts";

/** Most bytes of a file that is one JSON list, which is parsed as a whole. */
const largestList = 64 << 20;

/** Where something is in a file, and what to do about it. */
const fail = (where: string, problem: string, remedy = "correct it there, or copy the file again"): never => {
  throw new BadDataError(`${where}: ${problem}; ${remedy}`, { where });
};

function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail(where, "bad UTF-8", "convert the file to UTF-8");
  }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail(where, `no JSON (${printable((error as Error).message).slice(0, 200)})`);
  }
}

/** Sixteen digits in a row are the fewest of a whole number that a float64 may not hold. */
const longNumber = /\d{16}/;

/** No column is nested so deep. */
const mostLevels = 100;

/** Refuses values that are nested too deep to be gone through, and long numbers that a float64 does not hold. */
function requireHeld(value: unknown, hasLongNumbers: boolean, where: string, level = 0): void {
  if (hasLongNumbers && typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    fail(where, `the number ${value} is too large to be held exactly`, "write it as text");
  }
  if (typeof value !== "object" || value === null) return;
  if (level > mostLevels) fail(where, `lists or objects nested deeper than ${mostLevels} levels`, "write the rows flatter");
  for (const part of Object.values(value)) requireHeld(part, hasLongNumbers, where, level + 1);
}

/** @param hasLongNumbers whether the text that it was parsed from has: searched once, since a list is one text for all rows */
function rowOf(value: unknown, hasLongNumbers: boolean, where: string): Row {
  if (!isObject(value)) return fail(where, "a row that is no object", 'write rows as {"column": value, …}');
  requireHeld(value, hasLongNumbers, where);
  return value;
}

/** @throws {BadDataError} on UTF-16 */
function withoutMark(bytes: Buffer, file: RowFile, warn: (message: string) => void): Buffer {
  const mark = byteOrderMarkLength(bytes, file.path);
  if (mark > 0) warn(`${file.path} starts with a byte-order mark; dropped`);
  return bytes.subarray(mark);
}

const chunksOf = ({ path, gzip }: RowFile): AsyncGenerator<Buffer, void, undefined> => readText({ path, format: "jsonl", gzip });

/** Whether a file is one JSON list: its first character that is not blank begins one. */
async function isList(file: RowFile): Promise<boolean> {
  for await (const chunk of chunksOf(file)) {
    const start = chunk.toString("utf8").trimStart()[0];
    if (start !== undefined) return start === "[";
  }
  return false;
}

async function* listRows(file: RowFile, warn: (message: string) => void): AsyncGenerator<SizedRow, void, undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunksOf(file)) {
    length += chunk.length;
    if (length > largestList) fail(file.path, `a list of more than ${largestList >> 20} MiB`, "write an object a line");
    chunks.push(chunk);
  }
  const text = decode(withoutMark(Buffer.concat(chunks), file, warn), file.path);
  const list = parse(text, file.path) as readonly unknown[];
  const hasLongNumbers = longNumber.test(text);
  for (const [index, value] of list.entries()) {
    yield { row: rowOf(value, hasLongNumbers, `${file.path}, row ${index + 1}`), size: text.length / list.length };
  }
}

/** A line of a file, without its end, and its number from 1 on. */
interface Line {
  readonly bytes: Buffer;
  readonly number: number;
}

/** Lines of a text file. No more than a line and a chunk are held. */
async function* readLines(file: RowFile): AsyncGenerator<Line, void, undefined> {
  let pending: Buffer[] = [];
  let length = 0;
  let number = 1;
  const take = (piece: Buffer): void => {
    length += piece.length;
    if (length > longestDocument) {
      fail(
        `${file.path}, line ${number}`,
        `a row of more than ${longestDocument >> 20} MiB`,
        "write an object a line, and shorter ones",
      );
    }
    pending.push(piece);
  };
  for await (const chunk of chunksOf(file)) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      take(chunk.subarray(from, end));
      yield { bytes: Buffer.concat(pending), number };
      [pending, length, number, from] = [[], 0, number + 1, end + 1];
    }
    take(chunk.subarray(from));
  }
  if (length > 0) yield { bytes: Buffer.concat(pending), number };
}

/**
 * Rows of a JSON file: an object a line, or one list of objects.
 *
 * @throws {BadDataError} naming the line of what is no UTF-8, no JSON, no object, or longer than 8 MiB
 * @throws {InputOutputError} where the file cannot be read
 */
export async function* readJsonRows(file: RowFile, warn: (message: string) => void): AsyncGenerator<SizedRow, void, undefined> {
  if (await isList(file)) return yield* listRows(file, warn);
  for await (const { bytes, number } of readLines(file)) {
    const where = `${file.path}, line ${number}`;
    const text = decode(number === 1 ? withoutMark(bytes, file, warn) : bytes, where);
    if (text.trim() !== "") yield { row: rowOf(parse(text, where), longNumber.test(text), where), size: bytes.length };
  }
}
