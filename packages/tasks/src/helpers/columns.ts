import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import type { PythonValue, Row } from "../python/values.ts";

/** @throws {BadDataError} naming the columns that there are */
export function columnOf(row: Row, name: string): PythonValue {
  const value = row.get(name);
  if (value === undefined) throw new BadDataError(`there is no column ${name}; the columns are ${[...row.keys()].join(", ")}`);
  return value;
}

export function textColumn(row: Row, name: string): string {
  const value = columnOf(row, name);
  if (typeof value !== "string") throw new BadDataError(`the column ${name} has to be a text, and is ${repr(value)}`);
  return value;
}
