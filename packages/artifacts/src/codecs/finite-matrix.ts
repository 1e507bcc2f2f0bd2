import { BadDataError } from "@mbs/contracts";
import { findNonfinite } from "@mbs/numbers";
import { placeIn, type Layout } from "../panels.ts";

/** How to speak of a matrix that was read: what it is, and how to get one that is right. */
export interface MatrixName {
  readonly what: string;
  readonly remedy: string;
}

/** @throws {BadDataError} with the place of the first NaN or Inf */
export function requireFinite({ what, remedy }: MatrixName, layout: Layout, values: Float32Array): void {
  const wrong = findNonfinite(values);
  if (wrong < 0) return;
  const { row, column } = placeIn(layout, wrong);
  throw new BadDataError(`${what}: ${values[wrong]} at row ${row}, column ${column}; ${remedy}`, { what, row, column });
}

/**
 * @param squares E[x²] of each channel
 * @throws {BadDataError} naming the first channel whose mean square is negative or not finite
 */
export function requireMeanSquares({ what, remedy }: MatrixName, squares: Float32Array): void {
  for (let channel = 0; channel < squares.length; channel += 1) {
    const square = squares[channel];
    if (Number.isFinite(square) && square >= 0) continue;
    throw new BadDataError(`${what}: the mean square of channel ${channel} is ${square}, not finite and at least 0; ${remedy}`, {
      what,
      channel,
    });
  }
}
