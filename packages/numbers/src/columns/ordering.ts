import { packedRowStart, unpackUpper } from "../hessian/packing.ts";

/** Arrays whose entries are moved, not computed with. */
type Movable = Float32Array | Uint8Array | Uint16Array | Int32Array | Uint32Array;

function emptyLike<Values extends Movable>(values: Values): Values {
  // the constructor of a typed array gives back its own kind, which TypeScript cannot say
  return new (values.constructor as new (length: number) => Values)(values.length);
}

/** Position → item turned into item → position. */
export function invertOrder(order: Int32Array): Int32Array {
  const inverse = new Int32Array(order.length);
  for (let position = 0; position < order.length; position += 1) inverse[order[position]!] = position;
  return inverse;
}

/** The identity order. */
export const naturalOrder = (size: number): Int32Array => Int32Array.from({ length: size }, (_, index) => index);

/**
 * Rows with their columns in a given order.
 *
 * @param values [rows, columns], row-major, columns = order.length
 * @param order position → column
 * @returns [rows, columns]; column p holds column order[p] of the values
 */
export function columnsInOrder<Values extends Movable>(values: Values, order: Int32Array): Values {
  const result = emptyLike(values);
  const columns = order.length;
  for (let start = 0; start < values.length; start += columns) {
    for (let position = 0; position < columns; position += 1) result[start + position] = values[start + order[position]!]!;
  }
  return result;
}

/** Rows of a tile, and its columns: those that it writes and reads stay in the cache. */
const tileRows = 64;
const tileColumns = 16;

/**
 * Wᵀ with its rows in a given order.
 *
 * @param values W, [rows, columns], row-major
 * @param order position → column of W, length columns
 * @returns [columns, rows]; row p holds column order[p] of W
 */
export function transposeInOrder<Values extends Movable>(
  values: Values,
  rows: number,
  columns: number,
  order: Int32Array,
): Values {
  const result = emptyLike(values);
  transposeInto(result, values, rows, columns, order);
  return result;
}

/** {@link transposeInOrder} into the beginning of an array; default the natural order. */
export function transposeInto<Values extends Movable>(
  target: Values,
  values: Values,
  rows: number,
  columns: number,
  order: Int32Array = naturalOrder(columns),
): void {
  for (let top = 0; top < rows; top += tileRows) {
    const bottom = Math.min(top + tileRows, rows);
    for (let left = 0; left < columns; left += tileColumns) {
      const right = Math.min(left + tileColumns, columns);
      let row = top;
      // four rows at a time: neighbours in the target
      for (; row + 3 < bottom; row += 4) {
        for (let position = left; position < right; position += 1) {
          const to = position * rows + row;
          const from = row * columns + order[position]!;
          target[to] = values[from]!;
          target[to + 1] = values[from + columns]!;
          target[to + 2] = values[from + 2 * columns]!;
          target[to + 3] = values[from + 3 * columns]!;
        }
      }
      for (; row < bottom; row += 1) {
        for (let position = left; position < right; position += 1) {
          target[position * rows + row] = values[row * columns + order[position]!]!;
        }
      }
    }
  }
}

/**
 * Undoes {@link transposeInOrder}.
 *
 * @param values [columns, rows]; row p belongs to column order[p]
 * @returns [rows, columns] in natural column order
 */
export function restoreOrder<Values extends Movable>(values: Values, rows: number, columns: number, order: Int32Array): Values {
  const result = emptyLike(values);
  for (let top = 0; top < rows; top += tileRows) {
    const bottom = Math.min(top + tileRows, rows);
    for (let left = 0; left < columns; left += tileColumns) {
      const right = Math.min(left + tileColumns, columns);
      let row = top;
      for (; row + 3 < bottom; row += 4) {
        for (let position = left; position < right; position += 1) {
          const from = position * rows + row;
          const to = row * columns + order[position]!;
          result[to] = values[from]!;
          result[to + columns] = values[from + 1]!;
          result[to + 2 * columns] = values[from + 2]!;
          result[to + 3 * columns] = values[from + 3]!;
        }
      }
      for (; row < bottom; row += 1) {
        for (let position = left; position < right; position += 1) {
          result[row * columns + order[position]!] = values[position * rows + row]!;
        }
      }
    }
  }
  return result;
}

/**
 * Rows and columns of a square matrix in a given order: result[i, j] = matrix[order[i], order[j]].
 *
 * @param matrix [size, size], row-major, size = order.length
 */
export function permuteSymmetric(matrix: Float32Array, order: Int32Array): Float32Array {
  const size = order.length;
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < size; row += 1) {
    const source = order[row]! * size;
    const target = row * size;
    for (let column = 0; column < size; column += 1) result[target + column] = matrix[source + order[column]!]!;
  }
  return result;
}

/**
 * {@link permuteSymmetric} of a symmetric matrix that is packed, without making it whole first.
 *
 * @param packed upper half of the matrix, row by row, size = order.length
 * @returns [size, size], row-major; what lies below the diagonal is zero
 */
export function unpackInOrder(packed: Float32Array, order: Int32Array): Float32Array {
  const size = order.length;
  // whole rows are copied
  if (order.every((column, position) => column === position)) return unpackUpper(packed, size, "zero");
  // where each row would start if it held all columns
  const starts = Float64Array.from({ length: size }, (_, row) => packedRowStart(size, row) - row);
  const result = new Float32Array(size * size);
  for (let row = 0; row < size; row += 1) {
    const first = order[row]!;
    for (let column = row; column < size; column += 1) {
      const second = order[column]!;
      result[row * size + column] = packed[first < second ? starts[first]! + second : starts[second]! + first]!;
    }
  }
  return result;
}
