/** Eigenvectors of a symmetric matrix, the largest eigenvalue first. */
export interface Eigen {
  readonly values: Float64Array;
  /** [size, size], one eigenvector per row. */
  readonly vectors: Float64Array;
}

/** Sweeps of Jacobi's method converge quadratically: five to ten are usual. */
const sweepLimit = 50;

function offDiagonal(A: Float64Array, size: number): number {
  let sum = 0;
  for (let row = 0; row < size; row += 1) {
    for (let column = row + 1; column < size; column += 1) sum += A[row * size + column]! ** 2;
  }
  return sum;
}

/** Turns two entries of each pair by the angle with cosine c and sine s. */
function turn(values: Float64Array, first: number, second: number, stride: number, size: number, c: number, s: number): void {
  for (let index = 0; index < size; index += 1) {
    const a = values[first + index * stride]!;
    const b = values[second + index * stride]!;
    values[first + index * stride] = c * a - s * b;
    values[second + index * stride] = s * a + c * b;
  }
}

/**
 * All eigenvectors by Jacobi's rotations in double precision: for small matrices, and to test larger methods against.
 *
 * @param matrix [size, size], symmetric, row-major; not modified
 * @see Golub and Van Loan, Matrix Computations, §8.5
 */
export function symmetricEigen(matrix: ArrayLike<number>, size: number): Eigen {
  const A = Float64Array.from(matrix);
  const V = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1) V[row * size + row] = 1;
  const small = A.reduce((sum, value) => sum + value * value, 0) * 1e-30;
  for (let sweep = 0; sweep < sweepLimit && offDiagonal(A, size) > small; sweep += 1) {
    for (let p = 0; p < size; p += 1) {
      for (let q = p + 1; q < size; q += 1) {
        const coupling = A[p * size + q]!;
        if (coupling === 0) continue;
        const ratio = (A[q * size + q]! - A[p * size + p]!) / (2 * coupling);
        const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.sqrt(ratio * ratio + 1));
        const c = 1 / Math.sqrt(tangent * tangent + 1);
        const s = tangent * c;
        turn(A, p, q, size, size, c, s);
        turn(A, p * size, q * size, 1, size, c, s);
        turn(V, p * size, q * size, 1, size, c, s);
      }
    }
  }
  const order = Array.from({ length: size }, (_, row) => row).sort((a, b) => A[b * size + b]! - A[a * size + a]!);
  const vectors = new Float64Array(size * size);
  for (const [position, row] of order.entries()) vectors.set(V.subarray(row * size, (row + 1) * size), position * size);
  return { values: Float64Array.from(order, (row) => A[row * size + row]!), vectors };
}
