import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import { capitalise, strip } from "../python/text.ts";
import { numberOf, type PythonValue, type Row } from "../python/values.ts";
import { columnOf, textColumn } from "./columns.ts";
import type { HelperFile } from "./helper-file.ts";

/** WikiHow's marks are taken out: titles and notes in brackets, and double spaces. */
const clean = (text: string): string =>
  strip(text)
    .replaceAll(" [title]", ". ")
    .replace(/\[[^\n]*?\]/g, "")
    .replaceAll("  ", " ");

/** Python's `int(value)`. */
function wholeNumber(value: PythonValue): number {
  const number = typeof value === "string" && /^[-+]?\d+$/.test(strip(value)) ? Number(strip(value)) : numberOf(value);
  if (number === undefined) throw new BadDataError(`the column label has to be a whole number, and is ${repr(value)}`);
  return Math.trunc(number);
}

function prepare(row: Row): Row {
  const endings = columnOf(row, "endings");
  if (!Array.isArray(endings) || !endings.every((ending) => typeof ending === "string")) {
    throw new BadDataError(`the column endings has to be a list of texts, and is ${repr(endings)}`);
  }
  const context = `${textColumn(row, "ctx_a")} ${capitalise(textColumn(row, "ctx_b"))}`;
  return new Map<string, PythonValue>([
    ...row,
    ["query", clean(`${textColumn(row, "activity_label")}: ${context}`)],
    ["choices", endings.map(clean)],
    ["gold", wholeNumber(columnOf(row, "label"))],
  ]);
}

export const hellaswagHelpers: HelperFile = {
  path: /(?:^|\/)hellaswag\/utils$/,
  digest: "07d23b60b28f2a4f658dcf8440623a63fe6644854ce9b846a114dde980dc1214",
  rows: (name) => (name === "process_docs" ? (rows) => rows.map(prepare) : undefined),
};
