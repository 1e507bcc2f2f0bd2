import { BadDataError } from "@mbs/contracts";

/** The valid numbers of a kind's rows, and how messages name a row. */
export interface RowRules<T> {
  /** The least valid value of each number; all must be finite. */
  readonly least: { readonly [N in keyof T]?: number };
  /** What else is wrong with a row whose numbers are valid; undefined where nothing is. */
  readonly fault?: (row: T) => string | undefined;
  /** The row in messages. */
  readonly name: (row: T) => string;
  readonly remedy: string;
}

/**
 * Passes valid rows on.
 *
 * @throws {BadDataError} on an invalid row
 */
export async function* checkedRows<T extends object>(
  rows: AsyncIterable<T>,
  { least, fault, name, remedy }: RowRules<T>,
): AsyncGenerator<T> {
  const limits = Object.entries(least) as [keyof T & string, number][];
  for await (const row of rows) {
    for (const [column, limit] of limits) {
      const value: unknown = row[column];
      if (typeof value === "number" && Number.isFinite(value) && value >= limit) continue;
      const wanted = Number.isFinite(limit) ? `a finite number of at least ${limit}` : "a finite number";
      throw new BadDataError(`${name(row)}: ${column} is ${String(value)}, not ${wanted}; ${remedy}`, { column });
    }
    const found = fault?.(row);
    if (found !== undefined) throw new BadDataError(`${name(row)}: ${found}; ${remedy}`);
    yield row;
  }
}
