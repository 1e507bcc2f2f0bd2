import { at, InternalError } from "@mbs/contracts";

/** Number of values in the upper half of a [size, size] matrix, diagonal included. */
export const packedLength = (size: number): number => (size * (size + 1)) / 2;

/** Where row `row` of a packed upper half starts: it holds columns row … size-1. */
export const packedRowStart = (size: number, row: number): number => row * size - (row * (row - 1)) / 2;

function expectLength(values: Float32Array, length: number, what: string): void {
  if (values.length !== length) {
    throw new InternalError(`${what} has ${values.length} values where ${length} were expected`, {
      found: values.length,
      expected: length,
    });
  }
}

/**
 * The upper half of a matrix, row by row.
 *
 * @param matrix [size, size], row-major; what lies below the diagonal is not read
 */
export function packUpper(matrix: Float32Array, size: number): Float32Array {
  expectLength(matrix, size * size, "the matrix to pack");
  const packed = new Float32Array(packedLength(size));
  for (let row = 0; row < size; row += 1) {
    packed.set(matrix.subarray(row * size + row, (row + 1) * size), packedRowStart(size, row));
  }
  return packed;
}

/**
 * The full matrix of a packed upper half.
 *
 * @param lower "mirror" for a symmetric matrix, "zero" for a triangular one
 * @param into takes the matrix, length size²; default a new one
 * @returns [size, size], row-major
 */
export function unpackUpper(packed: Float32Array, size: number, lower: "mirror" | "zero", into?: Float32Array): Float32Array {
  expectLength(packed, packedLength(size), "the packed matrix");
  if (into) expectLength(into, size * size, "the matrix to unpack into");
  const matrix = into ?? new Float32Array(size * size);
  for (let row = 0; row < size; row += 1) {
    const start = packedRowStart(size, row);
    if (into) matrix.fill(0, row * size, row * size + row);
    matrix.set(packed.subarray(start, start + size - row), row * size + row);
  }
  if (lower === "mirror") mirrorUpper(matrix, size);
  return matrix;
}

const tile = 32;

/** Copies the upper half of a [size, size] matrix below its diagonal, in tiles that stay in the cache. */
function mirrorUpper(matrix: Float32Array, size: number): void {
  for (let top = 0; top < size; top += tile) {
    for (let left = top; left < size; left += tile) {
      const bottom = Math.min(top + tile, size);
      const right = Math.min(left + tile, size);
      for (let row = top; row < bottom; row += 1) {
        for (let column = Math.max(left, row + 1); column < right; column += 1) {
          matrix[column * size + row] = matrix[row * size + column]!;
        }
      }
    }
  }
}

/** The diagonal of a packed upper half, length size. */
export function packedDiagonal(packed: Float32Array, size: number): Float32Array {
  expectLength(packed, packedLength(size), "the packed matrix");
  return Float32Array.from({ length: size }, (_, row) => at(packed, packedRowStart(size, row)));
}
