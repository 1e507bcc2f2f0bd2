import { fromJson, type Row } from "../python/values.ts";
import type { TaskRow } from "../task.ts";

/** Rows as templates take them, all with the same columns: None where one lacks what another has, as tables have it. */
export type AlignRows = (rows: readonly TaskRow[]) => readonly Row[];

/**
 * Converts rows. A list that comes again is not converted again, as long as the caller holds it: the 57 tasks of a language
 * of Global-MMLU share a split of 14,000 rows.
 */
export function createRowAligner(): AlignRows {
  const known = new WeakMap<readonly TaskRow[], readonly Row[]>();
  return (rows) => {
    const found = known.get(rows) ?? align(rows);
    known.set(rows, found);
    return found;
  };
}

function align(rows: readonly TaskRow[]): Row[] {
  const columns = new Set<string>();
  for (const row of rows) for (const column of Object.keys(row)) columns.add(column);
  return rows.map((row) => new Map(Array.from(columns, (column) => [column, fromJson(row[column])])));
}
