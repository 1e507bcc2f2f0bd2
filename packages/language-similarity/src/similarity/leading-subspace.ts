import type { Blas, Matrix } from "@mbs/contracts";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { symmetricEigen } from "./symmetric-eigen.ts";

/** Columns beyond those asked for: the block converges by the gap to the first eigenvalue outside of it. */
const spare = 8;
const iterationLimit = 100;
/** The iteration has converged when it moves less than this share of the subspace. */
const tolerance = 1e-6;
/** A direction below this share of the largest eigenvalue is rounding noise of single precision. */
const noise = 1e-6;

/** Numbers in [-1, 1], always the same. */
function startBlock(rows: number, columns: number): Matrix {
  const generator = xoroshiro128plus(0);
  const range = 2 ** 20;
  return {
    rows,
    columns,
    values: Float32Array.from({ length: rows * columns }, () => uniformInt(generator, -range, range) / range),
  };
}

const lengthOf = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

/**
 * Gram and Schmidt's orthonormal columns, each taken twice so that rounding leaves nothing; a column that hardly adds a
 * direction becomes zero.
 */
function orthonormalise({ rows, columns, values }: Matrix): Matrix {
  const basis = Array.from({ length: columns }, (_, column) =>
    Float64Array.from({ length: rows }, (_value, row) => values[row * columns + column]!),
  );
  const least = noise * Math.max(...basis.map(lengthOf));
  for (const [column, vector] of basis.entries()) {
    for (let pass = 0; pass < 2; pass += 1) {
      for (const earlier of basis.slice(0, column)) {
        let dot = 0;
        for (let row = 0; row < rows; row += 1) dot += earlier[row]! * vector[row]!;
        for (let row = 0; row < rows; row += 1) vector[row]! -= dot * earlier[row]!;
      }
    }
    const length = lengthOf(vector);
    const scale = length > least ? 1 / length : 0;
    for (let row = 0; row < rows; row += 1) vector[row]! *= scale;
  }
  const result = new Float32Array(rows * columns);
  for (const [column, vector] of basis.entries()) {
    for (let row = 0; row < rows; row += 1) result[row * columns + column] = vector[row]!;
  }
  return { rows, columns, values: result };
}

function firstColumns({ rows, columns, values }: Matrix, count: number): Matrix {
  const result = new Float32Array(rows * count);
  for (let row = 0; row < rows; row += 1) result.set(values.subarray(row * columns, row * columns + count), row * count);
  return { rows, columns: count, values: result };
}

const squares = ({ values }: Matrix): number => values.reduce((sum, value) => sum + value * value, 0);

/**
 * How much two subspaces overlap: ‖AᵀB‖²_F, from 0 (at right angles) to their dimension (the same).
 *
 * @param a orthonormal columns, [size, count]
 * @param b the same
 */
export const subspaceOverlap = async (blas: Blas, a: Matrix, b: Matrix): Promise<number> =>
  squares(await blas.gemm(a, b, { transposeA: true }));

/**
 * The span of the eigenvectors with the largest eigenvalues, by subspace iteration with Rayleigh and Ritz's rotation.
 *
 * @param multiply H·V for V of shape [size, m], H symmetric, [size, size], with no negative eigenvalue
 * @param count how many eigenvectors, at most size
 * @returns orthonormal columns, [size, count], in order of their eigenvalues; zero where H has fewer directions
 * @see Halko, Martinsson and Tropp, arXiv:0909.4061, algorithm 4.4
 */
export async function leadingSubspace(
  blas: Blas,
  multiply: (block: Matrix) => Promise<Matrix>,
  size: number,
  count: number,
): Promise<Matrix> {
  const columns = Math.min(size, count + spare);
  let block = orthonormalise(startBlock(size, columns));
  let leading = firstColumns(block, count);
  for (let iteration = 0; iteration < iterationLimit; iteration += 1) {
    const product = await multiply(block);
    const projected = await blas.gemm(block, product, { transposeA: true });
    const rotation = Float32Array.from(symmetricEigen(projected.values, columns).vectors);
    // vectors are rows, so their transpose rotates the columns of the block
    block = orthonormalise(await blas.gemm(product, { rows: columns, columns, values: rotation }, { transposeB: true }));
    const next = firstColumns(block, count);
    const moved = squares(next) - (await subspaceOverlap(blas, leading, next));
    leading = next;
    if (moved <= tolerance * count) break;
  }
  return leading;
}
