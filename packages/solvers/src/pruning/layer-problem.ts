import { at, type Blas, type Factor, type Matrix, type SiteWeight } from "@mbs/contracts";
import { dampedGram } from "../feedback/damped-gram.ts";

/**
 * The weights of a site as a least squares problem with a unit diagonal: with D the diagonal of H, W becomes W·√D and H
 * becomes √D⁻¹·H·√D⁻¹, so that the size of a weight is what it adds to the output by itself.
 */
export interface LayerProblem {
  /** W·√D, [rows, columns]; zero in dead columns. */
  readonly dense: Matrix;
  /** √D⁻¹·H·√D⁻¹, [columns, columns], ones on its diagonal. */
  readonly hessian: Matrix;
  /** W·√D times that, [rows, columns]: what the pruned weights are to give too. */
  readonly wanted: Matrix;
  /** √D, length columns. */
  readonly sizes: Float32Array;
}

/**
 * @param values W, [rows, columns]
 * @param gram E[x xᵀ], [columns, columns], natural order, undamped; not modified
 * @param factor its damping is added to the Gram's diagonal, as it was for the factor
 * @see arXiv:2406.07831 section 3.3
 */
export async function layerProblem(
  blas: Blas,
  { values, rows, columns }: Pick<SiteWeight, "values" | "rows" | "columns">,
  gram: Float32Array,
  factor: Factor,
): Promise<LayerProblem> {
  const scaled = dampedGram(gram, factor);
  const sizes = Float32Array.from({ length: columns }, (_, column) => Math.sqrt(at(scaled, column * (columns + 1))));
  for (let row = 0; row < columns; row += 1) {
    const start = row * columns;
    for (let column = 0; column < columns; column += 1) scaled[start + column]! /= sizes[row]! * sizes[column]!;
    scaled[start + row] = 1;
  }
  const factors = sizes.slice();
  for (const column of factor.dead) factors[column] = 0;
  const weights = new Float32Array(values.length);
  for (let start = 0; start < weights.length; start += columns) {
    for (let column = 0; column < columns; column += 1) weights[start + column] = values[start + column]! * factors[column]!;
  }
  const dense = { rows, columns, values: weights };
  const hessian = { rows: columns, columns, values: scaled };
  return { dense, hessian, wanted: await blas.gemm(dense, hessian), sizes };
}

/** Weights of the problem as weights of the site, in place. */
export function unscale(values: Float32Array, { sizes }: LayerProblem): Float32Array {
  const columns = sizes.length;
  for (let start = 0; start < values.length; start += columns) {
    for (let column = 0; column < columns; column += 1) values[start + column]! /= sizes[column]!;
  }
  return values;
}
