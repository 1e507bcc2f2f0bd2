import type { WeightDtype } from "../dtypes/rounding.ts";
import { KernelLayout } from "../wasm/kernel-memory.ts";
import { limitsOfGrid, type FittedGrid, type GridRule } from "./grid.ts";
import { fitRow, relativeImportances, rowOf, shareLeft, shrinkSteps } from "./grid-reference.ts";

/** Rows that the kernel treats at a time. */
const strip = 16;

/** Most bytes of a group that lie in the kernel's memory at once, so that they stay in the second cache. */
const mostBytes = 1024 * 1024;

const dtypeCodes: Readonly<Record<WeightDtype, number>> = { f32: 0, f16: 1, bf16: 2 };

/**
 * Losses within this factor of each other can be in another order than those of the reference. The kernel's norm is within 6e-6:
 * 4e-6 by its polynomial, 1.3e-6 by the roundings in it, the rest by those of ten products. A weighted square takes two products.
 * The sum of so many columns, eight by eight, takes 8 + columns/8 roundings, and the limit two.
 */
function closenessOf(columns: number): number {
  const off = 6e-6 + (10 + columns / 8) * 2 ** -24;
  return (1 + off) / (1 - off);
}

/**
 * Fits grids to groups of columns by the SIMD kernel, one grid a row. It gives the same bits as {@link fitGridReference}.
 *
 * @param columns most columns of a group
 * @param rows rows of W
 * @returns a function of Wᵀ of a group, [columns of the group, rows], and where the rule searches by the Hessian of the
 * importances of its columns, as {@link fitGridReference} takes them
 */
export function createGridFitter(
  columns: number,
  rows: number,
  rule: GridRule,
): (weights: Float32Array, importances?: Float32Array) => FittedGrid {
  const { search, scaleDtype } = rule;
  const { maximum, leastZero, mostZero } = limitsOfGrid(rule.grid);
  const steps = search === "none" ? 1 : shrinkSteps;
  const fitting = Math.floor(mostBytes / (4 * columns * strip)) * strip;
  const part = Math.min(Math.max(fitting, strip), Math.ceil(rows / strip) * strip);
  const layout = new KernelLayout();
  const W = layout.take(4 * columns * part);
  const T = layout.take(4 * columns * strip);
  const D = layout.take(4 * columns);
  const [L, H] = [layout.take(4 * strip), layout.take(4 * strip)];
  const [A, B] = [layout.take(4 * steps), layout.take(16 * steps)];
  const [S, Z, F, G] = [layout.take(4 * part), layout.take(4 * part), layout.take(4 * part), layout.take(4 * part)];
  const { buffer, kernels } = layout.build();
  const floats = (address: number, length: number): Float32Array => new Float32Array(buffer, address, length);
  const [panel, firsts, ends, shares] = [floats(W, columns * part), floats(F, part), floats(G, part), floats(D, columns)];
  floats(A, steps).forEach((_, step, tried) => (tried[step] = shareLeft(step)));

  return (weights, importances) => {
    const width = weights.length / rows;
    const relative = relativeImportances(rule, width, importances);
    if (relative !== undefined) shares.set(relative);
    const weighted = relative === undefined ? 0 : D;
    const scales = new Float32Array(rows);
    const zeros = new Float32Array(rows);
    const [dtype, closeness] = [dtypeCodes[scaleDtype], closenessOf(width)];
    for (let from = 0; from < rows; from += part) {
      const count = Math.min(part, rows - from);
      for (let column = 0; column < width; column += 1) {
        const start = column * rows + from;
        panel.set(weights.subarray(start, start + count), column * part);
      }
      const whole = Math.ceil(count / strip) * strip;
      const zero = leastZero === mostZero ? leastZero : -1;
      kernels.fit(W, T, weighted, L, H, A, B, S, Z, F, G, part, whole, width, maximum, zero, leastZero, dtype, steps, closeness);
      scales.set(floats(S, count), from);
      zeros.set(floats(Z, count), from);
      for (let row = 0; row < count; row += 1) {
        if (ends[row] === 0) continue;
        const decided = fitRow(rowOf(weights, rows, from + row), rule, relative, firsts[row], ends[row]);
        scales[from + row] = decided.scale;
        zeros[from + row] = decided.zero;
      }
    }
    return { scales, zeros, maximum };
  };
}
