import { valueOf, type FittedGrid } from "../grids/grid.ts";
import { KernelLayout } from "../wasm/kernel-memory.ts";

/** What a change of a group's scales costs, by row: with a scale times 1 + c the loss changes by c · (2·slope + c·curvature). */
export interface ScaleSums {
  /** q·g: the group's values times the gradient at its columns. */
  readonly slopes: Float32Array;
  /** q·H·qᵀ. */
  readonly curvatures: Float32Array;
}

/**
 * A block of columns whose groups get other scales, one after the other, while their codes stay. All arrays are [columns, rows];
 * columns are counted from the block's first.
 */
export interface GroupRescaler {
  /** Qᵀ of the block. */
  readonly values: Float32Array;
  /** ((Q - W)·H)ᵀ at the block's columns. */
  readonly gradient: Float32Array;
  /** Of the group alone, Q·H at the block's columns: fill it before each `sums`. */
  readonly products: Float32Array;
  /** Of columns first … last-1. @returns arrays that the next call overwrites */
  sums(first: number, last: number): ScaleSums;
  /**
   * Brings the gradient up to date, and the group's values.
   *
   * @param changes what scales are multiplied by, less 1; one a row
   * @param codes [last - first, rows]
   * @param grid with the new scales
   */
  rescale(first: number, last: number, changes: Float32Array, codes: Uint8Array, grid: FittedGrid): void;
}

/** The plain form: every operation rounded to float32. */
export function createReferenceRescaler(columns: number, rows: number): GroupRescaler {
  const { fround } = Math;
  const [values, gradient, products] = [0, 0, 0].map(() => new Float32Array(columns * rows)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const [slopes, curvatures] = [new Float32Array(rows), new Float32Array(rows)];
  return {
    values,
    gradient,
    products,
    sums(first, last) {
      slopes.fill(0);
      curvatures.fill(0);
      for (let start = first * rows; start < last * rows; start += rows) {
        for (let row = 0; row < rows; row += 1) {
          const value = values[start + row]!;
          slopes[row]! += fround(value * gradient[start + row]!);
          curvatures[row]! += fround(value * products[start + row]!);
        }
      }
      return { slopes, curvatures };
    },
    rescale(first, last, changes, codes, { scales, zeros }) {
      for (let start = 0; start < columns * rows; start += rows) {
        for (let row = 0; row < rows; row += 1) gradient[start + row]! += fround(products[start + row]! * changes[row]!);
      }
      for (let index = 0; index < (last - first) * rows; index += 1) {
        const row = index % rows;
        values[first * rows + index] = valueOf(codes[index]!, scales[row]!, zeros[row]!);
      }
    },
  };
}

/** The same in WebAssembly SIMD, with the same bits as {@link createReferenceRescaler}. */
export function createGroupRescaler(columns: number, rows: number): GroupRescaler {
  const layout = new KernelLayout();
  const matrix = (): number => layout.take(columns * rows * 4);
  const row = (): number => layout.take(rows * 4);
  const [V, G, P] = [matrix(), matrix(), matrix()];
  const K = layout.take(columns * rows);
  const [Q, C, F, S, Z] = [row(), row(), row(), row(), row()];
  const { buffer, kernels } = layout.build();
  const floats = (pointer: number, length: number): Float32Array => new Float32Array(buffer, pointer, length);
  const [slopes, curvatures] = [floats(Q, rows), floats(C, rows)];
  const at = (pointer: number, column: number): number => pointer + column * rows * 4;
  return {
    values: floats(V, columns * rows),
    gradient: floats(G, columns * rows),
    products: floats(P, columns * rows),
    sums(first, last) {
      kernels.sumProducts(at(V, first), at(G, first), at(P, first), Q, C, rows, last - first);
      return { slopes, curvatures };
    },
    rescale(first, last, changes, codes, { scales, zeros }) {
      floats(F, rows).set(changes);
      floats(S, rows).set(scales);
      floats(Z, rows).set(zeros);
      new Uint8Array(buffer, K, codes.length).set(codes);
      kernels.addScaledRows(G, P, F, rows, columns);
      kernels.writeValues(at(V, first), K, S, Z, rows, last - first);
    },
  };
}
