import { limitsOf } from "../grids/column-grids.ts";
import { copyRows } from "../wasm/copy-rows.ts";
import { KernelLayout, type Kernels } from "../wasm/kernel-memory.ts";
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

/** Where the arrays lie that all rows share: U, P and the levels of grids with their limits; T and V are the kernel's own. */
interface SharedArrays {
  readonly U: number;
  readonly T: number;
  readonly P: number;
  readonly V: number;
  readonly L: number;
}

function takeShared(layout: KernelLayout, columns: number, { asymmetric, columnGrids }: KernelOptions): SharedArrays {
  return {
    U: layout.take(columns * columns * 4),
    T: layout.take(columns * strip * 4),
    P: asymmetric ? layout.take(columns * columns * 4) : 0,
    V: asymmetric ? layout.take(columns * strip * 4) : 0,
    L: layout.take(columnGrids ? 16 + 15 * 4 : 0),
  };
}

/** All rows lie in one set of arrays; what strips leave over is copied to another one of a whole strip, and back. */
class SimdKernel implements ColumnKernel {
  readonly weights: Float32Array;
  readonly errors: Float32Array;
  readonly upper: Float32Array;
  readonly asymmetry: Float32Array | undefined;
  readonly #columns: number;
  readonly #rows: number;
  /** Rows in whole strips. */
  readonly #whole: number;
  readonly #carriesValues: boolean;
  readonly #shared: SharedArrays;
  readonly #all: Arrays;
  readonly #tail: Arrays | undefined;
  readonly #buffer: ArrayBuffer;
  readonly #kernels: Kernels;

  constructor(columns: number, rows: number, options: KernelOptions) {
    const layout = new KernelLayout();
    const gridColumns = options.columnGrids ? columns : 0;
    this.#columns = columns;
    this.#rows = rows;
    this.#whole = rows - (rows % strip);
    this.#carriesValues = options.carriesValues === true;
    this.#shared = takeShared(layout, columns, options);
    this.#all = takeArrays(layout, columns, rows, gridColumns);
    this.#tail = this.#whole < rows ? takeArrays(layout, columns, strip, gridColumns) : undefined;
    const { buffer, kernels } = layout.build();
    this.#buffer = buffer;
    this.#kernels = kernels;
    this.weights = this.#floats(this.#all.W, columns * rows);
    this.errors = this.#floats(this.#all.E, columns * rows);
    this.upper = this.#floats(this.#shared.U, columns * columns);
    this.asymmetry = options.asymmetric ? this.#floats(this.#shared.P, columns * columns) : undefined;
  }

  fix(first: number, last: number, choice: Choice): Uint8Array {
    const codes = this.#bytes(this.#all.C, (last - first) * this.#rows);
    if (!choice.grid && !choice.columnGrids) codes.fill(0);
    this.#putChoice(first, last, choice);
    if (this.#whole > 0) this.#call(this.#all, this.#whole, first, last, choice);
    if (this.#tail) this.#fixTail(this.#tail, first, last, choice);
    return codes;
  }

  #floats(pointer: number, length: number): Float32Array {
    return new Float32Array(this.#buffer, pointer, length);
  }

  #bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.#buffer, pointer, length);
  }

  /** Copies mask and grids of all rows to the kernel's memory. */
  #putChoice(first: number, last: number, { mask, grid, columnGrids }: Choice): void {
    const { S, Z, M, O } = this.#all;
    const { L } = this.#shared;
    if (mask) this.#bytes(M, (last - first) * this.#rows).set(mask);
    if (grid) {
      this.#floats(S, this.#rows).set(grid.scales);
      this.#floats(Z, this.#rows).set(grid.zeros);
    }
    if (!columnGrids) return;
    const { scales, offsets, zero, levels } = columnGrids;
    this.#floats(S, scales.length).set(scales);
    this.#floats(Z, this.#rows).fill(zero);
    if (offsets) this.#floats(O, offsets.length).set(offsets);
    if (levels) {
      this.#bytes(L, 16).set(new Uint8Array(levels.buffer, levels.byteOffset, 16));
      this.#floats(L + 16, 15).set(limitsOf(levels));
    }
  }

  #call({ W, E, S, Z, M, C, R, O }: Arrays, count: number, first: number, last: number, choice: Choice): void {
    const { mask, columnGrids: own } = choice;
    const { U, T, P, V, L } = this.#shared;
    const grid = own ?? choice.grid;
    const [scales, masked, maximum] = [grid ? S : 0, mask ? M : 0, grid?.maximum ?? 0];
    const stride = own && own.scales.length > this.#rows ? R * 4 : 0;
    const [offsets, levels] = [own?.offsets ? O : 0, own?.levels ? L : 0];
    const columns = this.#columns;
    const carried = Number(this.#carriesValues);
    this.#kernels.fix(
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

  #fixTail(part: Arrays, first: number, last: number, choice: Choice): void {
    const [columns, rows] = [this.#columns, this.#rows];
    const rest = rows - this.#whole;
    const inner = { row: this.#whole, stride: rows };
    const own = { row: 0, stride: strip };
    const tailWeights = this.#floats(part.W, columns * strip);
    copyRows(this.weights, inner, tailWeights, own, rest, columns);
    this.#putTailChoice(part, last - first, choice);
    this.#call(part, strip, first, last, choice);
    copyRows(tailWeights, own, this.weights, inner, rest, columns);
    copyRows(this.#floats(part.E, columns * strip), own, this.errors, inner, rest, columns);
    if (choice.grid ?? choice.columnGrids) {
      const [codes, all] = [this.#bytes(part.C, columns * strip), this.#bytes(this.#all.C, columns * rows)];
      copyRows(codes, own, all, inner, rest, last - first);
    }
  }

  /** Copies mask and grids of the rows that are left over. @param count columns that are fixed */
  #putTailChoice(part: Arrays, count: number, { mask, grid, columnGrids }: Choice): void {
    const [columns, rows] = [this.#columns, this.#rows];
    const rest = rows - this.#whole;
    const inner = { row: this.#whole, stride: rows };
    const own = { row: 0, stride: strip };
    const { S, M, O } = this.#all;
    if (mask) copyRows(this.#bytes(M, columns * rows), inner, this.#bytes(part.M, columns * strip), own, rest, count);
    if (grid) {
      this.#floats(part.S, strip).fill(1).set(grid.scales.subarray(this.#whole));
      this.#floats(part.Z, strip).set(grid.zeros.subarray(this.#whole));
    }
    if (!columnGrids) return;
    const gridded = columnGrids.scales.length / rows;
    const scales = this.#floats(part.S, columns * strip).fill(1);
    copyRows(this.#floats(S, columns * rows), inner, scales, own, rest, gridded);
    this.#floats(part.Z, strip).fill(columnGrids.zero);
    if (columnGrids.offsets) {
      copyRows(this.#floats(O, columns * rows), inner, this.#floats(part.O, columns * strip), own, rest, gridded);
    }
  }
}

/**
 * The column kernel in WebAssembly SIMD. It gives the same bits as {@link createReferenceKernel}.
 *
 * @param columns columns of W in the block
 * @param rows rows of W
 */
export const createSimdKernel = (columns: number, rows: number, options: KernelOptions = {}): ColumnKernel =>
  new SimdKernel(columns, rows, options);
