import { at, type Factor } from "@mbs/contracts";
import { damp, findDead } from "@mbs/numbers";

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
