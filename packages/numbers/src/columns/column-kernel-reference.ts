import { roundHalfEven } from "../dtypes/rounding.ts";
import { columnCodeOf, columnValueOf } from "../grids/column-grids.ts";
import type { Choice, ColumnKernel, KernelOptions } from "./column-kernel.ts";

/**
 * The plain form of the column kernel: every operation rounded to float32, in the order of the papers.
 *
 * @param columns columns of W in the block
 * @param rows rows of W
 * @see arXiv:2210.17323 algorithm 1, arXiv:2301.00774 algorithm 1, arXiv:2504.02692 algorithm 1
 */
export function createReferenceKernel(
  columns: number,
  rows: number,
  { asymmetric = false, carriesValues = false }: KernelOptions = {},
): ColumnKernel {
  const weights = new Float32Array(columns * rows);
  const errors = new Float32Array(columns * rows);
  const upper = new Float32Array(columns * columns);
  const asymmetry = asymmetric ? new Float32Array(columns * columns) : undefined;
  const { fround } = Math;
  return {
    weights,
    errors,
    upper,
    asymmetry,
    fix(first: number, last: number, { grid, columnGrids, mask }: Choice): Uint8Array {
      const codes = new Uint8Array((last - first) * rows);
      for (let j = first; j < last; j += 1) {
        const pivot = upper[j * columns + j]!;
        for (let row = 0; row < rows; row += 1) {
          const offset = (j - first) * rows + row;
          const w = weights[j * rows + row]!;
          let value = mask && mask[offset] === 0 ? 0 : w;
          if (grid) {
            const scale = grid.scales[row]!;
            const zero = grid.zeros[row]!;
            const code = Math.min(Math.max(fround(roundHalfEven(fround(value / scale)) + zero), 0), grid.maximum);
            codes[offset] = code;
            value = fround(fround(code - zero) * scale);
          }
          if (columnGrids) {
            const own = offset % columnGrids.scales.length;
            codes[offset] = columnCodeOf(value, columnGrids, own);
            value = columnValueOf(codes[offset], columnGrids, own);
          }
          const error = carriesValues ? value : fround(fround(w - value) / pivot);
          weights[j * rows + row] = value;
          errors[j * rows + row] = error;
          for (let k = j + 1; k < columns; k += 1) {
            const index = k * rows + row;
            const carried = fround(error * upper[j * columns + k]!);
            const moved = asymmetry ? fround(carried - fround(w * asymmetry[j * columns + k]!)) : carried;
            weights[index] = fround(weights[index]! - moved);
          }
        }
      }
      return codes;
    },
  };
}
