import type { DuckDBValue } from "@duckdb/node-api";
import { BadDataError } from "@mbs/contracts";
import { longestDocument } from "../files/document-limits.ts";

/** The classes of values, which are loaded on demand: that takes longer than everything else here. */
export type Classes = typeof import("@duckdb/node-api");

/** Values of DuckDB as JSON has them. Text and numbers of one row are counted. */
export class RowValues {
  size = 0;
  readonly #classes: Classes;
  /** File, row and column. */
  readonly #where: () => string;

  constructor(classes: Classes, where: () => string) {
    this.#classes = classes;
    this.#where = where;
  }

  #fail(problem: string, remedy: string): never {
    const where = this.#where();
    throw new BadDataError(`${where}: ${problem}; ${remedy}`, { where });
  }

  #text(value: DuckDBValue): string {
    const { DuckDBDateValue, DuckDBTimeValue, DuckDBTimestampValue, DuckDBTimestampTZValue, DuckDBUUIDValue } = this.#classes;
    const { DuckDBTimestampSecondsValue, DuckDBTimestampMillisecondsValue, DuckDBTimestampNanosecondsValue } = this.#classes;
    // its own text is in the time zone of this machine
    if (value instanceof DuckDBTimestampTZValue) return `${new DuckDBTimestampValue(value.micros).toString()}+00:00`;
    const isText =
      value instanceof DuckDBDateValue ||
      value instanceof DuckDBTimeValue ||
      value instanceof DuckDBTimestampValue ||
      value instanceof DuckDBTimestampSecondsValue ||
      value instanceof DuckDBTimestampMillisecondsValue ||
      value instanceof DuckDBTimestampNanosecondsValue ||
      value instanceof DuckDBUUIDValue;
    if (isText) return value.toString();
    const kind = (value as object).constructor.name.replace(/^DuckDB|Value$/g, "");
    return this.#fail(`a value of the kind ${kind}, which JSON does not have`, "write the file without this column");
  }

  /** @throws {BadDataError} on a value that JSON has no form for, or that a number cannot hold */
  convert(value: DuckDBValue): unknown {
    const { DuckDBListValue, DuckDBArrayValue, DuckDBStructValue, DuckDBDecimalValue } = this.#classes;
    this.size += 8;
    if (value === null || typeof value === "boolean" || typeof value === "number") return value;
    if (typeof value === "string") {
      this.size += value.length;
      if (this.size <= longestDocument) return value;
      return this.#fail(`more than ${longestDocument >> 20} Mi characters`, "write the file with shorter rows");
    }
    if (typeof value === "bigint") {
      const number = Number(value);
      if (Number.isSafeInteger(number)) return number;
      return this.#fail(`the number ${value} is too large to be held exactly`, "write the column as text");
    }
    if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue)
      return value.items.map((item) => this.convert(item));
    if (value instanceof DuckDBStructValue) {
      return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, this.convert(entry)]));
    }
    return value instanceof DuckDBDecimalValue ? value.toDouble() : this.#text(value);
  }
}
