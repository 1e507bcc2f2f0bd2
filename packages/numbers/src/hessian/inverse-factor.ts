import type { Blas, Matrix, Real } from "@mbs/contracts";
import { inverseFactorReference } from "./inverse-factor-reference.ts";

/** Below this size a product costs more in calls than in arithmetic. */
const leafSize = 64;

/** A square part of a larger row-major matrix, on the diagonal of it. */
interface DiagonalPart<Values extends Real> {
  readonly values: Values;
  /** Columns of the whole. */
  readonly stride: number;
  /** First row and column. */
  readonly first: number;
  readonly size: number;
}

function emptyLike<Values extends Real>(values: Values, length: number): Values {
  // the constructor of a typed array gives back its own kind, which TypeScript cannot say
  return new (values.constructor as new (length: number) => Values)(length);
}

/** A copy of some rows and columns of a part. */
function block<Values extends Real>(
  { values: whole, stride, first }: DiagonalPart<Values>,
  top: number,
  left: number,
  rows: number,
  columns: number,
): Matrix<Values> {
  const values = emptyLike(whole, rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const start = (first + top + row) * stride + first + left;
    values.set(whole.subarray(start, start + columns), row * columns);
  }
  return { rows, columns, values };
}

/** Writes a matrix over some rows and columns of a part. */
function writeBlock<Values extends Real>(
  { values, stride, first }: DiagonalPart<Values>,
  top: number,
  left: number,
  { rows, columns, values: source }: Matrix<Real>,
): void {
  for (let row = 0; row < rows; row += 1) {
    const start = row * columns;
    values.set(source.subarray(start, start + columns), (first + top + row) * stride + first + left);
  }
}

/**
 * Upper Cholesky factor of the inverse by one recursive factorisation, in the precision of the given array, which it
 * overwrites: besides it, at most four quarters of it are in memory.
 *
 * With H = R·Rᵀ, R upper triangular, U = R⁻¹ has UᵀU = H⁻¹: no inverse is formed and factorised again. In halves,
 * from the last columns to the first: U₂₂ from H₂₂; R₁₂ = H₁₂·U₂₂ᵀ; U₁₁ from H₁₁ - R₁₂·R₁₂ᵀ; U₁₂ = -U₁₁·R₁₂·U₂₂.
 *
 * @param hessian H, shape [size, size], symmetric, row-major, damped; its upper half is read; overwritten with U, also where this throws
 * @returns U, shape [size, size], row-major, zero below the diagonal: the array that was given
 * @throws {NotPositiveDefiniteError} when a pivot is not above zero
 */
export async function inverseFactor<Values extends Real>(blas: Blas<Values>, hessian: Values, size: number): Promise<Values> {
  await factorise(blas, { values: hessian, stride: size, first: 0, size });
  return clearBelow(hessian, size);
}

/** Overwrites the upper half of a part of H with that part's U. */
async function factorise<Values extends Real>(blas: Blas<Values>, part: DiagonalPart<Values>): Promise<void> {
  const { size } = part;
  if (size <= leafSize) {
    const values = inverseFactorReference(block(part, 0, 0, size, size).values, size, part.first);
    writeBlock(part, 0, 0, { rows: size, columns: size, values });
    return;
  }
  // the first half is a whole number of leaves
  const first = Math.ceil(size / 2 / leafSize) * leafSize;
  const second = size - first;
  const leading = { ...part, size: first };
  const trailing = { ...part, first: part.first + first, size: second };
  await factorise(blas, trailing);
  const U22 = (): Matrix<Values> => triangle(trailing);
  const R12 = await blas.gemm(block(part, 0, first, first, second), U22(), { transposeB: true });
  const rest = block(part, 0, 0, first, first);
  writeBlock(part, 0, 0, await blas.gemm(R12, R12, { transposeB: true, alpha: -1, add: rest, into: rest.values }));
  await factorise(blas, leading);
  writeBlock(part, 0, first, await blas.gemm(await blas.gemm(triangle(leading), R12, { alpha: -1 }), U22()));
}

/** Zeros below the diagonal of a [size, size] matrix, in place. */
function clearBelow<Values extends Real>(values: Values, size: number): Values {
  for (let row = 1; row < size; row += 1) values.fill(0, row * size, row * size + row);
  return values;
}

/** A copy of a part that holds U: its upper half, and zeros below. */
function triangle<Values extends Real>(part: DiagonalPart<Values>): Matrix<Values> {
  const copy = block(part, 0, 0, part.size, part.size);
  clearBelow(copy.values, part.size);
  return copy;
}
