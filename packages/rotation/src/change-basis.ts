import { at } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";

/** A rotation Q of `size` neighbouring rows or columns, from `first` on. */
export interface Block {
  readonly first: number;
  /** Q, orthogonal, [size, size]. */
  readonly rotation: Matrix<Float64Array>;
}

/** Values of a weight that are in float64 at a time: 32 MiB, and as much for the product. */
const pieceValues = 4 * 1024 * 1024;

const piecesOf = (count: number, length: number): number => Math.min(count, Math.max(1, Math.floor(pieceValues / length)));

/**
 * W becomes W·Q in the columns of a block, with `scales` W·diag(scales)·Q: what multiplied x now multiplies Qᵀ·diag(scales)⁻¹·x.
 *
 * @param values W, [rows, columns], changed in place
 * @param scales of all columns
 */
export async function rotateColumns(
  blas: Blas<Float64Array>,
  values: Float32Array,
  columns: number,
  { first, rotation }: Block,
  scales?: Float64Array,
): Promise<void> {
  const size = rotation.rows;
  const rows = values.length / columns;
  const most = piecesOf(rows, size);
  for (let begin = 0; begin < rows; begin += most) {
    const count = Math.min(most, rows - begin);
    const piece = new Float64Array(count * size);
    for (let row = 0; row < count; row += 1) {
      const from = (begin + row) * columns + first;
      for (let column = 0; column < size; column += 1) {
        const scale = scales === undefined ? 1 : at(scales, first + column);
        piece[row * size + column] = at(values, from + column) * scale;
      }
    }
    const { values: rotated } = await blas.gemm({ rows: count, columns: size, values: piece }, rotation);
    for (let row = 0; row < count; row += 1) {
      values.set(rotated.subarray(row * size, (row + 1) * size), (begin + row) * columns + first);
    }
  }
}

/**
 * W becomes Qᵀ·W in the rows of a block: outputs y become Qᵀ·y. A bias is a W of one column.
 *
 * @param values W, [rows, columns], changed in place
 */
export async function rotateRows(
  blas: Blas<Float64Array>,
  values: Float32Array,
  columns: number,
  { first, rotation }: Block,
): Promise<void> {
  const size = rotation.rows;
  const most = piecesOf(columns, size);
  for (let begin = 0; begin < columns; begin += most) {
    const count = Math.min(most, columns - begin);
    const piece = new Float64Array(size * count);
    for (let row = 0; row < size; row += 1) {
      const from = (first + row) * columns + begin;
      piece.set(values.subarray(from, from + count), row * count);
    }
    const { values: rotated } = await blas.gemm(rotation, { rows: size, columns: count, values: piece }, { transposeA: true });
    for (let row = 0; row < size; row += 1) {
      values.set(rotated.subarray(row * count, (row + 1) * count), (first + row) * columns + begin);
    }
  }
}
