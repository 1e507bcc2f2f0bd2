import { at, type Factor } from "@mbs/contracts";
import { damp, findDead } from "@mbs/numbers";

/**
 * What a squared error of each column costs after the columns behind it have made up for it as well as they can: 1 / U[j, j]²,
 * the conditional variance of the column's input given theirs.
 *
 * @param positions in the factor's order
 */
export function importancesAt({ upper, order }: Factor, positions: Iterable<number>): Float32Array {
  return Float32Array.from(positions, (position) => 1 / at(upper, position * (order.length + 1)) ** 2);
}

/**
 * H as the factor's: the Gram with the same damping added to its diagonal, ones in dead columns.
 *
 * @param gram E[x xᵀ], [columns, columns], natural order, undamped; not modified
 */
export function dampedGram(gram: Float32Array, { damping }: Pick<Factor, "damping">): Float32Array {
  const size = Math.round(Math.sqrt(gram.length));
  const damped = gram.slice();
  const diagonal = Float32Array.from({ length: size }, (_, column) => at(gram, column * (size + 1)));
  damp(damped, size, findDead(diagonal), damping);
  return damped;
}
