import { at } from "@mbs/contracts";
import { roundTo, type Grid, type WeightDtype } from "@mbs/numbers";

/** A group whose codes stay. All arrays are [columns, rows], the columns in the order in which they were fixed. */
export interface FrozenGroup {
  readonly grid: Grid;
  /** Values of its codes. */
  readonly values: Float32Array;
  /** (Q - W)·H at the group's columns. */
  readonly gradient: Float32Array;
  /** Q·H of the group by itself at its own columns. */
  readonly products: Float32Array;
}

/**
 * The scales of a group with the least tr((Q - W)·H·(Q - W)ᵀ), its codes and everything else as they are: with q the row's
 * values of the group and g its gradient, s is multiplied by 1 - (q·g) / (q·H·qᵀ). A scale that is worse once rounded is left
 * as it was.
 *
 * @returns one scale a row
 * @see arXiv:2602.02126
 */
export function refitScales({ grid, values, gradient, products }: FrozenGroup, dtype: WeightDtype): Float32Array {
  const { scales } = grid;
  const rows = scales.length;
  const slopes = new Float64Array(rows);
  const curvatures = new Float64Array(rows);
  for (let start = 0; start < values.length; start += rows) {
    for (let row = 0; row < rows; row += 1) {
      const value = values[start + row]!;
      slopes[row]! += value * gradient[start + row]!;
      curvatures[row]! += value * products[start + row]!;
    }
  }
  const wanted = scales.map((scale, row) => {
    const curvature = at(curvatures, row);
    return curvature > 0 ? scale * (1 - at(slopes, row) / curvature) : scale;
  });
  return roundTo(dtype, wanted).map((scale, row) => {
    const change = scale / at(scales, row) - 1;
    const isBetter = scale > 0 && change * (2 * at(slopes, row) + change * at(curvatures, row)) < 0;
    return isBetter ? scale : at(scales, row);
  });
}
