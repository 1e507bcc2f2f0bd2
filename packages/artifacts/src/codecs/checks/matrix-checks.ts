import { BadDataError, InternalError } from "@mbs/contracts";
import { findNonfinite } from "@mbs/numbers";
import { rowAndColumn, type Layout } from "../../rows/panels.ts";

/** Refuses values to be written whose length is not that of their layout. */
export function requireLength(what: string, layout: Layout, values: { readonly length: number }): void {
  const expected = layout.before(layout.rows);
  if (expected === 0 || values.length !== expected) {
    throw new InternalError(`${what}: ${values.length} values, expected ${expected}`, { what, expected, found: values.length });
  }
}

/** Refuses a shape that was read, where a side is below 1. */
export function requireShape(what: string, rows: number, columns: number): void {
  if (rows < 1 || columns < 1) throw new BadDataError(`${what}: invalid shape ${rows} × ${columns}`, { what, rows, columns });
}

/** For messages: what a matrix is, and how to get a correct one. */
interface MatrixName {
  readonly what: string;
  readonly remedy: string;
}

/** @throws {BadDataError} with row and column of the first NaN or Inf */
export function requireFinite({ what, remedy }: MatrixName, layout: Layout, values: Float32Array): void {
  const wrong = findNonfinite(values);
  if (wrong < 0) return;
  const { row, column } = rowAndColumn(layout, wrong);
  throw new BadDataError(`${what}: ${values[wrong]} at row ${row}, column ${column}; ${remedy}`, { what, row, column });
}

/**
 * @param squares E[x²] of each channel
 * @throws {BadDataError} naming the first channel whose mean square is negative or not finite
 */
export function requireMeanSquares({ what, remedy }: MatrixName, squares: Float32Array): void {
  const channel = squares.findIndex((square) => !(Number.isFinite(square) && square >= 0));
  if (channel < 0) return;
  throw new BadDataError(
    `${what}: the mean square of channel ${channel} is ${squares[channel]}, not finite and at least 0; ${remedy}`,
    { what, channel },
  );
}

/** The first place in an order of columns that is no column, or one that stood before; -1 where each stands once. */
export function findMisplaced(order: Float32Array | Int32Array): number {
  const seen = new Uint8Array(order.length);
  return order.findIndex((column) => {
    // of anything but 0 to length - 1 there is no mark
    if (seen[column] !== 0) return true;
    seen[column] = 1;
    return false;
  });
}
