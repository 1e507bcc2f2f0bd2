import { BadDataError } from "@mbs/contracts";

/** A matrix that has no Cholesky factor in the precision that was tried. */
export class NotPositiveDefiniteError extends BadDataError {
  /** The column, in the order of the matrix, whose pivot was not above zero. */
  readonly pivot: number;
  /** What the pivot was. */
  readonly value: number;

  constructor(pivot: number, value: number) {
    super(`the matrix is not positive definite: pivot ${value} at column ${pivot}; raise the damping or give more text`, {
      pivot,
      value,
    });
    this.pivot = pivot;
    this.value = value;
  }
}

/**
 * Upper factor of the inverse, element by element in float64: the plain form of {@link inverseFactor}, and its leaf.
 *
 * Legend: H = R·Rᵀ with R upper triangular, U = R⁻¹, so H⁻¹ = UᵀU.
 *
 * @param hessian [size, size], row-major; its upper half is read
 * @param firstColumn where the matrix lies within a larger one, for the error
 * @returns U, [size, size], row-major
 * @throws {NotPositiveDefiniteError} when a pivot is not above zero
 */
export function inverseFactorReference(hessian: ArrayLike<number>, size: number, firstColumn = 0): Float64Array {
  const R = new Float64Array(size * size);
  for (let column = size - 1; column >= 0; column -= 1) {
    for (let row = column; row >= 0; row -= 1) {
      let sum = hessian[row * size + column]!;
      for (let k = column + 1; k < size; k += 1) sum -= R[row * size + k]! * R[column * size + k]!;
      if (row < column) R[row * size + column] = sum / R[column * size + column]!;
      else if (sum > 0 && Number.isFinite(sum)) R[row * size + column] = Math.sqrt(sum);
      else throw new NotPositiveDefiniteError(firstColumn + column, sum);
    }
  }
  return invertUpper(R, size);
}

/** R⁻¹ of an upper triangular matrix. */
function invertUpper(R: Float64Array, size: number): Float64Array {
  const U = new Float64Array(size * size);
  for (let row = size - 1; row >= 0; row -= 1) {
    const scale = 1 / R[row * size + row]!;
    for (let k = row + 1; k < size; k += 1) {
      const factor = R[row * size + k]!;
      for (let column = k; column < size; column += 1) U[row * size + column]! -= factor * U[k * size + column]!;
    }
    for (let column = row + 1; column < size; column += 1) U[row * size + column]! *= scale;
    U[row * size + row] = scale;
  }
  return U;
}
