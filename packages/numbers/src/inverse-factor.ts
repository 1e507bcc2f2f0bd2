import type { Blas, Matrix, Real } from "@mbs/contracts";
import { inverseFactorReference } from "./inverse-factor-reference.ts";

/** Below this size a product costs more in calls than in arithmetic. */
const leafSize = 64;

function emptyLike<Values extends Real>(values: Values, length: number): Values {
  // the constructor of a typed array gives back its own kind, which TypeScript cannot say
  return new (values.constructor as new (length: number) => Values)(length);
}

/** A copy of a part of a row-major matrix. */
function block<Values extends Real>(
  matrix: Matrix<Values>,
  top: number,
  left: number,
  rows: number,
  columns: number,
): Matrix<Values> {
  const values = emptyLike(matrix.values, rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const start = (top + row) * matrix.columns + left;
    values.set(matrix.values.subarray(start, start + columns), row * columns);
  }
  return { rows, columns, values };
}

/** Writes a matrix into a part of a larger one. */
function place<Values extends Real>(target: Matrix<Values>, top: number, left: number, source: Matrix<Values>): void {
  for (let row = 0; row < source.rows; row += 1) {
    const start = row * source.columns;
    target.values.set(source.values.subarray(start, start + source.columns), (top + row) * target.columns + left);
  }
}

/**
 * Upper Cholesky factor of the inverse by one recursive factorisation, in the precision of the given arrays.
 *
 * With H = R·Rᵀ, R upper triangular, U = R⁻¹ has UᵀU = H⁻¹: no inverse is formed and factorised again. In halves,
 * from the last columns to the first: U₂₂ from H₂₂; R₁₂ = H₁₂·U₂₂ᵀ; U₁₁ from H₁₁ - R₁₂·R₁₂ᵀ; U₁₂ = -U₁₁·R₁₂·U₂₂.
 *
 * @param hessian H, shape [size, size], symmetric, row-major, damped; its upper half is read; not modified
 * @returns U, shape [size, size], row-major, zero below the diagonal
 * @throws {NotPositiveDefiniteError} when a pivot is not above zero
 */
export async function inverseFactor<Values extends Real>(blas: Blas<Values>, hessian: Values, size: number): Promise<Values> {
  return (await factorise(blas, { rows: size, columns: size, values: hessian }, 0)).values;
}

async function factorise<Values extends Real>(
  blas: Blas<Values>,
  H: Matrix<Values>,
  firstColumn: number,
): Promise<Matrix<Values>> {
  const size = H.rows;
  const values = emptyLike(H.values, size * size);
  if (size <= leafSize) {
    values.set(inverseFactorReference(H.values, size, firstColumn));
    return { rows: size, columns: size, values };
  }
  // the first half is a whole number of leaves
  const first = Math.ceil(size / 2 / leafSize) * leafSize;
  const second = size - first;
  const U22 = await factorise(blas, block(H, first, first, second, second), firstColumn + first);
  const R12 = await blas.gemm(block(H, 0, first, first, second), U22, { transposeB: true });
  const S = await blas.gemm(R12, R12, { transposeB: true, alpha: -1, add: block(H, 0, 0, first, first) });
  const U11 = await factorise(blas, S, firstColumn);
  const U12 = await blas.gemm(await blas.gemm(U11, R12, { alpha: -1 }), U22);
  const U: Matrix<Values> = { rows: size, columns: size, values };
  place(U, 0, 0, U11);
  place(U, 0, first, U12);
  place(U, first, first, U22);
  return U;
}
