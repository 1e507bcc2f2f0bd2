import type { ScratchFile, ScratchSlot } from "@mbs/artifacts";
import type { Blas, Matrix } from "@mbs/contracts";
import { packedLength, packedRowStart } from "@mbs/numbers";

const bytes = Float32Array.BYTES_PER_ELEMENT;
/** Values in memory of one matrix at a time. */
const pieceLength = 4 * 2 ** 20;
/** Values that are summed in single precision before double precision takes over. */
const sumLength = 2 ** 16;

/** A symmetric matrix whose packed upper half lies in a file and is read in pieces. */
export class ScratchGram {
  readonly width: number;
  /** Of the matrix, length width. */
  readonly diagonal: Float32Array;
  readonly #scratch: ScratchFile;
  readonly #slot: ScratchSlot;

  constructor(scratch: ScratchFile, slot: ScratchSlot, diagonal: Float32Array) {
    this.width = diagonal.length;
    this.diagonal = diagonal;
    this.#scratch = scratch;
    this.#slot = slot;
  }

  get packedLength(): number {
    return packedLength(this.width);
  }

  /** Fills `target` with the packed values from `start` on. */
  readInto(start: number, target: Float32Array): void {
    this.#scratch.readInto({ offset: this.#slot.offset + start * bytes, length: target.byteLength }, target);
  }

  /** Rows first … last-1 of the upper half, their columns first … width-1, zero below the diagonal. */
  #upperRows(first: number, last: number): Matrix {
    const columns = this.width - first;
    const values = new Float32Array((last - first) * columns);
    const start = packedRowStart(this.width, first);
    const packed = new Float32Array(packedRowStart(this.width, last) - start);
    this.readInto(start, packed);
    for (let row = first; row < last; row += 1) {
      const from = packedRowStart(this.width, row) - start;
      values.set(packed.subarray(from, from + this.width - row), (row - first) * columns + row - first);
    }
    return { rows: last - first, columns, values };
  }

  /**
   * H·V for V of shape [width, m]: U·V + Uᵀ·V - D·V with U the upper half and D the diagonal, summed in double precision.
   */
  async multiply(blas: Blas, block: Matrix): Promise<Matrix> {
    const { width } = this;
    const { columns } = block;
    const sum = new Float64Array(block.values.length);
    for (let index = 0; index < sum.length; index += 1) {
      sum[index] = -block.values[index]! * this.diagonal[Math.floor(index / columns)]!;
    }
    const add = ({ values }: Matrix, row: number): void => {
      for (let index = 0; index < values.length; index += 1) sum[row * columns + index]! += values[index]!;
    };
    const rowsOf = (first: number, last: number): Matrix => ({
      rows: last - first,
      columns,
      values: block.values.subarray(first * columns, last * columns),
    });
    const panel = Math.max(1, Math.floor(pieceLength / width));
    for (let first = 0; first < width; first += panel) {
      const last = Math.min(width, first + panel);
      const upper = this.#upperRows(first, last);
      add(await blas.gemm(upper, rowsOf(first, width)), first);
      add(await blas.gemm(upper, rowsOf(first, last), { transposeA: true }), first);
    }
    return { rows: width, columns, values: Float32Array.from(sum) };
  }
}

/**
 * tr(Hₐ·H_b) of every two matrices, read in pieces side by side.
 *
 * @param grams all of one width
 * @returns [n][n], symmetric
 */
export async function traceProducts(blas: Blas, grams: readonly ScratchGram[]): Promise<number[][]> {
  const [first] = grams;
  if (first === undefined) return [];
  const count = grams.length;
  const length = first.packedLength;
  const piece = Math.max(1, Math.min(sumLength, Math.floor(pieceLength / count)));
  const halves = new Float64Array(count * count);
  for (let start = 0; start < length; start += piece) {
    const columns = Math.min(piece, length - start);
    const values = new Float32Array(count * columns);
    for (const [index, gram] of grams.entries()) gram.readInto(start, values.subarray(index * columns, (index + 1) * columns));
    const pieces = { rows: count, columns, values };
    const products = await blas.gemm(pieces, pieces, { transposeB: true });
    for (let index = 0; index < halves.length; index += 1) halves[index]! += products.values[index]!;
  }
  const diagonal = (a: ScratchGram, b: ScratchGram): number =>
    a.diagonal.reduce((sum, value, index) => sum + value * b.diagonal[index]!, 0);
  // Each half holds the diagonal, which counts once.
  return grams.map((a, row) => grams.map((b, column) => 2 * halves[row * count + column]! - diagonal(a, b)));
}
