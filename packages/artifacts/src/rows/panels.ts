import { BadDataError } from "@mbs/contracts";
import { packedRowStart } from "@mbs/numbers";
import { batchLimit } from "./rows.ts";

/** How the rows of a matrix lie one after the other. Counts are elements of the array that holds them. */
export interface Layout {
  readonly rows: number;
  /** Elements before a row; before(rows) is the length of the whole. */
  before(row: number): number;
  /** The first column that a row holds. */
  firstColumn(row: number): number;
}

/** Row-major, each row of `width` elements. */
export const denseLayout = (rows: number, width: number): Layout => ({
  rows,
  before: (row) => row * width,
  firstColumn: () => 0,
});

/** Upper half of a symmetric matrix: row i holds columns i … width - 1. */
export const packedLayout = (width: number): Layout => ({
  rows: width,
  before: (row) => packedRowStart(width, row),
  firstColumn: (row) => row,
});

type Values = Float32Array | Uint8Array;

export interface Panel<T extends Values> {
  /** First row. */
  readonly row: number;
  readonly values: T;
}

/** Elements that an array may have: what one ArrayBuffer of Node 20 can hold. */
const longest = 2 ** 32;

/** The first row after `row` whose start lies at or beyond `elements`. */
function rowAt(layout: Layout, row: number, elements: number): number {
  let low = row;
  let high = layout.rows;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (layout.before(middle) < elements) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Row and column of an element. */
export function rowAndColumn(layout: Layout, element: number): { row: number; column: number } {
  const row = rowAt(layout, 0, element + 1) - 1;
  return { row, column: layout.firstColumn(row) + element - layout.before(row) };
}

/** Cuts a matrix into panels of whole rows that fit one batch each; views, not copies. */
export function* cutPanels<T extends Values>(layout: Layout, values: T): Generator<Panel<T>> {
  const limit = Math.floor(batchLimit / values.BYTES_PER_ELEMENT);
  for (let row = 0; row < layout.rows;) {
    const start = layout.before(row);
    let end = rowAt(layout, row, start + limit);
    if (end > row + 1 && layout.before(end) > start + limit) end -= 1;
    yield { row, values: values.subarray(start, layout.before(end)) as T };
    row = end;
  }
}

/**
 * Joins the panels of one matrix. A matrix of one panel is not copied.
 *
 * @param what named in errors
 * @param next the following panel of the same matrix, undefined where there is none
 * @throws {BadDataError} where a panel is missing, out of order or not of whole rows
 */
export async function joinPanels<T extends Values>(
  what: string,
  layout: Layout,
  first: Panel<T>,
  next: () => Promise<Panel<T> | undefined>,
): Promise<T> {
  const length = layout.before(layout.rows);
  if (first.row === 0 && first.values.length === length) return first.values;
  if (length * first.values.BYTES_PER_ELEMENT > longest) {
    throw new BadDataError(`${what}: a matrix of ${length} values is too large; the artifact is not one of this program`, {
      what,
    });
  }
  let whole: T | undefined;
  let row = 0;
  for (let panel: Panel<T> | undefined = first; ; panel = await next()) {
    const start = layout.before(row);
    const end = start + (panel?.values.length ?? 0);
    const after = rowAt(layout, row, end);
    if (panel?.row !== row || end === start || layout.before(after) !== end) {
      const found = panel ? `row ${panel.row} with ${panel.values.length} values` : "another matrix or the end";
      throw new BadDataError(`${what}: expected the panel at row ${row} of ${layout.rows}, found ${found}`, { what, row });
    }
    whole ??= allocate(what, first.values, length);
    whole.set(panel.values, start);
    row = after;
    if (row >= layout.rows) return whole;
  }
}

function allocate<T extends Values>(what: string, like: T, length: number): T {
  try {
    return new (like.constructor as new (length: number) => T)(length);
  } catch (cause) {
    throw new BadDataError(`${what}: no memory for a matrix of ${length} values`, { what }, { cause });
  }
}
