import { at, type Factor } from "@mbs/contracts";

/**
 * What a squared error of each column costs after the columns behind it have made up for it as well as they can: 1 / U[j, j]²,
 * the conditional variance of the column's input given theirs.
 *
 * @param positions in the factor's order
 */
export function importancesAt({ upper, order }: Factor, positions: Iterable<number>): Float32Array {
  return Float32Array.from(positions, (position) => 1 / at(upper, position * (order.length + 1)) ** 2);
}
