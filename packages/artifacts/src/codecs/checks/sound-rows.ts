import { BadDataError } from "@mbs/contracts";

/** What the numbers of a kind's rows can be, and what to say of a row that is not so. */
export interface Soundness<T> {
  /** The least value of each number; each must be finite. */
  readonly least: { readonly [N in keyof T]?: number };
  /** What else is wrong with a row whose numbers are in range; undefined where nothing is. */
  readonly fault?: (row: T) => string | undefined;
  /** Which row it is. */
  readonly name: (row: T) => string;
  readonly remedy: string;
}

/**
 * Passes rows on whose numbers are finite and not below their least.
 *
 * @throws {BadDataError} on another row
 */
export async function* soundRows<T extends object>(
  rows: AsyncIterable<T>,
  { least, fault, name, remedy }: Soundness<T>,
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
