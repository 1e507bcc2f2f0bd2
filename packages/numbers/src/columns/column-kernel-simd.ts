import { limitsOf } from "../grids/column-grids.ts";
import { copyRows } from "../wasm/copy-rows.ts";
import { KernelLayout } from "../wasm/kernel-memory.ts";
import type { Choice, ColumnKernel, KernelOptions } from "./column-kernel.ts";

/** Rows that the kernel treats at a time. */
const strip = 32;

/** Where the arrays of a part of the rows lie; R is the distance from one column to the next. */
interface Arrays {
  readonly W: number;
  readonly E: number;
  readonly S: number;
  readonly Z: number;
  readonly M: number;
  readonly C: number;
  readonly R: number;
  readonly O: number;
}

/** @param gridColumns columns with grids of their own that are fixed at a time */
function takeArrays(layout: KernelLayout, columns: number, R: number, gridColumns: number): Arrays {
  const matrix = (): number => layout.take(columns * R * 4);
  return {
    R,
    W: matrix(),
    E: matrix(),
    S: layout.take(Math.max(gridColumns, 1) * R * 4),
    Z: layout.take(R * 4),
    M: layout.take(columns * R),
    C: layout.take(columns * R),
    O: layout.take(gridColumns * R * 4),
  };
}

/**
 * The column kernel in WebAssembly SIMD. It gives the same bits as {@link createReferenceKernel}.
 *
 * @param columns columns of W in the block
 * @param rows rows of W
 */
export function createSimdKernel(
  columns: number,
  rows: number,
  { asymmetric = false, columnGrids = false, carriesValues = false }: KernelOptions = {},
): ColumnKernel {
  const whole = rows - (rows % strip);
  const rest = rows - whole;
  const layout = new KernelLayout();
  const U = layout.take(columns * columns * 4);
  const T = layout.take(columns * strip * 4);
  const P = asymmetric ? layout.take(columns * columns * 4) : 0;
  const V = asymmetric ? layout.take(columns * strip * 4) : 0;
  const gridColumns = columnGrids ? columns : 0;
  const L = layout.take(columnGrids ? 16 + 15 * 4 : 0);
  const all = takeArrays(layout, columns, rows, gridColumns);
  const tail = rest > 0 ? takeArrays(layout, columns, strip, gridColumns) : undefined;
  const { buffer, kernels } = layout.build();
  const floats = (pointer: number, length: number): Float32Array => new Float32Array(buffer, pointer, length);
  const bytes = (pointer: number, length: number): Uint8Array => new Uint8Array(buffer, pointer, length);
  const weights = floats(all.W, columns * rows);
  const errors = floats(all.E, columns * rows);

  function call({ W, E, S, Z, M, C, R, O }: Arrays, count: number, first: number, last: number, choice: Choice): void {
    const { mask, columnGrids: own } = choice;
    const grid = own ?? choice.grid;
    const [scales, masked, maximum] = [grid ? S : 0, mask ? M : 0, grid?.maximum ?? 0];
    const [stride, offsets, levels] = [own && own.scales.length > rows ? R * 4 : 0, own?.offsets ? O : 0, own?.levels ? L : 0];
    const carried = Number(carriesValues);
    kernels.fix(
      W,
      E,
      U,
      T,
      scales,
      Z,
      masked,
      C,
      columns,
      R,
      count,
      first,
      last,
      maximum,
      P,
      V,
      stride,
      offsets,
      levels,
      carried,
    );
  }

  function fixTail(part: Arrays, first: number, last: number, choice: Choice): void {
    const inner = { row: whole, stride: rows };
    const own = { row: 0, stride: strip };
    const tailWeights = floats(part.W, columns * strip);
    copyRows(weights, inner, tailWeights, own, rest, columns);
    if (choice.mask) copyRows(bytes(all.M, columns * rows), inner, bytes(part.M, columns * strip), own, rest, last - first);
    if (choice.grid) {
      floats(part.S, strip).fill(1).set(choice.grid.scales.subarray(whole));
      floats(part.Z, strip).set(choice.grid.zeros.subarray(whole));
    }
    if (choice.columnGrids) {
      const scales = floats(part.S, columns * strip);
      const gridded = choice.columnGrids.scales.length / rows;
      copyRows(floats(all.S, columns * rows), inner, scales.fill(1), own, rest, gridded);
      floats(part.Z, strip).fill(choice.columnGrids.zero);
      if (choice.columnGrids.offsets) {
        copyRows(floats(all.O, columns * rows), inner, floats(part.O, columns * strip), own, rest, gridded);
      }
    }
    call(part, strip, first, last, choice);
    copyRows(tailWeights, own, weights, inner, rest, columns);
    copyRows(floats(part.E, columns * strip), own, errors, inner, rest, columns);
    if (choice.grid ?? choice.columnGrids)
      copyRows(bytes(part.C, columns * strip), own, bytes(all.C, columns * rows), inner, rest, last - first);
  }

  return {
    weights,
    errors,
    upper: floats(U, columns * columns),
    asymmetry: asymmetric ? floats(P, columns * columns) : undefined,
    fix(first, last, choice) {
      const codes = bytes(all.C, (last - first) * rows);
      if (!choice.grid && !choice.columnGrids) codes.fill(0);
      if (choice.mask) bytes(all.M, (last - first) * rows).set(choice.mask);
      if (choice.grid) {
        floats(all.S, rows).set(choice.grid.scales);
        floats(all.Z, rows).set(choice.grid.zeros);
      }
      if (choice.columnGrids) {
        const { scales, offsets, zero, levels } = choice.columnGrids;
        floats(all.S, scales.length).set(scales);
        floats(all.Z, rows).fill(zero);
        if (offsets) floats(all.O, offsets.length).set(offsets);
        if (levels) {
          bytes(L, 16).set(new Uint8Array(levels.buffer, levels.byteOffset, 16));
          floats(L + 16, 15).set(limitsOf(levels));
        }
      }
      if (whole > 0) call(all, whole, first, last, choice);
      if (tail) fixTail(tail, first, last, choice);
      return codes;
    },
  };
}
